import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import { EventStore, EventType } from '@castore/core';
import { PostgresEventStorageAdapter } from '@castore/event-storage-adapter-postgres';
import { takeIncrementalBackup } from '../../src/backup/incremental.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { requireChain } from '../../src/format/chain.ts';
import { openChain } from '../../src/format/open-bundle.ts';
import { openPostgresStore } from '../../src/stores/postgres/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { backUp, backupDefaults, testClock } from '../harness/memory-backup.ts';
import { allRows, dumpAndRestore, findDumper, goRound, type Servers } from './round-trip.ts';

/** A store of Castore, made and written to by Castore. */

function castoreOf(connectionString: string, tableName: string) {
  const storage = new PostgresEventStorageAdapter({ connectionString, tableName });
  const carts = cartStore(storage, 'carts');
  const orders = cartStore(storage, 'orders/old%');
  // It never ends its connections by itself.
  const { _sql: pool } = storage as unknown as { _sql: { end(): Promise<void> } };
  return { carts, orders, storage, close: () => pool.end() };
}

interface Cart {
  readonly aggregateId: string;
  readonly version: number;
  readonly lines: readonly unknown[];
}

function cartStore(eventStorageAdapter: PostgresEventStorageAdapter, eventStoreId: string) {
  return new EventStore({
    eventStoreId,
    eventTypes: [new EventType({ type: 'LINE_ADDED' })],
    reducer: (cart: Cart, { aggregateId, version, ...line }): Cart => ({
      aggregateId,
      version,
      lines: [...(cart?.lines ?? []), line],
    }),
    eventStorageAdapter,
  });
}

type CartStore = ReturnType<typeof cartStore>;

/** All aggregates of a store, as its library reads them. */
async function readAll(store: CartStore): Promise<unknown[]> {
  const { aggregateIds } = await store.listAggregateIds();
  return Promise.all(aggregateIds.map(async ({ aggregateId }) => store.getAggregate(aggregateId)));
}

export function castoreTests(servers: () => Servers): void {
  describe('a store of Castore', () => {
    const ids = [randomUUID(), randomUUID(), randomUUID()];
    const makers: Record<
      string,
      { tableName: string; aggregateId: { type: 'UUID' } | { type: 'VARCHAR'; length: number } }
    > = {
      'with its own name for the table': { tableName: 'event', aggregateId: { type: 'UUID' } },
      'with a name that its users gave, and ids of text': {
        tableName: 'shop_log',
        aggregateId: { type: 'VARCHAR', length: 60 },
      },
    };
    for (const [title, { tableName, aggregateId }] of Object.entries(makers)) {
      it(`${title} goes on in another cluster`, async () => {
        const { from, to } = servers();
        const idOf = (i: number): string => (aggregateId.type === 'UUID' ? ids[i % 3]! : `cart/${i % 3} %`);
        const write = async (database: string, numbers: readonly number[]): Promise<void> => {
          const store = castoreOf(from.address(database), tableName);
          for (const i of numbers) {
            const event = { aggregateId: idOf(i), version: 1 + Math.floor(i / 3), type: 'LINE_ADDED' };
            const payload = i % 4 === 0 ? {} : { payload: { i, text: 'Grüße 🙂', none: null } };
            const metadata = i % 2 === 0 ? {} : { metadata: { by: i } };
            await store.carts.pushEvent({ ...event, ...payload, ...metadata });
            await store.orders.pushEvent({ ...event, timestamp: `2026-01-02T03:04:05.${100 + i}Z` });
          }
          await store.close();
        };
        const [source, target] = await goRound({
          ...{ from, to },
          install: async (server, database) => {
            await PostgresEventStorageAdapter.createEventTable({
              ...{ connectionString: server.address(database), tableName, aggregateId },
            });
            await server.exec(`ALTER TABLE ${tableName} ADD COLUMN note text DEFAULT 'ours'`, database);
          },
          writes: [
            async (database) => {
              await write(database, [0, 1, 2, 3, 4, 5, 6]);
              // A number that was taken and never used.
              await from.exec(`SELECT nextval(pg_get_serial_sequence('${tableName}', 'id'))`, database);
            },
            (database) => write(database, [7, 8]),
          ],
        });
        const rows = await allRows(from, source, [tableName]);
        assert.equal(rows[tableName]!.length, 18);
        assert.deepEqual(await allRows(to, target, [tableName]), rows);

        const live = castoreOf(from.address(source), tableName);
        const restored = castoreOf(to.address(target), tableName);
        assert.deepEqual(await readAll(restored.carts), await readAll(live.carts));
        assert.deepEqual(await readAll(restored.orders), await readAll(live.orders));
        const next = { aggregateId: idOf(0), type: 'LINE_ADDED', payload: { more: true } };
        await restored.carts.pushEvent({ ...next, version: 4 });
        const { aggregate } = await restored.carts.getAggregate(idOf(0));
        assert.equal(aggregate?.version, 4);
        await assert.rejects(restored.carts.pushEvent({ ...next, version: 4 }), {
          code: 'EventAlreadyExistsError',
        });
        await Promise.all([live.close(), restored.close()]);
      });
    }

    it('tells of an event that was overwritten since it was backed up', async () => {
      const { from } = servers();
      const database = await from.createDatabase();
      const address = from.address(database);
      await PostgresEventStorageAdapter.createEventTable({ connectionString: address });
      const { carts, close } = castoreOf(address, 'event');
      const event = { aggregateId: ids[0]!, version: 1, type: 'LINE_ADDED', payload: { n: 1 } };
      await carts.pushEvent(event);
      const store = openPostgresStore(address);
      const vault = memoryVault();
      await backUp(store, vault);
      await carts.pushEvent({ ...event, payload: { n: 2 } }, { force: true });
      const catalog = await readCatalog(vault);
      const chain = await openChain(vault, requireChain(catalog, catalog.backups[0]!), null, 'heads');
      const outcome = await takeIncrementalBackup({ store, vault, clock: testClock }, chain, backupDefaults);
      assert.equal(outcome.kind, 'differs');
      await Promise.all([store.close(), close()]);
    });

    it('is as whole after pg_dump and pg_restore', async (t) => {
      const { from, to } = servers();
      const dumper = findDumper(from);
      if (dumper === null) return t.skip('no pg_dump on this machine');
      const source = await from.createDatabase();
      await PostgresEventStorageAdapter.createEventTable({ connectionString: from.address(source) });
      const { carts, close } = castoreOf(from.address(source), 'event');
      await carts.pushEvent({ aggregateId: ids[0]!, version: 1, type: 'LINE_ADDED', payload: { n: 1 } });
      await close();
      const target = await dumpAndRestore(dumper, { from, to, source });
      assert.deepEqual(await allRows(to, target, ['event']), await allRows(from, source, ['event']));
    });
  });
}
