import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Vault } from '../../src/core/vault.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { openPostgresStore } from '../../src/stores/postgres/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { newestChain } from '../harness/chain-backup.ts';
import { backUp } from '../harness/memory-backup.ts';
import { startPostgres, startStandby, type TestPostgres } from '../harness/postgres.ts';
import { digestChain, takeIncremental } from '../harness/proof-run.ts';
import type { AppendSome } from '../harness/slow-writers.ts';
import { PROVEN_EMMETT, PROVEN_MESSAGE_DB } from './proven.ts';

/** A store on two servers, and the chain of its backups. */
interface Replicated {
  readonly name: string;
  readonly database: string;
  readonly vault: Vault;
  readonly append: AppendSome;
}

describe('a store of others that goes from server to server', () => {
  let primary: TestPostgres;
  let standby: TestPostgres;
  const stores: Replicated[] = [];
  before(async () => {
    primary = await startPostgres();
    for (const [name, { make, append }] of Object.entries({
      emmett: PROVEN_EMMETT,
      messages: PROVEN_MESSAGE_DB,
    })) {
      const database = new URL(await make(primary)).pathname.slice(1);
      stores.push({ name, database, vault: memoryVault(), append: append! });
    }
    standby = await startStandby(primary);
  });
  after(async () => {
    await standby?.stop();
    await primary?.stop();
  });

  const add = async (on: TestPostgres, { database, append }: Replicated, stream: string, from: number) => {
    const client = new pg.Client(on.address(database));
    await client.connect();
    await append(client, { stream, from, ids: [randomUUID(), randomUUID()] });
    await client.end();
  };

  /** Adds what is new to the chain, which then is the store. Gives why streams were compared. */
  const backUpFrom = async (on: TestPostgres, { database, vault }: Replicated): Promise<string | null> => {
    const store = openPostgresStore(on.address(database));
    try {
      const outcome = await takeIncremental(store, vault);
      if (outcome.kind !== 'taken') throw new Error(JSON.stringify(outcome));
      assert.deepEqual(await digestChain(vault, await newestChain(vault)), await digestStore(store));
      return outcome.report.headsReason;
    } finally {
      await store.close();
    }
  };

  const caughtUp = async (): Promise<void> => {
    const [{ lsn } = {}] = await primary.exec('SELECT pg_current_wal_lsn()::text AS lsn');
    const sql = `SELECT pg_last_wal_replay_lsn() >= '${lsn}' AS here`;
    while ((await standby.exec(sql))[0]!.here !== true) await sleep(20);
  };

  it('is backed up on a standby and after a failover, each time exactly', async () => {
    for (const store of stores) {
      await add(primary, store, 'a-1', 1);
      const live = openPostgresStore(primary.address(store.database));
      await backUp(live, store.vault);
      await live.close();
      await add(primary, store, 'a-1', 3);
      await add(primary, store, 'b-1', 1);
    }
    await caughtUp();
    for (const store of stores)
      assert.match((await backUpFrom(standby, store))!, /another server/, store.name);
    for (const store of stores) await add(primary, store, 'b-1', 3);
    await caughtUp();
    for (const store of stores) assert.equal(await backUpFrom(standby, store), null, store.name);
    await standby.exec('SELECT pg_promote()');
    for (const store of stores) {
      await add(standby, store, 'a-1', 5);
      assert.match((await backUpFrom(standby, store))!, /another timeline/, store.name);
      await add(standby, store, 'c-1', 1);
      assert.equal(await backUpFrom(standby, store), null, store.name);
    }
    // The old primary went on by itself: what it has is not what the chain has.
    for (const store of stores) {
      await add(primary, store, 'a-1', 5);
      await assert.rejects(backUpFrom(primary, store), /"differs"/, store.name);
    }
  });
});
