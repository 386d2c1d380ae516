/** An archiver whose network was cut, on a real server that has not noticed; and one of a server at rest. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ArchiveOptions, archive } from '../../src/capture/archiver.ts';
import { isBackupError } from '../../src/core/errors.ts';
import { timeFromUnixMs } from '../../src/core/time.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { readLogBlocks } from '../../src/format/log-reader.ts';
import { readSpans } from '../../src/recovery/survey.ts';
import { openPostgresStore } from '../../src/stores/postgres/store.ts';
import { numbered } from '../../src/testing/event-store/fixture.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { startFreezingProxy } from '../harness/freezing-proxy.ts';
import { testClock } from '../harness/memory-backup.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';

let server: TestPostgres;

before(async () => {
  server = await startPostgres({ settings: { wal_sender_timeout: '6s' } });
});
after(() => server.stop());

async function eventsIn(vault: Vault): Promise<number> {
  let events = 0;
  for (const { spans } of await readLogCatalog(vault)) {
    assert.equal(spans.length, 1, 'the log is unbroken');
    for await (const block of readLogBlocks(vault, spans[0]!.files))
      events += (await block.events())?.count ?? 0;
  }
  return events;
}

async function untilArchived(vault: Vault, events: number): Promise<void> {
  for (let tries = 0; (await eventsIn(vault)) < events; tries += 1) {
    assert.ok(tries < 600, 'it never came');
    await sleep(50);
  }
}

/** With no more rights than an archiver needs: it may not know who reads a slot, or since when that is silent. */
async function makeFollower(): Promise<string> {
  const database = await server.createDatabase();
  const owner = openPostgresStore(server.address(database));
  await owner.initialise();
  await owner.close();
  await server.exec('CREATE ROLE follower LOGIN REPLICATION');
  await server.exec('GRANT SELECT ON ALL TABLES IN SCHEMA public TO follower', database);
  const follower = openPostgresStore(server.address(database, 'follower'));
  const refused = await follower.openFeed({ resumeAt: null, source: null, lastEventId: null }).then(
    () => assert.fail('it could make the publication'),
    (error: unknown) => error,
  );
  await follower.close();
  assert.ok(isBackupError(refused, 'store_refused'), String(refused));
  await server.exec(/CREATE PUBLICATION .*$/.exec(refused.hint!)![0], database);
  return server.address(database, 'follower');
}

it('waits, loudly, until the server has dropped its former connection, and a second archiver is refused', async () => {
  const address = await makeFollower();
  const proxy = await startFreezingProxy(server.port);
  const direct = openPostgresStore(address);
  const writer = openPostgresStore(address.replace('//follower@', '//postgres@'));
  const cutOff = openPostgresStore(address.replace(`:${server.port}/`, `:${proxy.port}/`));
  const vault = memoryVault();
  const stop = new AbortController();
  const notes: string[] = [];
  const options: ArchiveOptions = {
    ...{ format: 'jsonl', compression: 'none', level: null, flushMs: 20, idleMs: 200 },
    ...{ software: 'test', outage: { policy: 'hold' }, once: false, signal: stop.signal },
    onNote: ({ message }) => notes.push(message),
  };
  const running = archive({ store: cutOff, vault, clock: testClock }, options);
  try {
    while ((await readLogCatalog(vault)).length === 0) await sleep(20);
    await writer.append([{ streamId: 'before', events: numbered(2) }]);
    await untilArchived(vault, 2);
    await assert.rejects(archive({ store: direct, vault, clock: testClock }, options), (error) =>
      isBackupError(error, 'lease_held'),
    );
    proxy.cut();
    await writer.append([{ streamId: 'meanwhile', events: numbered(3) }]);
    await untilArchived(vault, 5);
    const held = notes.filter((note) => note.includes('is still held for our former connection'));
    assert.equal(held.length, 1, notes.join('\n'));
    assert.match(held[0]!, /it does after wal_sender_timeout, 6 s/);
    assert.equal(notes.at(-1), 'the log goes on');
  } finally {
    stop.abort();
    await assert.rejects(running, (error) => isBackupError(error, 'interrupted'));
    for (const store of [direct, cutOff, writer]) await store.close();
    proxy.close();
  }
});

it('says of a server at rest, whose positions do not move, up to when nothing came', async () => {
  const store = openPostgresStore(server.address(await server.createDatabase()));
  await store.initialise();
  const vault = memoryVault();
  const stop = new AbortController();
  const options: ArchiveOptions = {
    ...{ format: 'jsonl', compression: 'none', level: null, flushMs: 20, idleMs: 200 },
    ...{ software: 'test', outage: { policy: 'hold' }, once: false, signal: stop.signal },
  };
  const running = archive({ store, vault, clock: testClock }, options);
  try {
    while (((await readLogCatalog(vault))[0]?.quiet.length ?? 0) < 2) await sleep(50);
    const wanted = timeFromUnixMs(Date.now());
    const until = async (): Promise<bigint> =>
      (await readSpans(vault, await readLogCatalog(vault))).at(-1)!.until;
    for (let tries = 0; (await until()) < wanted; tries += 1) {
      assert.ok(tries < 200, 'it stays behind');
      await sleep(50);
    }
  } finally {
    stop.abort();
    await assert.rejects(running, (error) => isBackupError(error, 'interrupted'));
    await store.close();
  }
});
