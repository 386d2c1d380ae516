import { BackupError, type ErrorCode, isBackupError } from './errors.ts';

/** An error as plain data: to another thread or machine its class would be lost on the way. */
export interface ErrorRecord {
  /** Null: it was no error of ours. */
  readonly code: ErrorCode | null;
  readonly message: string;
  readonly hint: string | null;
  readonly facts: BackupError['facts'];
  readonly stack: string | null;
}

export function describeError(error: unknown): ErrorRecord {
  if (isBackupError(error)) {
    const { code, message, hint, facts } = error;
    return { code, message, hint, facts, stack: error.stack ?? null };
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return { code: null, message, hint: null, facts: {}, stack: stack ?? null };
}

export function reviveError(error: ErrorRecord): Error {
  if (error.code === null) {
    const revived = new Error(error.message);
    if (error.stack !== null) revived.stack = error.stack;
    return revived;
  }
  const { hint, facts } = error;
  return new BackupError(error.code, error.message, hint === null ? { facts } : { hint, facts });
}
