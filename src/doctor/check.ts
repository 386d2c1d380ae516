import { type BackupError, ERROR_CODES, type ErrorCode } from '../core/errors.ts';

/** What a check found. One that was not made says why. */
export interface Check {
  readonly name: string;
  readonly verdict: 'good' | 'warn' | 'bad' | 'skipped';
  readonly message: string;
  /** The way out. */
  readonly hint: string | null;
  /** Of what is bad: what kind of failure it is. */
  readonly code: ErrorCode | null;
}

export function good(name: string, message: string): Check {
  return { name, verdict: 'good', message, hint: null, code: null };
}

export function warn(name: string, message: string, hint: string | null): Check {
  return { name, verdict: 'warn', message, hint, code: null };
}

export function bad(name: string, code: ErrorCode, message: string, hint: string | null): Check {
  return { name, verdict: 'bad', message, hint, code };
}

export function skipped(name: string, message: string, hint: string | null = null): Check {
  return { name, verdict: 'skipped', message, hint, code: null };
}

export function failed(name: string, { code, message, hint }: BackupError): Check {
  return bad(name, code, message, hint);
}

/** Damage first, since it is in what is there already; then what keeps new backups from being made. */
const WORST_FIRST: readonly number[] = [4, 8, 6, 5, 9, 3, 7, 11, 2];

/** 0 when nothing is bad. */
export function exitCodeOf(checks: readonly Check[]): number {
  const codes = new Set(
    checks.flatMap(({ code }) => (code === null ? [] : [ERROR_CODES[code].exitCode as number])),
  );
  return WORST_FIRST.find((code) => codes.has(code)) ?? [...codes][0] ?? 0;
}
