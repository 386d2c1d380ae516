import { EventStore, EventType } from '@castore/core';
import { PostgresEventStorageAdapter } from '@castore/event-storage-adapter-postgres';

/** A store of Castore, made and written to by Castore. */

export function castoreOf(connectionString: string, tableName: string) {
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

export type CartStore = ReturnType<typeof cartStore>;

/** All aggregates of a store, as its library reads them. */
export async function readAll(store: CartStore): Promise<unknown[]> {
  const { aggregateIds } = await store.listAggregateIds();
  return Promise.all(aggregateIds.map(async ({ aggregateId }) => store.getAggregate(aggregateId)));
}
