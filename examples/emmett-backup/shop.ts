import type { Event } from '@event-driven-io/emmett';
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql';
import type pg from 'pg';

/** A shop as Emmett's users write it: it knows nothing of backups. */

type CartEvent =
  | Event<'ProductAdded', { product: string; pieces: number }>
  | Event<'CartConfirmed', { by: string }>;

interface Cart {
  readonly pieces: number;
  readonly isConfirmed: boolean;
}

const EMPTY: Cart = { pieces: 0, isConfirmed: false };

function evolve(cart: Cart, { type, data }: CartEvent): Cart {
  return type === 'ProductAdded'
    ? { ...cart, pieces: cart.pieces + data.pieces }
    : { ...cart, isConfirmed: true };
}

export interface Shop {
  add(cart: string, product: string, pieces: number): Promise<void>;
  confirm(cart: string, by: string): Promise<void>;
  look(cart: string): Promise<Cart>;
  close(): Promise<void>;
}

/** Over a pool that the application has anyway. Makes Emmett's tables where they are missing. */
export async function openShop(address: string, pool: pg.Pool): Promise<Shop> {
  const store = getPostgreSQLEventStore(address, { connectionOptions: { pool } });
  await store.schema.migrate();
  const read = (cart: string) =>
    store.aggregateStream<Cart, CartEvent>(cart, { evolve, initialState: () => EMPTY });
  const append = async (cart: string, event: CartEvent): Promise<void> => {
    const { state, currentStreamVersion } = await read(cart);
    if (state.isConfirmed) throw new Error(`${cart} is confirmed`);
    await store.appendToStream<CartEvent>(cart, [event], { expectedStreamVersion: currentStreamVersion });
  };
  return {
    add: (cart, product, pieces) => append(cart, { type: 'ProductAdded', data: { product, pieces } }),
    confirm: (cart, by) => append(cart, { type: 'CartConfirmed', data: { by } }),
    look: async (cart) => (await read(cart)).state,
    close: () => store.close(),
  };
}
