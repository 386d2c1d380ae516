import assert from 'node:assert/strict';
import type { ChangeBatch, FeedSource, Horizon, Removal } from '../../src/core/change-feed.ts';
import type { EventStore, StoreCursor } from '../../src/core/event-store.ts';
import { selectStreams } from '../../src/core/stream-selection.ts';
import type { Vault } from '../../src/core/vault.ts';
import type { BundleSeal } from '../../src/format/bundle-seal.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { logFolder } from '../../src/format/log-name.ts';
import { writeLogFile } from '../../src/format/log-writer.ts';
import { diffStore } from '../../src/integrity/diff/diff.ts';
import { isEqual } from '../../src/integrity/diff/report.ts';
import { mergeStreams } from '../../src/recovery/merge-streams.ts';
import { openPast } from '../../src/recovery/past.ts';
import { planRecovery, type RecoveryPlan } from '../../src/recovery/plan-recovery.ts';
import { restoreBackup } from '../../src/recovery/restore.ts';
import { restoreStreams } from '../../src/recovery/restore-streams.ts';
import type { RecoveryTarget } from '../../src/recovery/target.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import type { TestEvent } from '../../src/testing/batches.ts';
import { changes, encodeBlocks } from '../format/log-batches.ts';
import { backUp, fill, testClock } from './memory-backup.ts';

/** Whose commits the model makes up. */
export const MODEL_SOURCE: FeedSource = {
  ...{ kind: 'postgres', systemIdentifier: '7000', timeline: 1 },
  ...{ database: '5', relation: '16384' },
};

/** A transaction of a made-up server. */
export interface ModelTransaction {
  readonly xid: bigint;
  readonly commit: bigint;
  /** Microseconds since 2000. */
  readonly time: bigint;
  readonly events: readonly (TestEvent & { readonly id: string })[];
  /** Ids that it removes before it writes its events; null: all events. */
  readonly removes?: readonly (string | null)[];
}

export interface LogCut {
  /** How many of the transactions lie before the end of this block. */
  readonly transactions: number;
  readonly horizon?: Horizon | null;
  /** Where the block ends; just behind its last commit unless said here. */
  readonly to?: bigint;
  readonly asOf?: bigint;
  /** The file ends with this block. */
  readonly endsFile: boolean;
  /** What all blocks of the file that ends with this one are sealed with. */
  readonly seal?: BundleSeal;
}

/** Writes a log of these transactions; `from` is where it begins. The last cut ends the last file. */
export async function writeModelLog(
  vault: Vault,
  transactions: readonly ModelTransaction[],
  cuts: readonly LogCut[],
  { from, source = MODEL_SOURCE }: { from: bigint; source?: FeedSource },
): Promise<void> {
  let begin = 0;
  let fileFrom = from;
  let end = from;
  let previous: string | null = null;
  let batches: ChangeBatch[] = [];
  for (const cut of cuts) {
    const own = transactions.slice(begin, cut.transactions);
    begin = cut.transactions;
    const last = own.at(-1);
    end = cut.to ?? (last === undefined ? end : last.commit + 1n);
    batches.push(batchOf(own, { to: end, asOf: cut.asOf ?? last?.time ?? 0n, horizon: cut.horizon ?? null }));
    // A file of no position cannot be named: what is in it goes into the next one.
    if (!cut.endsFile || end === fileFrom) continue;
    const blocks = await encodeBlocks(batches, { previous, source, seal: cut.seal ?? null });
    await writeLogFile(vault, logFolder(source), fileFrom, blocks);
    previous = blocks.at(-1)!.digest;
    fileFrom = end;
    batches = [];
  }
}

function batchOf(
  transactions: readonly ModelTransaction[],
  options: Pick<ChangeBatch, 'to' | 'asOf' | 'horizon'>,
): ChangeBatch {
  let afterEvents = 0;
  const removals: Removal[] = [];
  transactions.forEach(({ events, removes = [] }, transaction) => {
    for (const eventId of removes) {
      removals.push({ afterEvents, transaction, kind: eventId === null ? 'truncate' : 'delete', eventId });
    }
    afterEvents += events.length;
  });
  const rows = transactions.map(({ xid, ...rest }) => ({ ...rest, xid: Number(BigInt.asUintN(32, xid)) }));
  return changes(rows, { ...options, removals });
}

/** Backs up a store of these events whose cursor says what the model wants. Gives the backup's id. */
export async function backUpModel(
  vault: Vault,
  events: readonly TestEvent[],
  cursor: Partial<StoreCursor>,
  clock = testClock,
): Promise<string> {
  const store = memoryStore();
  await fill(store, events);
  const place = { ...MODEL_SOURCE, role: 'primary', started: '1', ...cursor } as StoreCursor;
  const { manifest } = await backUp(withCursor(store, place), vault, {}, undefined, clock);
  return manifest.backupId;
}

function withCursor(store: EventStore, cursor: StoreCursor): EventStore {
  return {
    ...store,
    openSnapshot: async () => {
      const snapshot = await store.openSnapshot();
      return { ...snapshot, cursor, settledCursor: async () => cursor };
    },
  };
}

export function lsnText(position: bigint): string {
  return `${(position >> 32n).toString(16).toUpperCase()}/${(position & 0xffff_ffffn).toString(16).toUpperCase()}`;
}

/** Ids of all events of a store, sorted. */
export async function idsOf(store: EventStore): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of store.readSince('-infinity')) ids.push(id);
  return ids.sort();
}

/** Plans a recovery and does it, into a store in memory unless another is given. */
export async function recover(
  vault: Vault,
  target: RecoveryTarget,
  store: EventStore = memoryStore(),
  parallel = 1,
) {
  const [catalog, timelines] = [await readCatalog(vault), await readLogCatalog(vault)];
  const plan = await planRecovery({ vault, catalog, timelines }, target);
  const options = { replace: false, checkpoints: 'keep', parallel, recovery: plan } as const;
  const report = await restoreBackup({ target: store, vault, clock: testClock }, plan.chain, options);
  await assertNoDiff(vault, plan, store);
  return { plan, report, store, ids: await idsOf(store) };
}

const MANY_EVENTS = 200;
let largeLeft = 20;

/**
 * The same point, put together without being restored, is what was restored: all of it, and of one stream alone. Of larger stores, which
 * take their time, only the first few are looked at.
 */
async function assertNoDiff(vault: Vault, { chain, log }: RecoveryPlan, store: EventStore): Promise<void> {
  const { events } = await store.count();
  if (events > MANY_EVENTS) {
    if (largeLeft === 0) return;
    largeLeft -= 1;
  }
  for await (const { streamId } of store.listStreams({ limit: 1 })) await diffOf([streamId]);
  await diffOf(null);
  async function diffOf(streamIds: readonly string[] | null): Promise<void> {
    const past = await openPast(vault, { chain, log }, { streamIds });
    const selection = streamIds === null ? null : selectStreams(streamIds);
    const diff = await diffStore(store, past, { selection, totalEvents: 1, limit: 20, events: null });
    assert.deepEqual([isEqual(diff.totals), diff.streams], [true, []]);
    if (streamIds === null) assert.equal(diff.past.events, diff.liveEvents);
  }
}

/** The ids of one stream's events that are restored by itself, and of all when the rest is merged into the same store. */
export async function recoverStreams(vault: Vault, target: RecoveryTarget, streamId: string) {
  const [catalog, timelines] = [await readCatalog(vault), await readLogCatalog(vault)];
  const { chain, log } = await planRecovery({ vault, catalog, timelines }, target);
  const store = memoryStore();
  const ports = { target: store, vault, clock: testClock };
  await restoreStreams(ports, { chain, log }, { streamIds: [streamId], replace: false });
  const one = await idsOf(store);
  await mergeStreams(ports, { chain, log }, { streamIds: null, dryRun: false });
  return { one, all: await idsOf(store) };
}
