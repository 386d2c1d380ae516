/** What can go wrong with a feed: crashes, which it survives, and losses and refusals, which it names. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chownSync, statSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import {
  type ChangeBatch,
  type FeedOptions,
  type FeedSource,
  NEW_LOG,
} from '../../../src/core/change-feed.ts';
import { BackupError, isBackupError } from '../../../src/core/errors.ts';
import type { EventStore } from '../../../src/core/event-store.ts';
import { batchRows } from '../../../src/testing/batches.ts';
import { numbered } from '../../../src/testing/event-store/fixture.ts';
import { startFreezingProxy } from '../../harness/freezing-proxy.ts';
import { startPostgres, startStandby, type TestPostgres } from '../../harness/postgres.ts';
import { closeStores, openStore, refused } from './seeding.ts';

let server: TestPostgres;

before(async () => {
  server = await startPostgres({ settings: { max_replication_slots: '20', max_wal_senders: '20' } });
});
after(() => server.stop());
afterEach(closeStores);

const QUICK = { batchBytes: 1 << 18, lingerMs: 20, idleMs: 200 };

async function makeStore(on = server): Promise<{ store: EventStore; database: string }> {
  const database = await on.createDatabase();
  const store = openStore(on.address(database));
  await store.initialise();
  return { store, database };
}

/** A feed that was read once and closed: what its log says about going on. */
async function beginLog(store: EventStore): Promise<FeedOptions> {
  const feed = await store.openFeed(NEW_LOG);
  await store.append([{ streamId: 'begun', events: numbered(1) }]);
  let resumeAt = feed.from;
  for await (const batch of feed.read(QUICK)) {
    resumeAt = batch.to!;
    await feed.acknowledge(resumeAt);
    if (batch.events.count > 0) break;
  }
  await feed.close();
  return { resumeAt, source: feed.source, lastEventId: null };
}

async function lost(work: Promise<unknown>, reason: string): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(isBackupError(error, 'feed_lost'), String(error));
    assert.equal(error.facts.reason, reason, error.message);
    return true;
  });
}

/** Follows a store as an archiver does, over any number of failures, until it is told to stop and has all. */
class Follower {
  readonly events: string[] = [];
  failures = 0;
  slowest = 0;
  options: FeedOptions = NEW_LOG;

  async follow(store: EventStore, isEnough: () => boolean): Promise<void> {
    while (!isEnough()) {
      try {
        await this.session(store, isEnough);
      } catch (error) {
        if (!(error instanceof BackupError) || !error.retryable) throw error;
        this.failures += 1;
        await sleep(50);
      }
    }
  }

  private async session(store: EventStore, isEnough: () => boolean): Promise<void> {
    const feed = await store.openFeed(this.options);
    if (this.options.resumeAt === null)
      this.options = { ...this.options, resumeAt: feed.from, source: feed.source };
    const { events, options } = this;
    let open: string[] = [];
    try {
      for await (const batch of feed.read(QUICK)) {
        open.push(...names(batch));
        if (batch.to === null) continue;
        events.push(...open);
        open = [];
        this.options = { ...options, resumeAt: batch.to, source: feed.source };
        // As a crash between the vault and the server has it.
        if (events.length % 3 !== 0) await feed.acknowledge(batch.to);
        if (isEnough()) return;
      }
    } finally {
      await feed.close();
    }
  }
}

function names(batch: ChangeBatch): string[] {
  return batchRows(batch.events).map(({ streamId, version }) => `${streamId} ${version}`);
}

test('a server that is killed under load again and again, and comes back, is followed on without gap or double', async () => {
  const { store, database } = await makeStore();
  const follower = new Follower();
  let isWriting = true;
  // Until all is written nobody knows how much that is.
  let written = Number.POSITIVE_INFINITY;
  const following = follower.follow(store, () => follower.events.length >= written);
  while (follower.options.resumeAt === null) await sleep(20);
  const writers = [0, 1, 2].map(async (writer) => {
    const own = openStore(server.address(database));
    while (isWriting) {
      const appends = [
        { streamId: `w${writer}`, events: numbered(3) },
        { streamId: `x${writer}`, events: numbered(1) },
      ];
      // Whether an append that failed was committed, the table says.
      await own.append(appends).catch(() => sleep(50));
    }
  });
  for (let kill = 0; kill < 4; kill += 1) {
    await sleep(1200);
    await killBackend(database);
  }
  await sleep(500);
  isWriting = false;
  await Promise.all(writers);
  const rows = await untilUp(() =>
    server.exec('SELECT stream_id AS s, stream_version AS v FROM eventcore_events', database),
  );
  const expected = rows.map(({ s, v }) => `${s} ${v}`).sort();
  written = expected.length;
  await Promise.race([following, sleep(20_000)]);
  assert.ok(written > 200, String(written));
  assert.deepEqual(follower.events.toSorted(), expected);
  assert.ok(follower.failures >= 4, `${follower.failures} failures`);
});

/** SIGKILL for one of the server's processes: all others end too, and it recovers from its log. */
async function killBackend(database: string): Promise<void> {
  const client = new pg.Client(server.address(database));
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  process.kill(rows[0]!.pid, 'SIGKILL');
  await new Promise((resolve) => client.once('end', resolve));
  await untilUp(() => server.exec('SELECT 1'));
}

async function untilUp<Result>(work: () => Promise<Result>): Promise<Result> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === 100) throw error;
      await sleep(100);
    }
  }
}

test('a connection that is cut ends reading at once as unreachable, and the next feed begins at once', async () => {
  const { store } = await makeStore();
  const feed = await store.openFeed(NEW_LOG);
  const reading = feed.read({ ...QUICK, idleMs: 600_000, lingerMs: 600_000 })[Symbol.asyncIterator]();
  const next = refused(reading.next(), 'store_unreachable');
  await sleep(200);
  const cutAt = performance.now();
  await server.exec('SELECT pg_terminate_backend(pid) FROM pg_stat_replication');
  await next;
  assert.ok(performance.now() - cutAt < 3000);
  await refused(feed.acknowledge(feed.from), 'store_unreachable');
  await feed.close();
  const again = await store.openFeed({ resumeAt: feed.from, source: feed.source, lastEventId: null });
  await again.close();
});

test('a slot that is read is held, for a feed that goes on and for one that begins anew', async () => {
  const { store } = await makeStore();
  const feed = await store.openFeed(NEW_LOG);
  const options = { resumeAt: feed.from, source: feed.source, lastEventId: null };
  await Promise.all([
    refused(store.openFeed(NEW_LOG), 'lease_held', /pg_stat_replication/),
    refused(store.openFeed(options), 'lease_held'),
    refused(store.dropFeed(), 'lease_held'),
  ]);
  await feed.close();
});

test('a slot whose reader was cut off without a word is waited for until the server has noticed', async () => {
  const { store, database } = await makeStore();
  await server.exec("ALTER SYSTEM SET wal_sender_timeout = '4s'");
  await server.exec('SELECT pg_reload_conf()');
  const proxy = await startFreezingProxy(server.port);
  try {
    await sleep(500);
    const cutOff = openStore(server.address(database).replace(`:${server.port}/`, `:${proxy.port}/`));
    const feed = await cutOff.openFeed(NEW_LOG);
    await sleep(500);
    proxy.freeze();
    // What the reader said before that may still be on its way through the server.
    await sleep(500);
    const again = await store.openFeed({ resumeAt: feed.from, source: feed.source, lastEventId: null });
    await again.close();
  } finally {
    proxy.close();
    await server.exec('ALTER SYSTEM RESET wal_sender_timeout');
    await server.exec('SELECT pg_reload_conf()');
  }
});

test('what slot and publication were dropped, or read by someone else, is named', async () => {
  const { store, database } = await makeStore();
  const log = await beginLog(store);
  const [slot] = await server.exec(
    `SELECT slot_name AS name FROM pg_replication_slots WHERE database = '${database}'`,
  );
  await server.exec(`ALTER PUBLICATION ${slot!.name} SET (publish = 'insert')`, database);
  await lost(store.openFeed(log), 'publication_changed');
  await server.exec(`DROP PUBLICATION ${slot!.name}`, database);
  await lost(store.openFeed(log), 'publication_changed');
  await store.append([{ streamId: 'a', events: numbered(1) }]);
  await server.exec(
    `SELECT pg_replication_slot_advance('${slot!.name}', pg_current_wal_flush_lsn())`,
    database,
  );
  await lost(store.openFeed(log), 'slot_ahead');
  await store.dropFeed();
  await store.dropFeed();
  assert.equal(await store.feedState(), null);
  await lost(store.openFeed(log), 'slot_missing');
  await lost(store.openFeed({ ...log, resumeAt: log.resumeAt! + (1n << 40n) }), 'slot_missing');
  // Begun anew, all is made again.
  const next = await beginLog(store);
  await lost(store.openFeed({ ...next, resumeAt: next.resumeAt! + (1n << 40n) }), 'store_rolled_back');
});

test('a log of another system, timeline, database or table is not gone on with', async () => {
  const { store, database } = await makeStore();
  const log = await beginLog(store);
  const source = log.source!;
  const others: [Partial<FeedSource>, string][] = [
    [{ systemIdentifier: '1' }, 'other_system'],
    [{ kind: 'sqlite' }, 'other_system'],
    [{ timeline: 7 }, 'other_timeline'],
    [{ database: '1' }, 'other_database'],
  ];
  for (const [other, reason] of others) {
    await lost(store.openFeed({ ...log, source: { ...source, ...other } }), reason);
  }
  await server.exec('DROP TABLE eventcore_events', database);
  await store.initialise();
  await lost(store.openFeed(log), 'other_table');
});

test('a table that is replaced while it is followed is noticed, after what was committed to the old one', async () => {
  const { store, database } = await makeStore();
  const feed = await store.openFeed(NEW_LOG);
  await store.append([{ streamId: 'old', events: numbered(2) }]);
  await server.exec('DROP TABLE eventcore_events', database);
  await store.initialise();
  await store.append([{ streamId: 'new', events: numbered(1) }]);
  const seen: string[] = [];
  await lost(
    (async () => {
      for await (const batch of feed.read(QUICK)) seen.push(...names(batch));
    })(),
    'other_table',
  );
  assert.deepEqual(seen, ['old 1', 'old 2']);
  await feed.close();
});

test('a column that the layout has not is refused and named', async () => {
  const { store, database } = await makeStore();
  const feed = await store.openFeed(NEW_LOG);
  await server.exec('ALTER TABLE eventcore_events ADD COLUMN tenant text', database);
  await store.append([{ streamId: 'a', events: numbered(1) }]);
  const reading = feed.read(QUICK)[Symbol.asyncIterator]();
  const untilRefused = async (): Promise<void> => {
    while ((await reading.next()).done !== true);
  };
  await refused(untilRefused(), 'store_unsupported', /column tenant/);
  await feed.close();
});

test('a role without the rights is told which, and with the rights that the hints name it can follow', async () => {
  const { store, database } = await makeStore();
  await server.exec('DROP ROLE IF EXISTS follower; CREATE ROLE follower LOGIN');
  const as = openStore(server.address(database, 'follower'));
  await refused(as.openFeed(NEW_LOG), 'store_refused', /ALTER ROLE "follower" REPLICATION/);
  await server.exec('ALTER ROLE follower REPLICATION');
  const error = await as.openFeed(NEW_LOG).then(
    () => assert.fail('it was not refused'),
    (thrown) => thrown as BackupError,
  );
  assert.equal(error.code, 'store_refused');
  const sql = /CREATE PUBLICATION .*$/.exec(error.hint!)![0];
  await server.exec(sql, database);
  const feed = await as.openFeed(NEW_LOG);
  await store.append([{ streamId: 'a', events: numbered(1) }]);
  for await (const batch of feed.read(QUICK)) if (batch.events.count === 1) break;
  assert.equal((await as.feedState())!.isRead, true);
  await feed.close();
});

test('a slot that cannot begin since a transaction stays open says how to find it', async () => {
  const { database } = await makeStore();
  const store = openStore(`${server.address(database)}?lock_timeout=700`);
  const client = new pg.Client(server.address(database));
  await client.connect();
  await client.query('BEGIN; SELECT pg_current_xact_id()');
  const began = performance.now();
  await refused(store.openFeed(NEW_LOG), 'store_refused', /pg_stat_activity/);
  assert.ok(performance.now() - began > 650, 'it waits as long as the address says');
  await client.end();
  const feed = await store.openFeed(NEW_LOG);
  await feed.close();
});

test('over TLS the same events come', async (context) => {
  const { store, database } = await makeStore();
  const made = spawnSync('openssl', [
    ...['req', '-new', '-x509', '-days', '2', '-nodes', '-subj', '/CN=localhost'],
    ...['-keyout', path.join(server.dataDir, 'server.key'), '-out', path.join(server.dataDir, 'server.crt')],
  ]);
  if (made.status !== 0) {
    context.skip('NOT TESTED: a feed over TLS, since there is no openssl to make a certificate');
    return;
  }
  const { uid, gid } = statSync(server.dataDir);
  for (const file of ['server.key', 'server.crt']) chownSync(path.join(server.dataDir, file), uid, gid);
  await server.exec('ALTER SYSTEM SET ssl = on');
  await server.exec('SELECT pg_reload_conf()');
  await sleep(300);
  const secure = openStore(`${server.address(database)}?sslmode=no-verify`);
  const feed = await secure.openFeed(NEW_LOG);
  const [row] = await server.exec(
    `SELECT ssl FROM pg_stat_ssl JOIN pg_replication_slots ON active_pid = pid WHERE database = '${database}'`,
  );
  assert.deepEqual(row, { ssl: true });
  for (let i = 0; i < 30; i += 1) await store.append([{ streamId: `s${i % 3}`, events: numbered(40) }]);
  const seen: string[] = [];
  for await (const batch of feed.read({ ...QUICK, batchBytes: 3000 })) {
    seen.push(...names(batch));
    if (seen.length === 1200 && !batch.isOpen) break;
  }
  assert.equal(new Set(seen).size, 1200);
  await feed.close();
});

test('a slot whose log was removed since it grew too large is lost', async () => {
  const small = await startPostgres({
    settings: { max_slot_wal_keep_size: '1MB', min_wal_size: '32MB', max_wal_size: '32MB' },
  });
  try {
    const { store, database } = await makeStore(small);
    const log = await beginLog(store);
    for (let i = 0; i < 6 && (await store.feedState())!.spareBytes !== 0; i += 1) {
      await small.exec('CREATE TABLE IF NOT EXISTS filler (t text); TRUNCATE filler', database);
      await small.exec(
        'INSERT INTO filler SELECT repeat(md5(i::text), 20) FROM generate_series(1, 40000) AS i',
        database,
      );
      await small.exec('CHECKPOINT');
    }
    const state = (await store.feedState())!;
    assert.deepEqual([state.acknowledged, state.spareBytes], [null, 0]);
    await lost(store.openFeed(log), 'wal_lost');
    const again = await beginLog(store);
    assert.ok(again.resumeAt! > log.resumeAt!);
    await closeStores();
  } finally {
    await small.stop();
  }
});

test('a standby is refused, and promoted it is another timeline', async () => {
  const { store, database } = await makeStore();
  const log = await beginLog(store);
  const standby = await startStandby(server, { settings: { max_wal_senders: '20' } });
  try {
    const there = openStore(standby.address(database));
    await refused(there.openFeed(log), 'store_refused', /name the primary/);
    await standby.exec('SELECT pg_promote(true, 20)');
    await lost(there.openFeed(log), 'other_timeline');
    const feed = await there.openFeed(NEW_LOG);
    assert.deepEqual(feed.source, { ...log.source, timeline: 2 });
    await feed.close();
    await closeStores();
  } finally {
    await standby.stop();
  }
});

test('a server without logical decoding is refused with the setting', async () => {
  const plain = await startPostgres({ settings: { wal_level: 'replica' } });
  try {
    const { store } = await makeStore(plain);
    await refused(
      store.openFeed(NEW_LOG),
      'store_refused',
      /wal_level is replica.*SET wal_level = logical.*restart/s,
    );
    assert.equal(await store.feedState(), null);
    await store.dropFeed();
    await closeStores();
  } finally {
    await plain.stop();
  }
});
