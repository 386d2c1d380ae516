import assert from 'node:assert/strict';
import type { ChangeBatch, FeedSource, Removal } from '../../src/core/change-feed.ts';
import type { Vault } from '../../src/core/vault.ts';
import { type BlockOptions, type EncodedBlock, encodeBlock } from '../../src/format/log-block.ts';
import { type LogFile, type LogTimeline, readLogCatalog } from '../../src/format/log-catalog.ts';
import type { BlockHeader } from '../../src/format/log-header.ts';
import { logFolder } from '../../src/format/log-name.ts';
import { type LogReadOptions, readLogBlocks } from '../../src/format/log-reader.ts';
import { writeLogFile } from '../../src/format/log-writer.ts';
import { batchRows, makeBatch, type TestEvent } from '../../src/testing/batches.ts';

export const SOURCE: FeedSource = {
  kind: 'postgres',
  systemIdentifier: '7301234567890123456',
  timeline: 1,
  database: 'shop',
  relation: 'public.events',
};

export interface TestTransaction {
  readonly xid?: number;
  readonly commit: bigint;
  readonly time?: bigint;
  readonly events?: readonly TestEvent[];
}

/** What a feed would give for these transactions; `to` is just behind the last commit unless said here. */
export function changes(
  transactions: readonly TestTransaction[],
  options: Partial<Omit<ChangeBatch, 'events' | 'transactions'>> = {},
): ChangeBatch {
  const events = transactions.flatMap((transaction) => transaction.events ?? []);
  const last = transactions.at(-1);
  return {
    events: makeBatch(events),
    transactions: {
      count: transactions.length,
      xids: Uint32Array.from(transactions, ({ xid }) => xid ?? 0),
      commits: BigUint64Array.from(transactions, ({ commit }) => commit),
      times: BigInt64Array.from(transactions, ({ time }) => time ?? 0n),
      events: Uint32Array.from(transactions, (transaction) => transaction.events?.length ?? 0),
    },
    isContinued: false,
    isOpen: false,
    removals: [] as Removal[],
    to: options.isOpen ? null : (last?.commit ?? 0n) + 1n,
    asOf: last?.time ?? 0n,
    horizon: null,
    beganAtMs: 0,
    ...options,
  };
}

/** Blocks that follow one another. */
export async function encodeBlocks(
  batches: readonly ChangeBatch[],
  options: Partial<BlockOptions> = {},
): Promise<EncodedBlock[]> {
  const blocks: EncodedBlock[] = [];
  let previous = (await options.previous) ?? null;
  for (const batch of batches) {
    const block = await encodeBlock(batch, {
      ...{ source: SOURCE, format: 'columns', compression: 'zstd', level: null },
      limits: { versionBase: 1, futureAfter: 0n },
      ...options,
      previous,
    });
    blocks.push(block);
    previous = block.digest;
  }
  return blocks;
}

export interface ReadChanges {
  readonly header: BlockHeader;
  readonly transactions: { xid: number; commit: bigint; time: bigint; events: number }[];
  readonly events: ReturnType<typeof batchRows>;
  readonly removals: Removal[];
}

/** All that is in these files, block by block, as plain values. */
export async function readChanges(
  vault: Vault,
  files: readonly LogFile[],
  options: LogReadOptions = {},
): Promise<ReadChanges[]> {
  const read: ReadChanges[] = [];
  for await (const block of readLogBlocks(vault, files, options)) {
    const { count, xids, commits, times, events } = await block.transactions();
    const batch = await block.events();
    read.push({
      header: block.header,
      transactions: Array.from({ length: count }, (_, i) => ({
        ...{ xid: xids[i]!, commit: commits[i]!, time: times[i]!, events: events[i]! },
      })),
      events: batch === null ? [] : batchRows(batch),
      removals: await block.removals(),
    });
  }
  return read;
}

export const FOLDER = logFolder(SOURCE);

function sampleEvent(version: number): TestEvent {
  return { streamId: 'account-1', version, data: `{"n":${version}}`, time: BigInt(version) };
}

/** A log of three files from 10 to 50, the second with a transaction that needs two blocks. */
export async function writeSampleLog(vault: Vault): Promise<void> {
  const blocks = await encodeBlocks([
    changes([
      { xid: 7, commit: 10n, time: 5n, events: [sampleEvent(1), sampleEvent(2)] },
      { xid: 6, commit: 20n, time: 4n, events: [sampleEvent(3)] },
    ]),
    changes([{ xid: 9, commit: 30n, time: 6n, events: [sampleEvent(4)] }], { isOpen: true }),
    changes([{ xid: 9, commit: 30n, time: 6n, events: [sampleEvent(5)] }], { isContinued: true, to: 40n }),
    changes([], { to: 50n, asOf: 99n, horizon: { position: 45n, xid: 10n } }),
  ]);
  await writeLogFile(vault, FOLDER, 10n, blocks.slice(0, 1));
  await writeLogFile(vault, FOLDER, 21n, blocks.slice(1, 3));
  await writeLogFile(vault, FOLDER, 40n, blocks.slice(3));
}

/** The log that a vault holds, when it holds one. */
export async function onlyTimeline(vault: Vault): Promise<LogTimeline> {
  const [timeline, ...others] = await readLogCatalog(vault);
  assert.ok(timeline !== undefined && others.length === 0);
  return timeline;
}
