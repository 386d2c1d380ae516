import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isBackupError } from '../../src/core/errors.ts';
import type { Vault } from '../../src/core/vault.ts';
import type { RecoveryTarget } from '../../src/recovery/target.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import {
  backUpModel,
  type LogCut,
  lsnText,
  type ModelTransaction,
  recover,
  recoverStreams,
  writeModelLog,
} from '../harness/log-model.ts';

/** What a made-up server does, drawn by chance: transactions that overlap, and a backup in the midst of them. */
interface History {
  readonly transactions: readonly ModelTransaction[];
  /** Which of them the backup's view saw. */
  readonly seen: readonly boolean[];
  readonly cursor: { readonly snapshot: string; readonly lsn: string };
  readonly blockSizes: readonly number[];
  readonly endOfFile: readonly boolean[];
}

/** Behind the moment in which any of these tests runs: the backups are older than every commit. */
const BEGIN = 3_000_000_000_000_000n;

const MOST = 14;

function many<Value>(values: fc.Arbitrary<Value>): fc.Arbitrary<Value[]> {
  return fc.array(values, { minLength: MOST, maxLength: MOST });
}

const histories: fc.Arbitrary<History> = fc
  .record({
    count: fc.integer({ min: 1, max: 14 }),
    firstXid: fc.oneof(
      fc.bigInt(3n, 1000n),
      fc.bigInt(-8n, 8n).map((near) => (1n << 32n) + near),
    ),
    order: many(fc.nat(4)),
    streams: many(fc.array(fc.nat(4), { minLength: 1, maxLength: 3 })),
    steps: many(fc.bigInt(-2n, 9n)),
    view: fc.nat(14),
    late: many(fc.boolean()),
    lag: fc.nat(3),
    blockSizes: many(fc.integer({ min: 0, max: 4 })),
    endOfFile: many(fc.boolean()),
  })
  .map((drawn) => makeHistory(drawn));

function makeHistory(drawn: {
  count: number;
  firstXid: bigint;
  order: readonly number[];
  streams: readonly number[][];
  steps: readonly bigint[];
  view: number;
  late: readonly boolean[];
  lag: number;
  blockSizes: readonly number[];
  endOfFile: readonly boolean[];
}): History {
  const { count, firstXid } = drawn;
  // Numbers are given as transactions begin, which is not the order in which they commit.
  const xids = Array.from({ length: count }, (_, i) => ({
    xid: firstXid + BigInt(i),
    at: i + drawn.order[i]!,
  }))
    .sort((a, b) => a.at - b.at)
    .map(({ xid }) => xid);
  const heads = new Map<string, number>();
  let time = BEGIN;
  const transactions = xids.map((xid, i): ModelTransaction => {
    time += drawn.steps[i]!;
    const events = drawn.streams[i]!.map((number, place) => {
      const streamId = `s-${number}`;
      const version = (heads.get(streamId) ?? 0) + 1;
      heads.set(streamId, version);
      return { id: `00000000-0000-7000-8000-${String(i * 10 + place).padStart(12, '0')}`, streamId, version };
    });
    return { xid, commit: 1000n + BigInt(i) * 10n, time, events };
  });
  const view = Math.min(drawn.view, count);
  const seen = seeSome(transactions, view, drawn.late);
  const running = transactions
    .filter((_, i) => !seen[i])
    .map(({ xid }) => xid)
    .filter((xid) => transactions.some((other, i) => seen[i] && other.xid > xid));
  const greatest = transactions.reduce(
    (best, { xid }, i) => (seen[i] && xid >= best ? xid + 1n : best),
    firstXid,
  );
  const sorted = running.toSorted((a, b) => (a < b ? -1 : 1));
  const snapshot = `${sorted[0] ?? greatest}:${greatest}:${sorted.join(',')}`;
  // The position is read a little later, when some more may have committed.
  const lsn = lsnText(1000n + BigInt(Math.min(count, view + drawn.lag)) * 10n - 5n);
  return { transactions, seen, cursor: { snapshot, lsn }, ...drawn };
}

/** Some that have committed last are not visible yet, and so is nothing that waited for them. */
function seeSome(
  transactions: readonly ModelTransaction[],
  view: number,
  late: readonly boolean[],
): boolean[] {
  const waiting = new Set<string>();
  return transactions.map(({ events }, i) => {
    const streams = events.map(({ streamId }) => String(streamId));
    const isLate = i >= view || (i >= view - 3 && late[i]!) || streams.some((stream) => waiting.has(stream));
    if (isLate) for (const stream of streams) waiting.add(stream);
    return !isLate;
  });
}

async function storeHistory(history: History): Promise<Vault> {
  const vault = memoryVault();
  const { transactions, seen } = history;
  await backUpModel(
    vault,
    transactions.flatMap(({ events }, i) => (seen[i] ? events : [])),
    history.cursor,
  );
  const least = transactions.reduce((best, { xid }) => (xid < best ? xid : best), transactions[0]!.xid);
  const cuts: LogCut[] = [
    { transactions: 0, to: 901n, horizon: { position: 900n, xid: least }, endsFile: true },
  ];
  let done = 0;
  for (let i = 0; done < transactions.length; i += 1) {
    done = Math.min(transactions.length, done + (history.blockSizes[i] ?? 1));
    const isLast = done === transactions.length;
    cuts.push({
      transactions: done,
      to: done === 0 ? 901n : transactions[done - 1]!.commit + 1n,
      horizon: { position: 900n, xid: least },
      endsFile: isLast || (history.endOfFile[i] ?? false),
    });
  }
  // An idle server moves on too.
  const asOf = transactions.at(-1)!.time + 100n;
  cuts.push({ transactions: done, to: 5000n, asOf, horizon: null, endsFile: true });
  await writeModelLog(vault, transactions, cuts, { from: 900n });
  return vault;
}

/** Ids of the transactions before the first that is beyond. */
function expected(history: History, isBeyond: (transaction: ModelTransaction) => boolean): string[] | null {
  const { transactions, seen } = history;
  const found = transactions.findIndex(isBeyond);
  const cut = found === -1 ? transactions.length : found;
  // A view that saw what lies beyond is no base.
  if (seen.some((isSeen, i) => isSeen && i >= cut)) return null;
  return transactions
    .slice(0, cut)
    .flatMap(({ events }) => events.map(({ id }) => id))
    .sort();
}

async function assertRecovers(
  history: History,
  target: RecoveryTarget,
  wanted: string[] | null,
): Promise<void> {
  const vault = await storeHistory(history);
  if (wanted === null) {
    await assert.rejects(recover(vault, target), (error) => isBackupError(error, 'no_restore_point'));
    return;
  }
  const { ids, report, plan } = await recover(vault, target);
  assert.deepEqual(ids, wanted, plan.reasons.join('; '));
  const vanished = history.transactions.flatMap(({ events }) => events).length - wanted.length;
  assert.equal(report.recovery!.epochRecord.vanished!.events, plan.log === null ? 0 : vanished);
  await assertRecoversStreams(vault, target, history, wanted);
}

/** Some of the streams into an empty store, and the others into that one: together all that a recovery brings back. */
async function assertRecoversStreams(
  vault: Vault,
  target: RecoveryTarget,
  { transactions }: History,
  wanted: readonly string[],
): Promise<void> {
  const isWanted = new Set(wanted);
  const events = transactions.flatMap((one) => one.events).filter(({ id }) => isWanted.has(id));
  const [first] = events;
  if (first === undefined) return;
  const { one, all } = await recoverStreams(vault, target, String(first.streamId));
  const own = events.filter(({ streamId }) => streamId === first.streamId).map(({ id }) => id);
  assert.deepEqual(one, own.sort());
  assert.deepEqual(all, wanted);
}

describe('a recovery from any history', () => {
  const runs = { numRuns: 60 };

  it('to a time brings back all transactions before the first that committed later, and no other', async () => {
    await fc.assert(
      fc.asyncProperty(histories, fc.nat(14), fc.bigInt(-1n, 1n), async (history, at, near) => {
        const time = history.transactions[at % history.transactions.length]!.time + near;
        fc.pre(time <= history.transactions.at(-1)!.time);
        await assertRecovers(
          history,
          { kind: 'time', time },
          expected(history, (transaction) => transaction.time > time),
        );
      }),
      runs,
    );
  });

  it('to a position, an event or a transaction does so too', async () => {
    await fc.assert(
      fc.asyncProperty(histories, fc.nat(14), fc.nat(2), async (history, at, kind) => {
        const chosen = history.transactions[at % history.transactions.length]!;
        const { commit, xid, events } = chosen;
        const targets = [
          { kind: 'position', position: commit + 3n },
          { kind: 'before-event', eventId: events[0]!.id },
          { kind: 'to-transaction', xid },
        ] as const;
        const target = targets[kind]!;
        const isBefore = target.kind === 'before-event';
        await assertRecovers(
          history,
          target,
          expected(history, (other) => (isBefore ? other.commit >= commit : other.commit > commit)),
        );
      }),
      runs,
    );
  });

  it('without a target brings back all', async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (history) => {
        await assertRecovers(
          history,
          { kind: 'latest' },
          expected(history, () => false),
        );
      }),
      runs,
    );
  });
});
