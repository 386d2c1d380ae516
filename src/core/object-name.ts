import { BackupError } from './errors.ts';

const SEGMENT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;

/**
 * Object names are 1–8 segments of letters, digits, `.`, `_` and `-`, joined by `/`, none starting with a dot:
 * safe as a file path and as a bucket key, and with no way out of the vault.
 */
export function assertObjectName(name: string): void {
  const segments = name.split('/');
  if (segments.length <= 8 && segments.every((segment) => SEGMENT.test(segment))) return;
  throw new BackupError('vault_refused', `not a safe object name: ${JSON.stringify(name)}`, {
    hint: 'names have letters, digits, ".", "_" and "-" in up to 8 segments joined by "/"',
  });
}
