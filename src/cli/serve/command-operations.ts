import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { commandLine } from '../../console/command-line.ts';
import type { OperationStart, RestoreRequest } from '../../console/ports.ts';
import { pointWords } from '../../console/restore-form.ts';
import { isBackupError } from '../../core/errors.ts';
import type { JobProgress } from '../../core/job.ts';
import { type ChildResult, runChild } from '../children/command.ts';
import { troubleOf } from '../children/job-command.ts';
import type { CommandContext } from '../context.ts';
import { makeNewStore, systemClock } from '../wire.ts';
import { makeOperations, type OperationEnd, type OperationPlan, type Operations } from './operations.ts';
import { newStoreName, type RestorePlace, restorePlaces } from './restore-places.ts';
import type { Served } from './store.ts';

/** Jobs come first. */
const NICENESS = 5;
const DEADLINE_MS = 7 * 24 * 3_600_000;
/** Answers of the last operations stay in memory. */
const MOST_BYTES = 256 << 10;
/** All is restored and proven; only the word of it that others were to find is missing. */
const WITHOUT_RECORD = 10;

export function serveOperations({ log }: CommandContext): Operations {
  return makeOperations({
    ...{ now: systemClock.now, uuid: systemClock.uuid },
    onChange: ({ store, title, state, who, trouble }) => {
      const line = `${store}: ${title}: ${state}`;
      if (state === 'failed') log.error(`${line}${trouble === null ? '' : `: ${trouble}`}`, { who });
      else log.info(line, { who });
    },
  });
}

interface Work {
  readonly context: CommandContext;
  readonly operations: Operations;
  readonly served: Served;
  readonly who: string;
}

type Run = OperationPlan['run'];

/** Restores into a new store: there is none of that name, so nothing can be replaced. */
export function startRestore(work: Work, request: RestoreRequest): OperationStart {
  const { served, operations, who } = work;
  const { settings } = served.current;
  const place = restorePlaces(settings).find(({ name }) => name === request.target);
  const refused = place === undefined ? NO_PLACE : (refusePlace(place) ?? refuseValues(request));
  if (place === undefined || refused !== null) return refused ?? NO_PLACE;
  const { address, name } = newStoreName(place, served.name, {
    now: systemClock.now(),
    random: randomBytes(2).toString('hex'),
  });
  const { point, streams } = request;
  const words = [
    ...['restore', '--to', address],
    ...(point === null ? [] : [`--${point.flag}=${point.value}`]),
    ...streams.map((stream) => `--stream=${stream}`),
  ];
  const what = pointWords(point === null ? NEWEST : { kind: point.flag, value: point.value });
  const part =
    streams.length === 0 ? '' : ` of ${streams.length === 1 ? 'a stream' : `${streams.length} streams`}`;
  return operations.start({
    ...{ kind: 'restore', store: served.name, who, title: `restore ${what}${part} into ${name}` },
    command: commandLine({ config: served.file }, ...words),
    run: (signal, onProgress) => restoreInto(work, { place, name, words }, signal, onProgress),
  });
}

const NEWEST = { kind: 'newest', value: '' } as const;

interface NewPlace {
  readonly place: RestorePlace;
  readonly name: string;
  readonly words: readonly string[];
}

/** What was made for it goes again where nothing was restored. */
async function restoreInto(
  work: Work,
  { place, name, words }: NewPlace,
  ...[signal, onProgress]: Parameters<Run>
): Promise<OperationEnd> {
  try {
    const made = await makeNewStore(place, name);
    const result = await runWords(work, words, signal, onProgress);
    // What it printed may be more than is kept here: it is done all the same, and what was restored stays.
    const isDone = result.exitCode === 0 || (result.exitCode === WITHOUT_RECORD && result.sizeBytes > 0);
    if (!isDone) await made.discard();
    const { document } = result;
    return { isDone, document, trouble: result.exitCode === 0 ? null : troubleOf(result) };
  } catch (error) {
    if (!isBackupError(error)) throw error;
    const trouble = `${error.message}${error.hint === null ? '' : ` (${error.hint})`}`;
    return { isDone: false, document: null, trouble };
  }
}

const BACKUP_ID = /^[0-9a-f][0-9a-f-]{3,35}$/i;

/** Verifies one backup, whole. */
export function startVerify(work: Work, backupId: string): OperationStart {
  const { served, operations, who } = work;
  if (!BACKUP_ID.test(backupId)) {
    const hint = 'choose a backup of the list';
    return { state: 'refused', message: `${JSON.stringify(backupId)} is no id of a backup`, hint };
  }
  const words = ['verify', backupId];
  return operations.start({
    ...{ kind: 'verify', store: served.name, who, title: `verify the backup ${backupId.slice(0, 8)}` },
    command: commandLine({ config: served.file }, ...words),
    run: async (signal, onProgress) => {
      const result = await runWords(work, words, signal, onProgress);
      const isDone = result.exitCode === 0;
      const unsound = 'something is wrong with it: the problems are in what it answered';
      return {
        ...{ isDone, document: result.document },
        trouble: isDone ? null : (troubleOf(result) ?? unsound),
      };
    },
  });
}

async function runWords(
  { context, served }: Work,
  words: readonly string[],
  signal: AbortSignal,
  onProgress: (progress: JobProgress) => void,
): Promise<ChildResult> {
  const { env, cwd } = context;
  const result = await runChild({
    ...{ words, config: served.file, env, cwd, signal, deadlineMs: DEADLINE_MS, niceness: NICENESS },
    ...{ mostBytes: MOST_BYTES },
    onMessage: (message) => {
      if (message.kind === 'progress') onProgress(message.progress);
    },
  });
  served.status.touch();
  return result;
}

const NO_PLACE: OperationStart = {
  state: 'refused',
  message: 'the configuration allows no such place',
  hint: 'name it in `serve.restore_to` (docs/serve.md), or run the command by hand',
};

function refusePlace({ kind, place }: RestorePlace): OperationStart | null {
  if (kind === 'postgres' || statSync(place, { throwIfNoEntry: false })?.isDirectory() === true) return null;
  return {
    state: 'refused',
    message: `${place} is no folder on this host`,
    hint: 'make it, or name another one in `serve.restore_to`',
  };
}

const MOST_STREAMS = 100;

function refuseValues({ point, streams }: RestoreRequest): OperationStart | null {
  const isText = (text: string): boolean => text !== '' && text.length <= 1000 && !text.includes('\0');
  if (streams.length <= MOST_STREAMS && [...streams, point?.value ?? 'newest'].every(isText)) return null;
  return {
    state: 'refused',
    message: `no more than ${MOST_STREAMS} streams can be restored from here, each by its name`,
    hint: 'run the command by hand',
  };
}
