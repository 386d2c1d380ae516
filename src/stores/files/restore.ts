import fs from 'node:fs/promises';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { BackupError } from '../../core/errors.ts';
import type { CompanionRow, RestoreSession, RestoreSessionOptions } from '../../core/event-store.ts';
import { CHECKPOINT_TABLE, COLUMNS, INGESTION_TABLE, TRANSACTION_TABLE } from './companions.ts';
import type { FilesConfig } from './config.ts';
import { exists, listFolder, syncFolder, writeNew } from './durable.ts';
import { guarded } from './errors.ts';
import { listTransactions, storeExists } from './history.ts';
import { keptTransactions } from './kept-transactions.ts';
import { closeSpools, type LoadedEvents, noEvents, openSpoolWriter, summariesOf } from './loaded-events.ts';
import { lockStore, type StoreLock } from './lock.ts';
import { type NewFile, newTransactions } from './new-transactions.ts';
import { CHECKPOINTS, checkpointFile, EVENTS, INGESTION_LOG, LOCAL, LOCK } from './paths.ts';
import { makeStaging, publishSteps, type Staging, settle, stagingOf } from './staging.ts';

interface Attempt {
  readonly config: FilesConfig;
  readonly lock: StoreLock;
  readonly staging: Staging;
  readonly loaded: LoadedEvents;
  readonly rows: Map<string, CompanionRow['values'][]>;
  /** Folders that this attempt made, and takes away again when it is discarded and they are empty. */
  readonly made: readonly string[];
}

/** The store stays locked until the restore is over. */
export async function openFilesRestore(
  config: FilesConfig,
  options: RestoreSessionOptions,
): Promise<RestoreSession> {
  const { address } = config;
  const { attempt, discarded } = await guarded(`restore into ${address}`, () => begin(config, options));
  let isOpen = true;
  const end = async (): Promise<void> => {
    isOpen = false;
    closeSpools(attempt.loaded);
    await attempt.lock.release();
  };
  return {
    token: null,
    discarded,
    openWriter: async () => openSpoolWriter(attempt.loaded, attempt.staging.folder),
    writeCompanion: async (row) => takeCompanion(attempt, row),
    finishLoad: (onStep) =>
      guarded(`write the transactions of ${address}`, () => finishLoad(attempt, onStep)),
    readSummaries: async function* () {
      yield* summariesOf(attempt.loaded);
    },
    publish: () =>
      guarded(`publish what was restored into ${address}`, async () => {
        attempt.lock.assertHeld();
        for (const step of await publishSteps(config, attempt.staging)) await step();
        await end();
      }),
    discard: async () => {
      if (!isOpen) return;
      await guarded(`take back what was restored into ${address}`, () => takeBack(attempt));
      await end();
    },
  };
}

async function begin(
  config: FilesConfig,
  { attemptId, replace }: RestoreSessionOptions,
): Promise<{ attempt: Attempt; discarded: string[] }> {
  const made = await makeRoot(config);
  const lock = await lockStore(config, 0);
  try {
    const discarded = await settle(config);
    if (!replace && (await isFilled(config))) throw notEmpty(config);
    const staging = stagingOf(config, attemptId);
    await makeStaging(staging);
    return { attempt: { config, lock, staging, loaded: noEvents(), rows: new Map(), made }, discarded };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** Gives the folders that were not there before, the deepest first. Those above the root must be there. */
async function makeRoot({ root }: FilesConfig): Promise<string[]> {
  const made: string[] = [];
  for (const folder of [root, path.join(root, LOCAL)]) {
    if (await exists(folder)) continue;
    await fs.mkdir(folder);
    await syncFolder(path.dirname(folder));
    made.unshift(folder);
  }
  return made;
}

async function isFilled(config: FilesConfig): Promise<boolean> {
  if ((await storeExists(config)) && (await listTransactions(config)).length > 0) return true;
  return (await listFolder(path.join(config.root, CHECKPOINTS))).length > 0;
}

function notEmpty({ address }: FilesConfig): BackupError {
  return new BackupError('target_not_empty', `${address} holds events or what belongs to them`, {
    hint: 'name another folder, or pass --replace to put the backup in the place of all that is there',
  });
}

function takeCompanion({ rows }: Attempt, { table, values }: CompanionRow): boolean {
  const columns = Object.hasOwn(COLUMNS, table) ? COLUMNS[table]! : [];
  const given = Object.keys(values);
  if (
    columns.length === 0 ||
    given.length !== columns.length ||
    !given.every((name) => columns.includes(name))
  )
    return false;
  // A position is one of this log: without it, it would point anywhere.
  if (table === CHECKPOINT_TABLE && !rows.has(INGESTION_TABLE)) return false;
  const own = rows.get(table);
  if (own === undefined) rows.set(table, [values]);
  else own.push(values);
  return true;
}

async function finishLoad(attempt: Attempt, onStep: (step: string) => void = () => {}): Promise<void> {
  const { config, staging, loaded, rows } = attempt;
  onStep('writing transactions');
  const kept = rows.get(TRANSACTION_TABLE);
  const files = kept === undefined ? newTransactions(loaded) : keptTransactions(loaded, kept);
  await writeFiles(path.join(staging.fresh, EVENTS), files, config.fsync);
  await writeLocalState(attempt);
}

/** As many as the disk takes at a time. */
const WRITES_AT_ONCE = 32;

async function writeFiles(
  folder: string,
  files: Iterable<NewFile>,
  fsync: FilesConfig['fsync'],
): Promise<void> {
  const writing = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let written = 0;
  for (const { name, bytes } of files) {
    const write = writeNew(path.join(folder, name), bytes, fsync)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => writing.delete(write));
    writing.add(write);
    if (writing.size >= WRITES_AT_ONCE) await Promise.race(writing);
    written += 1;
    if (written % WRITES_AT_ONCE === 0) await nextTurn();
    if (failures.length > 0) break;
  }
  await Promise.all(writing);
  if (failures.length > 0) throw failures[0];
  await syncFolder(folder);
}

async function writeLocalState({ staging, rows }: Attempt): Promise<void> {
  const log = rows.get(INGESTION_TABLE);
  if (log === undefined) return;
  const parts = [...log].sort((a, b) => Number(a.part) - Number(b.part));
  const ingestionLog = path.join(staging.fresh, INGESTION_LOG);
  await fs.mkdir(path.dirname(ingestionLog), { recursive: true });
  await writeNew(ingestionLog, Buffer.from(parts.map(({ lines }) => `${lines}\n`).join('')), 'full');
  await syncFolder(path.dirname(ingestionLog));
  const checkpoints = rows.get(CHECKPOINT_TABLE) ?? [];
  if (checkpoints.length === 0) return;
  const folder = path.join(staging.fresh, CHECKPOINTS);
  await fs.mkdir(folder, { recursive: true });
  for (const { subscription_name: name, position } of checkpoints) {
    await writeNew(path.join(folder, checkpointFile(name ?? '')), Buffer.from(position ?? ''), 'full');
  }
  await syncFolder(folder);
}

/** Leaves the place as it was, also when a step of publishing failed. */
async function takeBack({ config, staging, made }: Attempt): Promise<void> {
  if (await exists(staging.folder)) await settle(config);
  if (made.includes(config.root)) await fs.rm(path.join(config.root, LOCK), { force: true });
  for (const folder of made) {
    try {
      await fs.rmdir(folder);
    } catch {
      // Somebody has put something into it.
    }
  }
}
