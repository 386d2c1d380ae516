import { isBackupError } from '../../core/errors.ts';
import type { StatusProblem } from '../../core/status.ts';
import { within } from '../../disaster/within.ts';
import { redactText } from '../address.ts';

/** A part of a status: what is known, and why the rest is not. */
export interface Part<Value> {
  readonly value: Value;
  readonly problems: readonly StatusProblem[];
}

/** What is away holds nobody up for longer. More than a connection to a server may take, which says better what is wrong. */
const MOST_WAIT_MS = 20_000;

/** What a user can meet becomes a problem of this part; a bug, or the wish to stop, is none. */
export async function readPart<Value>(
  of: string,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<Value>,
): Promise<Part<Value | null>> {
  const read = await within(MOST_WAIT_MS, signal, work);
  if (read.kind === 'done') return { value: read.result, problems: [] };
  if (read.kind === 'late') {
    signal.throwIfAborted();
    const message = `no answer within ${MOST_WAIT_MS / 1000} s`;
    return { value: null, problems: [{ of, code: 'timed_out', message, hint: null }] };
  }
  const { error } = read;
  if (!isBackupError(error) || error.code === 'interrupted') throw error;
  const message = redactText(error.message);
  return { value: null, problems: [{ of, code: error.code, message, hint: error.hint }] };
}

/** A vault that is damaged all over is told of in as many lines. */
const MOST_TOLD = 20;

/** What is damaged, of one part. */
export function damageProblems(
  of: string,
  messages: readonly string[],
  hint: string | null,
): StatusProblem[] {
  const told = messages.slice(0, MOST_TOLD).map((message) => problem(of, redactText(message), hint));
  const more = messages.length - told.length;
  return more === 0 ? told : [...told, problem(of, `and ${more} more`, hint)];
}

function problem(of: string, message: string, hint: string | null): StatusProblem {
  return { of, code: 'damaged', message, hint };
}
