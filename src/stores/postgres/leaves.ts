import type pg from 'pg';
import { BackupError } from '../../core/errors.ts';

/** A table that has rows of its own: of a partitioned one, a part at the lowest level. */
export interface Leaf {
  readonly oid: string;
  /** Quoted where needed, with its schema: parts may lie in others than their table. */
  readonly table: string;
}

export interface FoundLeaves {
  readonly leaves: readonly Leaf[];
  /** Each may be read by itself: the right to read a table does not reach to its parts. */
  readonly areReadable: boolean;
}

/**
 * All parts of a partitioned table that have rows, those of partitioned parts too, by their names. Throws `store_unsupported` where one lies on
 * another server.
 */
export async function findLeaves(client: pg.Client, oid: string): Promise<FoundLeaves> {
  const { rows } = await client.query<Leaf & { isForeign: boolean; isReadable: boolean }>(
    `SELECT c.oid::text, format('%I.%I', nspname, relname) AS table, relkind = 'f' AS "isForeign",
            has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS "isReadable"
       FROM pg_partition_tree($1::oid::regclass) t
       JOIN pg_class c ON c.oid = t.relid JOIN pg_namespace n ON n.oid = relnamespace
      WHERE relkind <> 'p' ORDER BY nspname COLLATE "C", relname COLLATE "C"`,
    [oid],
  );
  const elsewhere = rows.find(({ isForeign }) => isForeign);
  if (elsewhere !== undefined) throw onAnotherServer(elsewhere.table);
  return {
    leaves: rows.map(({ oid, table }) => ({ oid, table })),
    areReadable: rows.every(({ isReadable }) => isReadable),
  };
}

/** What a foreign table gives is no part of this server's view: it has no numbers of transactions, and may change while it is read. */
function onAnotherServer(table: string): BackupError {
  return new BackupError(
    'store_unsupported',
    `partition ${table} is a foreign table: its rows lie on another server, of which no view of this one is consistent`,
    { hint: 'back up each server by itself, as a shard (docs/partitions-and-shards.md)' },
  );
}
