import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { archive } from '../../src/capture/archiver.ts';
import { isBackupError } from '../../src/core/errors.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import { parseTime } from '../../src/core/time.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { parsePosition } from '../../src/recovery/position.ts';
import type { RecoveryTarget } from '../../src/recovery/target.ts';
import { openPostgresStore } from '../../src/stores/postgres/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { addIncremental } from '../harness/chain.ts';
import { recover } from '../harness/log-model.ts';
import { backUp, testClock } from '../harness/memory-backup.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';
import { NAIVE_SCHEMA, startSlowWriters, type WrittenTransaction } from '../harness/slow-writers.ts';

/** What a reader saw, and when. */
interface Instant {
  /** Microseconds since 2000, before the reader's view was taken. */
  readonly time: bigint;
  /** The last byte of the server's log then: a commit that stands right behind it came later. */
  readonly lsn: bigint;
  /** Milliseconds since 1970, by the same clock: within these the view was taken. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly visible: ReadonlySet<string>;
}

const INSTANTS = 200;
const BY_EVENT = 30;
const BY_TRANSACTION = 20;
const LOAD_MS = 12_000;
/** The clocks of both are one, read in whole milliseconds here. */
const SLACK_MS = 1;

describe('any instant under load, recovered from a real server', () => {
  let server: TestPostgres;
  let store: EventStore;
  const vault: Vault = memoryVault();
  const written: WrittenTransaction[] = [];
  const instants: Instant[] = [];

  before(async () => {
    server = await startPostgres({
      settings: { max_prepared_transactions: '20', track_commit_timestamp: 'on' },
    });
    const database = await server.createDatabase();
    await server.exec(NAIVE_SCHEMA, database);
    const address = server.address(database);
    store = openPostgresStore(address);
    await store.initialise();
    await runLoad(address);
  });

  after(async () => {
    await store?.close();
    await server?.stop();
  });

  async function runLoad(address: string): Promise<void> {
    const stop = new AbortController();
    const archiving = archive(
      { store, vault, clock: testClock },
      {
        ...{ format: 'columns', compression: 'zstd', level: null, flushMs: 120, idleMs: 300 },
        ...{ outage: { policy: 'hold' }, once: false, signal: stop.signal },
      },
    ).catch((error: unknown) => {
      if (!isBackupError(error, 'interrupted')) throw error;
    });
    const load = { address, writers: 6, maxDelayMs: 120, maxEventsPerInsert: 4, positions: false } as const;
    const writers = await startSlowWriters({ ...load, note: (transaction) => written.push(transaction) });
    const end = Date.now() + LOAD_MS;
    await waitForHorizon();
    await backUp(store, vault);
    await Promise.all([watch(address, end), backUpAgain(end)]);
    await writers.stop();
    await waitUntilArchived();
    stop.abort();
    await archiving;
  }

  /** A base can be met once the log says from where on it holds whose commits. */
  async function waitForHorizon(): Promise<void> {
    for (;;) {
      const [timeline] = await readLogCatalog(vault);
      if ((timeline?.spans[0]?.files.length ?? 0) > 2) return;
      await sleep(50);
    }
  }

  async function waitUntilArchived(): Promise<void> {
    const { position } = (await store.feedState())!;
    for (;;) {
      const [timeline] = await readLogCatalog(vault);
      if (timeline!.spans.at(-1)!.to >= position) return;
      await sleep(50);
    }
  }

  async function backUpAgain(end: number): Promise<void> {
    for (let i = 0; Date.now() < end - 2000; i += 1) {
      await sleep(2500);
      if (i % 4 === 2) await backUp(store, vault);
      else await addIncremental(store, vault);
    }
  }

  async function watch(address: string, end: number): Promise<void> {
    const client = new pg.Client(address);
    await client.connect();
    const pause = (end - Date.now()) / INSTANTS;
    while (instants.length < INSTANTS) {
      await sleep(Math.random() * pause);
      instants.push(await look(client));
    }
    await client.end();
  }

  async function look(client: pg.Client): Promise<Instant> {
    const fromMs = Date.now();
    const { rows } = await client.query<{ time: string; lsn: string; ids: string[] | null }>(
      `SELECT to_char(statement_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS time,
              pg_current_wal_insert_lsn()::text AS lsn,
              (SELECT array_agg(event_id::text) FROM eventcore_events) AS ids`,
    );
    const { time, lsn, ids } = rows[0]!;
    return {
      ...{ time: parseTime(time)!, lsn: parsePosition(lsn)! - 1n, fromMs, toMs: Date.now() },
      visible: new Set(ids ?? []),
    };
  }

  /** Restores, and asserts that transactions are whole. Gives which of them are there. */
  async function restore(target: RecoveryTarget): Promise<Set<WrittenTransaction>> {
    const { ids, report } = await recover(vault, target);
    assert.equal(report.recovery!.versionsSkipped ?? 0, 0);
    const found = new Set(ids);
    const whole = new Set<WrittenTransaction>();
    let count = 0;
    for (const transaction of written) {
      const there = transaction.ids.filter((id) => found.has(id)).length;
      assert.ok(
        there === 0 || there === transaction.ids.length,
        `transaction ${transaction.xid} is there in part`,
      );
      if (there === 0) continue;
      whole.add(transaction);
      count += there;
    }
    assert.equal(count, found.size, 'nothing else is there');
    return whole;
  }

  /** The transactions that differ from what was seen must have been between commit and answer just then. */
  function assertSame(restored: Set<WrittenTransaction>, instant: Instant, what: string): string[] {
    const inFlight: string[] = [];
    for (const transaction of written) {
      if (restored.has(transaction) === instant.visible.has(transaction.ids[0]!)) continue;
      const { xid, sentAtMs, doneAtMs } = transaction;
      const isInFlight = sentAtMs <= instant.toMs + SLACK_MS && doneAtMs >= instant.fromMs - SLACK_MS;
      assert.ok(
        isInFlight,
        `${what}: transaction ${xid}, committed ${sentAtMs} to ${doneAtMs}, seen ${instant.fromMs}`,
      );
      inFlight.push(xid);
    }
    return inFlight;
  }

  it('by time and by position is what was visible then, but for commits in flight, which are named', async (t) => {
    assert.equal(instants.length, INSTANTS);
    const named: string[] = [];
    for (const [i, instant] of instants.entries()) {
      const { time, lsn } = instant;
      const target: RecoveryTarget =
        i % 2 === 0 ? { kind: 'time', time } : { kind: 'position', position: lsn };
      const inFlight = assertSame(await restore(target), instant, `${target.kind} ${i}`);
      if (inFlight.length > 0) named.push(`${target.kind} ${i}: ${inFlight.join(', ')}`);
    }
    t.diagnostic(
      `${written.length} transactions; in flight: ${named.length === 0 ? 'none' : named.join('; ')}`,
    );
    // Were most instants told apart only by what is in flight, this would show nothing.
    assert.ok(named.length < INSTANTS / 4, named.join('; '));
  });

  it('just before an event, or up to a transaction, has all that was done before and nothing that began later', async () => {
    const { backups } = await readCatalog(vault);
    const firstMs = Date.parse(backups[0]!.manifest.finishedAt);
    const later = written.filter(({ sentAtMs }) => sentAtMs > firstMs);
    for (let i = 0; i < BY_EVENT + BY_TRANSACTION; i += 1) {
      const chosen = later[Math.floor(Math.random() * later.length)]!;
      const { ids, xid } = chosen;
      const isEvent = i < BY_EVENT;
      const eventId = ids[Math.floor(Math.random() * ids.length)]!;
      const restored = await restore(
        isEvent ? { kind: 'before-event', eventId } : { kind: 'to-transaction', xid: BigInt(xid) },
      );
      assert.equal(restored.has(chosen), !isEvent);
      for (const other of written) {
        if (other === chosen) continue;
        if (other.doneAtMs < chosen.sentAtMs)
          assert.ok(restored.has(other), `${other.xid} was done before ${xid}`);
        if (other.sentAtMs > chosen.doneAtMs)
          assert.ok(!restored.has(other), `${other.xid} began behind ${xid}`);
      }
    }
  });

  it('at the end is the store itself', async () => {
    const restored = await restore({ kind: 'latest' });
    assert.equal(restored.size, written.length);
    const { events } = await store.count();
    assert.equal(
      events,
      written.reduce((sum, { ids }) => sum + ids.length, 0),
    );
    const wanted = (await digestStore(store)).digest;
    // The chain has several files, so that several loaders write before the log follows.
    for (const parallel of [1, 4]) {
      const target = openPostgresStore(server.address(await server.createDatabase()));
      try {
        const { plan } = await recover(vault, { kind: 'latest' }, target, parallel);
        assert.ok(plan.chain.length > 0);
        assert.equal((await digestStore(target)).digest, wanted, `${parallel} loaders`);
        await target.append([{ streamId: 'goes-on', events: [{ type: 'T', data: '{}' }] }]);
      } finally {
        await target.close();
      }
    }
  });
});
