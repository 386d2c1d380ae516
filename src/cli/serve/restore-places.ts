import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import type { RestoreTarget } from '../../console/ports.ts';
import { withDatabase } from '../../core/postgres-address.ts';
import { redactAddress } from '../address.ts';
import type { Settings } from '../config/config.ts';

/** Where the console may restore to: `serve.restore_to` of a configuration. */

const name = z.string().regex(/^[\w .-]{1,60}$/, { error: 'expected a short name' });

/** Commands show their words to all of a host: a password has no place in them. */
const server = z
  .url({
    protocol: /^postgres(ql)?$/,
    error: 'expected an address, as postgres://restore_login@db.example/postgres',
  })
  .refine((address) => redactAddress(address) === address, {
    error: 'expected an address without a password: it belongs into PGPASSWORD or ~/.pgpass',
  });

const placeShape = {
  name: name.describe('what the console calls it'),
  sqlite: z.string().min(1).optional().describe('a folder, in which files of SQLite are made'),
  postgres: server.optional().describe('instead: an address of a server, on which databases are made'),
};

export const restoreToSchema = z
  .array(
    z
      .strictObject(placeShape)
      .refine(({ sqlite, postgres }) => (sqlite === undefined) !== (postgres === undefined), {
        error: 'expected either `sqlite`, a folder, or `postgres`, an address',
      }),
  )
  .max(20)
  .refine((places) => new Set(places.map((place) => place.name)).size === places.length, {
    error: 'expected a name of its own for each place',
  });

export const RESTORE_PLACE_KEYS: readonly string[] = Object.keys(placeShape);

export interface RestorePlace extends RestoreTarget {
  /** A folder, or the address of a database on the server on which others may be made. */
  readonly place: string;
}

export function restorePlaces({ serve, file }: Pick<Settings, 'serve' | 'file'>): RestorePlace[] {
  const folder = dirname(file ?? '.');
  return (serve.restore_to ?? []).map(({ name: called, sqlite, postgres }) =>
    sqlite === undefined
      ? { name: called, kind: 'postgres', place: postgres! }
      : { name: called, kind: 'sqlite', place: resolve(folder, sqlite) },
  );
}

/** How a new store is called, and its address: `shop-20261129T101500Z-1a2b`. */
export function newStoreName(
  { kind, place }: RestorePlace,
  store: string,
  { now, random }: { readonly now: number; readonly random: string },
): { readonly name: string; readonly address: string } {
  const time = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '');
  const called = store.replace(/[^\w-]/g, '_').slice(0, 30);
  if (kind === 'sqlite') {
    const file = `${called}-${time}-${random}.db`;
    return { name: file, address: `sqlite:${join(place, file)}` };
  }
  const database = `${called}_${time}_${random}`.toLowerCase().replace(/-/g, '_');
  return { name: database, address: withDatabase(place, database) };
}
