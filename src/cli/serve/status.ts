import { atMost } from '../../core/concurrency.ts';
import { BackupError, ERROR_CODES, type ErrorCode } from '../../core/errors.ts';
import { pause } from '../../core/pause.ts';
import type { StoreStatus } from '../../core/status.ts';
import { type KnownStatus, makeKnownStatus } from '../../daemon/known-status.ts';
import { type ChildResult, runChild } from '../children/command.ts';
import { systemClock } from '../wire.ts';
import type { ServeContext } from './log.ts';

/** It asks servers, which have times of their own; after this nobody believes that it still ends. */
const DEADLINE_MS = 120_000;
/** Jobs come first. */
const NICENESS = 10;

/** Of all stores of a daemon together. */
const AT_ONCE = 2;
/** Of many stores one is asked in so long: each is a process. */
const EACH_MS = 4000;

export interface AskStatus {
  (context: ServeContext, file: string, signal: AbortSignal): Promise<StoreStatus>;
  /** However little is promised of each. */
  readonly leastPeriodMs: () => number;
}

/** `count`: how many stores there are. */
export function makeAskStatus(count: () => number): AskStatus {
  const ask = async ({ env, cwd }: ServeContext, file: string, signal: AbortSignal): Promise<StoreStatus> => {
    if (signal.aborted) throw new BackupError('internal', 'it is stopped');
    const command = { words: ['status'], config: file, env, cwd, signal, deadlineMs: DEADLINE_MS };
    return statusOf(await runChild({ ...command, niceness: NICENESS }));
  };
  return Object.assign(atMost(AT_ONCE, ask), { leastPeriodMs: () => count() * EACH_MS });
}

/** What is known of a store, asked of `eventcore status`. */
export function followStatus(
  context: ServeContext,
  { name, file }: { readonly name: string; readonly file: string },
  ask: AskStatus,
  onAsked: () => void,
): KnownStatus {
  const log = context.log.about({ store: name });
  return makeKnownStatus({
    ...{ store: name, now: systemClock.now, steadyMs: () => performance.now(), pause },
    ask: (signal) => ask(context, file, signal),
    leastPeriodMs: ask.leastPeriodMs,
    onFailure: (failure) => log.warn(`its status cannot be asked: ${failure.message}`),
    onAsked,
  });
}

function statusOf({ exitCode, document, error, failure }: ChildResult): StoreStatus {
  if (exitCode === 0 && isStatus(document)) return document;
  const message = error?.message ?? failure ?? `it ended with ${exitCode ?? 'a signal'} and no answer`;
  throw new BackupError(codeOf(error?.code), message, error?.hint == null ? {} : { hint: error.hint });
}

function codeOf(code: string | undefined): ErrorCode {
  return code !== undefined && code in ERROR_CODES ? (code as ErrorCode) : 'internal';
}

/** It is this program that answers; but another version of it may have been installed since this daemon was started. */
function isStatus(document: unknown): document is StoreStatus {
  const status = (document ?? {}) as Partial<Readonly<Record<keyof StoreStatus, unknown>>>;
  const lists = [status.windows, status.gaps, status.backups, status.regions, status.problems];
  return typeof status.at === 'string' && lists.every(Array.isArray) && typeof status.promises === 'object';
}
