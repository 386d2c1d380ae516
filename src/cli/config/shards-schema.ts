import { z } from 'zod';
import { storeScheme } from '../address.ts';

/** What may stand in the section `shards` of a configuration file: stores that are made of several, by names of their own. */

function isPostgres(address: string): boolean {
  try {
    return storeScheme(address) === 'postgres';
  } catch {
    return false;
  }
}

const address = z.string().refine(isPostgres, {
  error: 'expected the address of a PostgreSQL store, as postgres://user@host:5432/database',
});

const MOST_SHARDS = 256;

const shardsOfStore = z.strictObject({
  stores: z
    .array(address)
    .min(2, { error: 'expected two addresses or more' })
    .max(MOST_SHARDS)
    .refine((all) => new Set(all).size === all.length, { error: 'one shard cannot be there twice' })
    .describe('where the shards are, without passwords, in an order that stays: a new one comes last'),
  placement: z
    .enum(['hash'])
    .optional()
    .describe(
      'how its writers find the shard of a stream, of which a restore into it must know: `hash` is (hashtextextended(stream_id, 0) & 2147483647) % number of shards; left out: it is only read',
    ),
});

export const shardsSchema = z.record(
  z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, { error: 'expected a name of small letters, digits, - and _' }),
  shardsOfStore,
);

/** Stores of several shards, by the names that `shards:NAME` gives them. */
export type ShardsSection = z.infer<typeof shardsSchema>;

/** The keys that are allowed at a path of this section; null elsewhere. */
export function allowedInShards(path: readonly PropertyKey[]): string[] | null {
  return path[0] === 'shards' && path.length > 1 ? Object.keys(shardsOfStore.shape) : null;
}
