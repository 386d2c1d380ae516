import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { takeFullBackup } from '../../../src/backup/full.ts';
import type { EventStore } from '../../../src/core/event-store.ts';
import type { Writers } from '../../../src/core/writers.ts';
import { digestStore } from '../../../src/integrity/store-digest.ts';
import { restoreBackup } from '../../../src/recovery/restore.ts';
import { openPostgresStore } from '../../../src/stores/postgres/store.ts';
import { openShardsStore } from '../../../src/stores/shards/store.ts';
import { memoryVault } from '../../../src/vaults/memory/vault.ts';
import { newestChain } from '../../harness/chain-backup.ts';
import { awaitCommand, runCommand, runHere, startCommand } from '../../harness/command.ts';
import { faultyVault } from '../../harness/faulty-vault.ts';
import { backUp, backupDefaults, testClock } from '../../harness/memory-backup.ts';
import { startPostgres, type TestPostgres } from '../../harness/postgres.ts';
import { digestChain, takeIncremental } from '../../harness/proof-run.ts';
import { NAIVE_SCHEMA, startSlowWriters } from '../../harness/slow-writers.ts';

describe('shards on two servers of PostgreSQL', () => {
  let servers: TestPostgres[];
  let folder: string;
  const opened: EventStore[] = [];
  before(async () => {
    const settings = { max_prepared_transactions: '20' };
    servers = await Promise.all([startPostgres({ settings }), startPostgres({ settings })]);
    folder = await mkdtemp(join(tmpdir(), 'eventcore-shards-'));
  });
  after(async () => {
    for (const store of opened) await store.close();
    await Promise.all((servers ?? []).map((server) => server.stop()));
    await rm(folder, { recursive: true, force: true });
  });

  /** Empty ones, one on each server. */
  async function makeShards(): Promise<string[]> {
    return Promise.all(
      servers.map(async (server) => {
        const address = server.address(await server.createDatabase());
        const store = openPostgresStore(address);
        await store.initialise();
        await store.close();
        return address;
      }),
    );
  }

  function open(addresses: readonly string[]): EventStore {
    const store = openShardsStore(
      'shards:shop',
      addresses.map((address) => openPostgresStore(address)),
      'hash',
    );
    opened.push(store);
    return store;
  }

  const execAt = (address: string, sql: string) => {
    const server = servers.find(({ port }) => address.includes(`:${port}/`))!;
    return server.exec(sql, new URL(address).pathname.slice(1));
  };

  it('have backups that lose nothing while writers commit late in both, and are taken up and restored', async () => {
    const addresses = await makeShards();
    const store = open(addresses);
    for (const address of addresses) await execAt(address, NAIVE_SCHEMA);
    const options = { writers: 3, maxDelayMs: 200, maxEventsPerInsert: 20, positions: false };
    const writers = await Promise.all(addresses.map((address) => startSlowWriters({ address, ...options })));
    const vault = memoryVault();
    try {
      await sleep(300);
      await backUp(store, vault, { parallel: 4 });
      for (let round = 0; round < 5; round += 1) {
        await sleep(150);
        const outcome = await takeIncremental(store, vault);
        assert.ok(outcome.kind === 'taken', JSON.stringify(outcome));
        assert.equal(outcome.report.headsReason, null);
      }
    } finally {
      await Promise.all(writers.map(({ stop }) => stop()));
    }
    assert.equal((await takeIncremental(store, vault)).kind, 'taken');
    const held = await digestStore(store);
    assert.deepEqual(await digestChain(vault, await newestChain(vault)), held);
    for (const target of [open(await makeShards()), open((await makeShards()).slice(0, 1))]) {
      const restore = { replace: false, checkpoints: 'keep', parallel: 3 } as const;
      await restoreBackup({ target, vault, clock: testClock }, await newestChain(vault), restore);
      assert.deepEqual(await digestStore(target), held);
    }
    await isTakenUp(store);
  });

  async function isTakenUp(store: EventStore): Promise<void> {
    const own: Writers = { self: 'run', stateOf: () => 'dead' };
    const begin = (through: ReturnType<typeof memoryVault>) =>
      takeFullBackup({ store, vault: through, clock: testClock, writers: own }, backupDefaults);
    const counting = faultyVault(memoryVault(), {});
    await begin(counting.vault);
    const vault = memoryVault();
    const failAt = Math.floor(counting.calls() * 0.75);
    await assert.rejects(begin(faultyVault(vault, { failAt, forGood: true }).vault));
    await store.append([{ streamId: 'new', events: [{ type: 'T', data: '{}' }] }]);
    const { resumed, notes } = await begin(vault);
    assert.ok(resumed !== null && resumed.filesKept > 0, notes.join(' '));
    assert.deepEqual(await digestChain(vault, await newestChain(vault)), await digestStore(store));
  }

  it('that a restore was killed between are told, and made one again by the next with --replace', async () => {
    const [live, target] = [await makeShards(), await makeShards()];
    const store = open(live);
    for (let i = 0; i < 20; i += 1)
      await store.append([{ streamId: `order-${i}`, events: [{ type: 'T', data: '{}' }] }]);
    for (const address of live)
      await execAt(
        address,
        "INSERT INTO eventcore_subscription_versions VALUES ('reader', gen_random_uuid())",
      );
    await writeFile(
      join(folder, 'eventcore.config.yaml'),
      JSON.stringify({
        ...{ store: 'shards:live', vault: './vault' },
        shards: { live: { stores: live }, target: { stores: target, placement: 'hash' } },
      }),
    );
    const backedUp = await runCommand(folder, ['backup', 'full', '--parallel', '3', '--json']);
    assert.equal(backedUp.code, 0, backedUp.stderr);
    const { backupId, totalEvents, cuts } = JSON.parse(backedUp.stdout);
    assert.deepEqual([totalEvents, cuts.shards], [20, 2]);
    assert.ok(cuts.withinMs >= 0 && cuts.withinMs < 60_000, String(cuts.withinMs));
    const shown = await runHere(['show', backupId, '--vault', join(folder, 'vault')]);
    assert.match(shown.stdout, /cuts +one of each of 2 shards, taken within .*: not one over all/);

    // The commit of the second shard takes a while, and then fails.
    await execAt(
      target[1]!,
      `CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RAISE 'held'; END $$;
       CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON eventcore_subscription_versions
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold()`,
    );
    const restore = ['restore', '--to', 'shards:target', '--no-progress'];
    const child = startCommand(folder, restore);
    const ended = awaitCommand(child);
    const inCommit = "SELECT pid FROM pg_stat_activity WHERE query = 'COMMIT' AND wait_event = 'PgSleep'";
    while (child.exitCode === null && (await execAt(target[1]!, inCommit)).length === 0) await sleep(20);
    child.kill('SIGKILL');
    await execAt(target[1]!, `SELECT pg_terminate_backend(pid) FROM (${inCommit}) AS held`);
    assert.equal((await ended).code, null, (await ended).stderr);
    await execAt(target[1]!, 'DROP TRIGGER hold ON eventcore_subscription_versions');
    const counts = await Promise.all(
      target.map((address) => execAt(address, 'SELECT count(*)::int AS n FROM eventcore_events')),
    );
    assert.ok(Number(counts[0]![0]!.n) > 0 && counts[1]![0]!.n === 0, JSON.stringify(counts));

    const again = await runCommand(folder, restore);
    assert.equal(again.code, 9, again.stdout);
    assert.match(again.stderr, /--replace/);
    const replaced = await runCommand(folder, [...restore, '--replace']);
    assert.equal(replaced.code, 0, replaced.stderr);
    assert.deepEqual(await digestStore(open(target)), await digestStore(store));
    for (const address of target) {
      const rows = await execAt(
        address,
        'SELECT subscription_name AS name FROM eventcore_subscription_versions',
      );
      assert.deepEqual(rows, [{ name: 'reader' }]);
    }
  });
});
