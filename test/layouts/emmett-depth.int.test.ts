import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import type { IncrementalOutcome } from '../../src/backup/incremental.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { Vault } from '../../src/core/vault.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { openPostgresStore } from '../../src/stores/postgres/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { newestChain } from '../harness/chain-backup.ts';
import { backUp, verifyAll } from '../harness/memory-backup.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';
import { digestChain, takeIncremental } from '../harness/proof-run.ts';
import { appendRaw, openEmmett } from './emmett.ts';
import { restoreNewest } from './restore-newest.ts';

interface Shop {
  readonly address: string;
  readonly client: pg.Client;
  readonly store: EventStore;
  readonly vault: Vault;
}

describe('what Emmett has beside plain streams', { concurrency: 3 }, () => {
  let server: TestPostgres;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server?.stop());

  const inShop = async (work: (shop: Shop) => Promise<void>): Promise<void> => {
    const address = server.address(await server.createDatabase());
    await (await openEmmett(address)).close();
    const client = new pg.Client(address);
    await client.connect();
    const store = openPostgresStore(address);
    try {
      await work({ address, client, store, vault: memoryVault() });
    } finally {
      await store.close();
      await client.end();
    }
  };

  /** Into a store that Emmett has made and nobody used. */
  const restored = async (
    { vault }: Shop,
    look: (client: pg.Client) => Promise<void>,
    checkpoints: 'keep' | 'reset' = 'keep',
  ): Promise<void> => {
    await inShop(async ({ address, client }) => {
      await restoreNewest(vault, openPostgresStore(address), checkpoints);
      await look(client);
    });
  };

  it('gives back partitions, tenants, strange ids, doubled ids and absent positions row by row', async () => {
    await inShop(async (shop) => {
      const { client, store, vault } = shop;
      await append(client, 'cart-1', 3);
      await append(client, 'with/slash', 1);
      await backUp(store, vault);
      // Added between two backups.
      for (const partition of ['tenant-a', 'with', '50%/é', 'shop__acme'])
        await addPartition(client, partition);
      await append(client, 'cart-1', 2, 'tenant-a');
      await append(client, 'slash', 1, 'with');
      await append(client, 'cart-1', 2, '50%/é');
      await appendRaw(client, 'odd', ['no uuid', 'no uuid', randomUUID().toUpperCase()], {
        partition: 'shop__acme',
      });
      await client.query(
        `INSERT INTO emt_messages (stream_id, stream_position, partition, message_data, message_metadata, message_schema_version,
           message_id, message_type, transaction_id, global_position, message_kind)
         VALUES ('cart-9', 1, 'emt:default', 'null', '[1]', '7', 'x', 'T', pg_current_xact_id(), NULL, 'C')`,
      );
      // A partition with nothing but a processor in it.
      await addPartition(client, 'idle');
      await addProcessor(client, 'p', '0000000000000000003', 'idle');
      await taken(shop, /other parts/);
      await client.query('VACUUM FULL emt_messages');
      // A message may have any id, also that of another.
      const { rows } = await client.query('SELECT message_id FROM emt_messages LIMIT 1');
      await appendRaw(client, 'copied-1', [rows[0].message_id, rows[0].message_id]);
      await taken(shop, null);
      await restored(shop, async (there) => {
        assert.deepEqual(await messages(there), await messages(client));
        assert.deepEqual(await heads(there), [...(await heads(client)), 'cart-9 emt:default false 1'].sort());
      });
    });
  });

  it('takes a full backup where messages were archived since the last one, and keeps the archived and the new stream of one name apart', async () => {
    await inShop(async (shop) => {
      const { client, store, vault } = shop;
      await append(client, 'cart-1', 4);
      await append(client, 'cart-2', 2);
      await backUp(store, vault);
      await client.query(`UPDATE emt_messages SET is_archived = true WHERE stream_id = 'cart-1'`);
      await client.query(`UPDATE emt_streams SET is_archived = true WHERE stream_id = 'cart-1'`);
      await append(client, 'cart-1', 1);
      await fullNeeded(shop);
      await backUp(store, vault);
      // By the heads of streams too, and where the new stream has come as far as the old one was.
      await append(client, 'cart-1', 3);
      await taken(shop, null);
      await client.query(
        `UPDATE emt_messages SET is_archived = true WHERE stream_id = 'cart-2' AND stream_position = 1`,
      );
      await addPartition(client, 'makes-heads-be-compared');
      await fullNeeded(shop);
      await backUp(store, vault);
      await restored(shop, async (there) => {
        assert.deepEqual(await messages(there), await messages(client));
        assert.deepEqual(await heads(there), await heads(client));
      });
      await client.query(`DELETE FROM emt_messages WHERE stream_id = 'cart-2' AND stream_position = 2`);
      assert.equal((await takeIncremental(store, vault)).kind, 'differs', 'what is gone was not archived');
    });
  });

  it('records the gap that a moved head left as native, and a restore sets heads right that lie', async () => {
    await inShop(async (shop) => {
      const { client, store, vault } = shop;
      await append(client, 'cart-1', 2);
      await client.query('UPDATE emt_streams SET stream_position = 5');
      await append(client, 'cart-1', 1);
      await append(client, 'cart-2', 1);
      await client.query(`UPDATE emt_streams SET stream_position = 9 WHERE stream_id = 'cart-2'`);
      const { manifest } = await backUp(store, vault);
      assert.equal(manifest.oddities.missingVersions, 3);
      assert.ok((await verifyAll(vault)).every(({ overallValid }) => overallValid));
      await restored(shop, async (there) => {
        assert.deepEqual(await messages(there), await messages(client));
        assert.deepEqual(await heads(there), ['cart-1 emt:default false 6', 'cart-2 emt:default false 1']);
        assert.equal(String((await append(there, 'cart-2', 1)).next_stream_position), '2');
      });
    });
  });

  it('moves checkpoints of both forms to where they were in the order of delivery, and leaves them out when told so', async () => {
    await inShop(async (shop) => {
      const { client, store, vault } = shop;
      await append(client, 'a-1', 5);
      await append(client, 'b-1', 5);
      const { rows } = await client.query(
        'SELECT transaction_id::text AS txid FROM emt_messages WHERE global_position = 7',
      );
      await addProcessor(client, 'by-position', '7'.padStart(19, '0'));
      await addProcessor(client, 'by-both', `${rows[0].txid.padStart(20, '0')}:${'7'.padStart(19, '0')}`);
      await addProcessor(client, 'at-the-end', '10'.padStart(19, '0'));
      await addProcessor(
        client,
        'ahead',
        `${'9'.padEnd(10, '9').padStart(20, '0')}:${'99'.padStart(19, '0')}`,
      );
      // Before the store went on.
      await client.query('UPDATE emt_messages SET global_position = global_position + 1000');
      await client.query(
        `UPDATE emt_processors SET last_processed_checkpoint = CASE WHEN processor_id = 'ahead' THEN last_processed_checkpoint
           ELSE left(last_processed_checkpoint, -19) || lpad((right(last_processed_checkpoint, 19)::bigint + 1000)::text, 19, '0') END`,
      );
      await backUp(store, vault);
      await restored(shop, async (there) => {
        assert.deepEqual(await checkpoints(there), {
          'by-position': '0000000000000000007',
          'by-both': '00000000000000000003:0000000000000000007',
          'at-the-end': '0000000000000000010',
          ahead: '00000000000000000003:0000000000000000010',
        });
        const sequence = await there.query("SELECT nextval('emt_global_message_position')::text AS next");
        assert.equal(sequence.rows[0].next, '11');
      });
      await restored(
        shop,
        async (there) => {
          assert.deepEqual(await checkpoints(there), {});
          assert.deepEqual(await heads(there), ['a-1 emt:default false 5', 'b-1 emt:default false 5']);
        },
        'reset',
      );
    });
  });
});

async function taken({ store, vault }: Shop, headsReason: RegExp | null): Promise<void> {
  const outcome = await takeIncremental(store, vault);
  assert.equal(outcome.kind, 'taken', JSON.stringify(outcome));
  const { report } = outcome as Extract<IncrementalOutcome, { kind: 'taken' }>;
  if (headsReason === null) assert.equal(report.headsReason, null);
  else assert.match(report.headsReason ?? '', headsReason);
  assert.deepEqual(await digestChain(vault, await newestChain(vault)), await digestStore(store));
}

async function fullNeeded({ store, vault }: Shop): Promise<void> {
  const outcome = await takeIncremental(store, vault);
  assert.equal(outcome.kind, 'full-needed', JSON.stringify(outcome));
  assert.match(JSON.stringify(outcome), /archived events/);
}

function append(client: pg.Client, stream: string, events: number, partition?: string) {
  const ids = Array.from({ length: events }, () => randomUUID());
  return appendRaw(client, stream, ids, partition === undefined ? {} : { partition });
}

const addPartition = (client: pg.Client, name: string) =>
  client.query('SELECT emt_add_partition($1)', [name]);

const addProcessor = (client: pg.Client, id: string, checkpoint: string, partition = 'emt:default') =>
  client.query(
    `INSERT INTO emt_processors (processor_id, partition, last_processed_checkpoint, last_processed_transaction_id)
     VALUES ($1, $2, $3, pg_current_xact_id())`,
    [id, partition, checkpoint],
  );

/** All that a restore does not rewrite, in the order of delivery. */
async function messages(client: pg.Client): Promise<unknown[]> {
  const { rows } = await client.query(
    `SELECT (to_jsonb(m) - 'transaction_id' - 'global_position')::text AS row FROM emt_messages AS m
      ORDER BY transaction_id, global_position, partition, stream_position`,
  );
  return rows.map(({ row }) => row);
}

async function heads(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query(
    `SELECT concat_ws(' ', stream_id, partition, is_archived::text, stream_position) AS head FROM emt_streams`,
  );
  return rows.map(({ head }) => head).sort();
}

async function checkpoints(client: pg.Client): Promise<Record<string, string>> {
  const { rows } = await client.query(
    'SELECT processor_id, last_processed_checkpoint AS at FROM emt_processors',
  );
  return Object.fromEntries(rows.map(({ processor_id, at }) => [processor_id, at]));
}
