import type { ChangeBatch, FeedSource, Removal } from '../../src/core/change-feed.ts';
import { type BlockOptions, type EncodedBlock, encodeBlock } from '../../src/format/log-block.ts';
import { makeBatch, type TestEvent } from '../../src/testing/batches.ts';

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
