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

/** What is known of a store, asked of `eventcore status`. */
export function followStatus(
  { env, cwd, log }: ServeContext,
  { name, file }: { readonly name: string; readonly file: string },
  onAsked: () => void,
): KnownStatus {
  return makeKnownStatus({
    ...{ store: name, now: systemClock.now, steadyMs: () => performance.now(), pause },
    ask: async (signal) => {
      const words = ['status'];
      const command = { words, config: file, env, cwd, signal, deadlineMs: DEADLINE_MS };
      return statusOf(await runChild({ ...command, niceness: NICENESS }));
    },
    onFailure: (failure) => log.about({ store: name }).warn(`its status cannot be asked: ${failure.message}`),
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
