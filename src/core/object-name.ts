import { BackupError } from './errors.ts';

const SEGMENT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;
const MAX_SEGMENTS = 8;

/**
 * Object names are 1–8 segments of letters, digits, `.`, `_` and `-`, joined by `/`, none starting with a dot:
 * safe as a file path and as a bucket key, and with no way out of the vault.
 */
export function isObjectName(name: string): boolean {
  const segments = name.split('/');
  return segments.length <= MAX_SEGMENTS && segments.every((segment) => SEGMENT.test(segment));
}

/** Throws `vault_refused` unless `name` is an object name. */
export function assertObjectName(name: string): void {
  if (isObjectName(name)) return;
  throw new BackupError('vault_refused', `not a safe object name: ${JSON.stringify(name)}`, {
    hint: 'names have letters, digits, ".", "_" and "-" in up to 8 segments joined by "/"',
  });
}

/** Throws `vault_refused` unless some object name starts with `prefix`; the empty prefix stands for all. */
export function assertObjectPrefix(prefix: string): void {
  if (prefix === '' || isObjectName(prefix) || isObjectName(`${prefix}x`)) return;
  throw new BackupError('vault_refused', `not the beginning of an object name: ${JSON.stringify(prefix)}`, {
    hint: 'a prefix is empty or the first part of a name, such as "backups/"',
  });
}
