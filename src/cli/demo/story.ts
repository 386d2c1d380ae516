import { cp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { takeFullBackup } from '../../backup/full.ts';
import { BackupError, isBackupError } from '../../core/errors.ts';
import type { EventStore, StreamHead } from '../../core/event-store.ts';
import type { Manifest } from '../../core/manifest.ts';
import type { BackupVerification, Problem } from '../../core/report.ts';
import type { Vault } from '../../core/vault.ts';
import { digestStore } from '../../integrity/store-digest.ts';
import { verifyBackup } from '../../integrity/verify/backup.ts';
import { type RestoreReport, restoreBackup } from '../../recovery/restore.ts';
import { withStore, withVault } from '../context.ts';
import { systemClock } from '../wire.ts';
import { runApplication, type Transaction } from './application.ts';

/** The steps of the demonstration. Each does the real thing and throws when it does not come out as it must. */
export interface Stage {
  readonly folder: string;
  readonly store: string;
  readonly storePath: string;
  readonly vault: string;
  readonly software: string;
  readonly signal: AbortSignal;
}

export function setStage(folder: string, software: string, signal: AbortSignal): Stage {
  const storePath = join(folder, 'events.db');
  return {
    ...{ folder, storePath, store: `sqlite:${storePath}`, vault: join(folder, 'backups'), software, signal },
  };
}

export interface BuiltStore {
  readonly transactions: number;
  readonly events: number;
  readonly streams: number;
  /** Over every column of every event. */
  readonly digest: string;
}

export async function buildStore(stage: Stage, history: Iterable<Transaction>): Promise<BuiltStore> {
  await withStore(stage.store, (store) => store.initialise());
  const transactions = await runApplication(stage.storePath, history, stage.signal);
  return withStore(stage.store, async (store) => {
    const { events, streams } = await store.count();
    return { transactions, events, streams, digest: (await digestStore(store)).digest };
  });
}

export interface TakenBackup {
  readonly manifest: Manifest;
  readonly folder: string;
}

const CHUNK_BYTES = 1 << 20;

export function backUp({
  store: storeAddress,
  vault: vaultAddress,
  software,
  signal,
}: Stage): Promise<TakenBackup> {
  return withStore(storeAddress, (store) =>
    withVault(vaultAddress, { create: true }, async (vault) => {
      const { manifest, folder } = await takeFullBackup(
        { store, vault, clock: systemClock },
        {
          ...{ format: 'columns', compression: 'zstd', level: null, parallel: 1 },
          ...{ chunkBytes: CHUNK_BYTES, software, signal },
        },
      );
      return { manifest, folder };
    }),
  );
}

export async function verifySound(stage: Stage, backup: TakenBackup): Promise<BackupVerification> {
  const verification = await withVault(stage.vault, { create: false }, (vault) =>
    check(stage, vault, backup),
  );
  if (!verification.overallValid) throw unexpected('a fresh backup did not verify');
  return verification;
}

export interface Damage {
  readonly file: string;
  readonly offset: number;
  readonly was: number;
  readonly is: number;
  readonly problem: Problem;
  readonly problems: number;
}

/** Copies the vault, changes one bit in the middle of the copy's events, and lets the verification find it. */
export async function damageCopy(stage: Stage, backup: TakenBackup): Promise<Damage> {
  const copy = join(stage.folder, 'damaged-copy');
  await cp(stage.vault, copy, { recursive: true });
  const events = backup.manifest.files.find(({ role }) => role === 'events');
  if (events === undefined) throw unexpected('the backup has no events');
  const offset = Math.floor(events.sizeBytes / 2);
  const bytes = await flipBit(join(copy, backup.folder, events.name), offset);
  const { overallValid, problems } = await withVault(copy, { create: false }, (vault) =>
    check(stage, vault, backup),
  );
  const problem = problems.find(({ code, file }) => code === 'chunk_checksum' && file === events.name);
  if (overallValid || problem === undefined) throw unexpected('the changed byte was not found');
  return { file: events.name, offset, ...bytes, problem, problems: problems.length };
}

async function flipBit(path: string, offset: number): Promise<{ was: number; is: number }> {
  const handle = await open(path, 'r+');
  try {
    const byte = new Uint8Array(1);
    await handle.read(byte, 0, 1, offset);
    const was = byte[0]!;
    const is = was ^ 1;
    byte[0] = is;
    await handle.write(byte, 0, 1, offset);
    return { was, is };
  } finally {
    await handle.close();
  }
}

function check({ signal }: Stage, vault: Vault, backup: TakenBackup): Promise<BackupVerification> {
  return verifyBackup({ vault, clock: systemClock }, backup, { quick: false, parallel: 1, signal });
}

/** Deletes the database, its log and its shared memory. */
export async function destroyStore(stage: Stage): Promise<void> {
  for (const suffix of ['', '-wal', '-shm']) await rm(stage.storePath + suffix, { force: true });
  const { state } = await withStore(stage.store, (store) => store.inspect());
  if (state !== 'missing') throw unexpected('the deleted store is still there');
}

export function restore(stage: Stage, backup: TakenBackup): Promise<RestoreReport> {
  return withVault(stage.vault, { create: false }, (vault) =>
    withStore(stage.store, (target) =>
      restoreBackup({ target, vault, clock: systemClock }, [backup], {
        ...{ replace: false, checkpoints: 'keep', parallel: 1, signal: stage.signal },
      }),
    ),
  );
}

/** Reads the restored store as the first one was read; throws when anything differs. */
export async function proveEqual(stage: Stage, built: BuiltStore): Promise<string> {
  const { digest } = await withStore(stage.store, (store) => digestStore(store));
  if (digest === built.digest) return digest;
  throw unexpected(`the restored events have digest ${digest}, the first ones had ${built.digest}`);
}

export interface Continued {
  readonly streamId: string;
  readonly from: bigint;
  readonly to: bigint;
}

/** Appends to the longest stream where it stands, and makes sure that a writer who is behind is refused. */
export function carryOn(stage: Stage): Promise<Continued> {
  return withStore(stage.store, async (store) => {
    const { streamId, version } = await longestStream(store);
    const events = [{ type: 'DemoFinished', data: '{"by":"eventcore demo"}' }];
    const append = [{ streamId, expectedVersion: version, events }];
    const { heads } = await store.append(append);
    const to = heads.get(streamId);
    if (to !== version + 1n) throw unexpected(`the append went to version ${to}, not ${version + 1n}`);
    try {
      await store.append(append);
    } catch (error) {
      if (isBackupError(error, 'version_conflict')) return { streamId, from: version, to };
      throw error;
    }
    throw unexpected('a writer who is behind was not refused');
  });
}

async function longestStream(store: EventStore): Promise<StreamHead> {
  let longest: StreamHead | null = null;
  for await (const head of store.listStreams()) {
    if (longest === null || head.version > longest.version) longest = head;
  }
  if (longest === null) throw unexpected('the restored store has no stream');
  return longest;
}

function unexpected(message: string): BackupError {
  return new BackupError('verification_failed', message, {
    hint: 'this is a bug: please report it with the output of `eventcore demo --keep`',
  });
}
