import { isBackupError } from '../core/errors.ts';
import type { Within } from './within.ts';

/** Why something did not work, for people. What is no failure of ours may hold anything, so it is only named. */
export function reasonOf(error: unknown): string {
  if (isBackupError(error)) return error.message;
  return error instanceof Error ? `failed in a way that nobody foresaw (${error.name})` : 'failed';
}

/** The same of a wait that has an end. */
export function whyNot(outcome: Exclude<Within<unknown>, { kind: 'done' }>): string {
  return outcome.kind === 'late' ? `nothing came in ${outcome.ms} ms` : reasonOf(outcome.error);
}
