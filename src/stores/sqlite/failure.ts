import { BackupError, isBackupError } from '../../core/errors.ts';

/** An error as plain data: structured cloning loses its class. */
export type Failure = Pick<BackupError, 'code' | 'message' | 'hint' | 'facts'>;

export function failure(error: unknown): Failure {
  if (isBackupError(error)) {
    const { code, message, hint, facts } = error;
    return { code, message, hint, facts };
  }
  return { code: 'internal', message: String(error), hint: null, facts: {} };
}

export function revived({ code, message, hint, facts }: Failure): BackupError {
  return new BackupError(code, message, hint === null ? { facts } : { hint, facts });
}
