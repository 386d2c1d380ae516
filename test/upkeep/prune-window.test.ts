import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { FeedSource } from '../../src/core/change-feed.ts';
import { isBackupError } from '../../src/core/errors.ts';
import { timeFromUnixMs, timeToUnixMs } from '../../src/core/time.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { writeGap } from '../../src/format/log-gap.ts';
import { logFolder } from '../../src/format/log-name.ts';
import { planRecovery, type ReachedPoint } from '../../src/recovery/plan-recovery.ts';
import { applyPrune, planPrune } from '../../src/upkeep/prune.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { copyVault, TEST_LEASE, TEST_WRITERS } from '../harness/aged-vault.ts';
import { datedVault } from '../harness/dated-vault.ts';
import {
  backUpModel,
  type LogCut,
  lsnText,
  MODEL_SOURCE,
  type ModelTransaction,
  recover,
  writeModelLog,
} from '../harness/log-model.ts';

/** What a made-up server does over some days, drawn by chance: transactions that overlap, backups, gaps, promotions. */
interface Drawn {
  readonly transactions: readonly { readonly hours: number; readonly begunEarlier: number }[];
  readonly files: readonly {
    readonly size: number;
    readonly hasHorizon: boolean;
    readonly then: 'file' | 'block' | 'gap' | 'promotion';
  }[];
  readonly backups: readonly { readonly after: number; readonly unseen: number }[];
  readonly logHours: number;
  readonly last: number;
}

const then = fc.oneof(
  { weight: 6, arbitrary: fc.constant('file' as const) },
  { weight: 3, arbitrary: fc.constant('block' as const) },
  { weight: 1, arbitrary: fc.constantFrom('gap' as const, 'promotion' as const) },
);

const drawn: fc.Arbitrary<Drawn> = fc.record({
  transactions: fc.array(fc.record({ hours: fc.integer({ min: 1, max: 9 }), begunEarlier: fc.nat(3) }), {
    minLength: 6,
    maxLength: 40,
    size: 'max',
  }),
  files: fc.array(fc.record({ size: fc.integer({ min: 1, max: 4 }), hasHorizon: fc.boolean(), then }), {
    minLength: 40,
    maxLength: 40,
  }),
  backups: fc.array(fc.record({ after: fc.nat(40), unseen: fc.nat(2) }), {
    minLength: 1,
    maxLength: 8,
    size: 'max',
  }),
  logHours: fc.integer({ min: 1, max: 200 }),
  last: fc.integer({ min: 1, max: 3 }),
});

const HOUR = 3_600_000;
const BEGIN = Date.UTC(2026, 8, 1);

type Kind = 'postgres' | 'sqlite';

interface Server {
  readonly vault: Vault;
  readonly endMs: number;
}

async function makeServer({ transactions, files, backups }: Drawn, kind: Kind): Promise<Server> {
  let nowMs = BEGIN;
  const vault = datedVault(memoryVault(), () => nowMs);
  const made = makeTransactions(transactions);
  const places = backups.map(({ after, unseen }) => ({ after: Math.min(after, made.length), unseen }));
  let from = 900n;
  let source: FeedSource = { ...MODEL_SOURCE, kind };
  let done = 0;
  let pending: { transactions: ModelTransaction[]; cuts: LogCut[] } = { transactions: [], cuts: [] };
  const baseTimes = new Set<number>();
  const flush = async (): Promise<void> => {
    if (pending.cuts.length > 0) {
      pending.cuts.push({ ...pending.cuts.pop()!, endsFile: true });
      await writeModelLog(vault, pending.transactions, pending.cuts, { from, source });
      from = pending.cuts.at(-1)!.to!;
    }
    pending = { transactions: [], cuts: [] };
  };
  for (const file of files) {
    if (done >= made.length) break;
    const own = made.slice(done, done + file.size);
    const before = made.slice(0, done);
    done += own.length;
    nowMs = timeToUnixMs(own.at(-1)!.time) + 60_000;
    pending.transactions.push(...own);
    const position = pending.cuts.at(-1)?.to ?? from;
    const horizon = file.hasHorizon && kind === 'postgres' ? { position, xid: greatest(before) + 1n } : null;
    const to = own.at(-1)!.commit + 1n;
    pending.cuts.push({
      transactions: pending.transactions.length,
      to,
      horizon,
      asOf: timeFromUnixMs(nowMs),
      endsFile: file.then !== 'block',
    });
    if (file.then !== 'gap' && file.then !== 'promotion') continue;
    await flush();
    const behind = from + 2n;
    if (file.then === 'promotion') source = { ...source, timeline: source.timeline + 1 };
    else
      await writeGap(vault, logFolder(source), {
        from,
        to: behind,
        reason: 'lost',
        message: 'lost',
        noticedAt: '',
      });
    from = behind;
  }
  await flush();
  for (const { after, unseen } of places) {
    const atMs = (after === 0 ? BEGIN : timeToUnixMs(made[after - 1]!.time)) + 60_000 + after;
    // Backups are known by the millisecond.
    if (baseTimes.has(atMs)) continue;
    baseTimes.add(atMs);
    nowMs = atMs;
    if (kind === 'sqlite') await backUpRows(vault, made, { after, atMs });
    else await backUpAt(vault, made, { after, unseen, atMs });
  }
  return { vault, endMs: timeToUnixMs(made.at(-1)!.time) + 60_000 };
}

function greatest(transactions: readonly ModelTransaction[]): bigint {
  return transactions.reduce((best, { xid }) => (xid > best ? xid : best), 99n);
}

/** Numbers are given as transactions begin, which is not the order in which they commit. */
function makeTransactions(steps: Drawn['transactions']): ModelTransaction[] {
  const xids = steps
    .map(({ begunEarlier }, i) => ({ i, at: i - begunEarlier - 0.5 * (begunEarlier > 0 ? 1 : 0) }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ i }, order) => ({ i, xid: 100n + BigInt(order) }));
  const byPlace = new Map(xids.map(({ i, xid }) => [i, xid]));
  let atMs = BEGIN;
  return steps.map(({ hours }, i) => {
    atMs += hours * HOUR;
    const id = `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`;
    const event = { id, streamId: `s-${i}`, version: 1 };
    return {
      xid: byPlace.get(i)!,
      commit: 1000n + 10n * BigInt(i),
      time: timeFromUnixMs(atMs),
      events: [event],
    };
  });
}

/** The last few that committed may not be visible yet. */
async function backUpAt(
  vault: Vault,
  made: readonly ModelTransaction[],
  { after, unseen, atMs }: { after: number; unseen: number; atMs: number },
): Promise<void> {
  const seen = made.slice(0, Math.max(0, after - unseen));
  const xmax = greatest(seen) + 1n;
  const running = made
    .slice(seen.length)
    .map(({ xid }) => xid)
    .filter((xid) => xid < xmax);
  const xmin = running.reduce((least, xid) => (xid < least ? xid : least), xmax);
  const snapshot = `${xmin}:${xmax}:${running.toSorted((a, b) => (a < b ? -1 : 1)).join(',')}`;
  const lsn = lsnText(1000n + 10n * BigInt(after) - 5n);
  const timeline =
    1 +
    (await readLogCatalog(vault)).filter((log) => log.spans[0]!.from <= 1000n + 10n * BigInt(after) - 5n)
      .length -
    1;
  const clock = { now: () => atMs, uuid: randomUUID };
  const events = seen.flatMap((transaction) => transaction.events);
  await backUpModel(
    vault,
    events,
    { snapshot, lsn, role: 'primary', timeline: Math.max(1, timeline) },
    clock,
  );
}

/** Rows are numbered as they commit: a view has all of them up to some. */
async function backUpRows(
  vault: Vault,
  made: readonly ModelTransaction[],
  { after, atMs }: { after: number; atMs: number },
): Promise<void> {
  const seen = made.slice(0, after);
  const maxRowid = String(seen.at(-1)?.commit ?? 950n);
  const clock = { now: () => atMs, uuid: randomUUID };
  await backUpModel(
    vault,
    seen.flatMap((transaction) => transaction.events),
    { kind: 'sqlite', maxRowid } as never,
    clock,
  );
}

async function reach(vault: Vault, ms: number): Promise<ReachedPoint | null> {
  const sources = { vault, catalog: await readCatalog(vault), timelines: await readLogCatalog(vault) };
  try {
    return (await planRecovery(sources, { kind: 'time', time: timeFromUnixMs(ms) })).reached;
  } catch (error) {
    if (!isBackupError(error, 'no_restore_point', 'log_gap')) throw error;
    return null;
  }
}

for (const kind of ['postgres', 'sqlite'] as const) {
  describe(`a prune of any backups and log of ${kind}`, () => {
    it('takes no instant of the window from a recovery', async () => {
      const counts = { reached: 0, removed: 0 };
      const holds = fc.asyncProperty(drawn, (history) => assertReaches(history, kind, counts));
      await fc.assert(holds, { numRuns: 20 });
      const { reached, removed } = counts;
      assert.ok(reached > 0 && removed > 0, `${reached} instants, ${removed} objects`);
    });
  });
}

async function assertReaches(
  history: Drawn,
  kind: Kind,
  counts: { reached: number; removed: number },
): Promise<void> {
  const { vault, endMs } = await makeServer(history, kind);
  const rule = { last: history.last, logMs: history.logHours * HOUR };
  const pruned = await copyVault(vault);
  const plan = await planPrune(pruned, { rule, nowMs: endMs + HOUR, writers: TEST_WRITERS, archive: null });
  counts.removed += (await applyPrune(pruned, plan, { lease: TEST_LEASE })).objects;
  assert.deepEqual(
    (await readLogCatalog(pruned)).flatMap(({ problems }) => problems),
    [],
  );
  // Each of the hours, and not only full ones.
  for (let ms = endMs; ms >= endMs - rule.logMs; ms -= rule.logMs / 12 + 1) {
    const before = await reach(vault, ms);
    if (before === null) continue;
    counts.reached += 1;
    assert.deepEqual(await reach(pruned, ms), before, new Date(ms).toISOString());
  }
  const middleMs = endMs - rule.logMs / 2;
  if ((await reach(vault, middleMs)) === null) return;
  const target = { kind: 'time', time: timeFromUnixMs(middleMs) } as const;
  assert.deepEqual((await recover(pruned, target)).ids, (await recover(vault, target)).ids);
}
