import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { openPostgresStore } from '../../src/stores/postgres/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { addIncremental } from '../harness/chain.ts';
import { backUp, verifyAll } from '../harness/memory-backup.ts';
import type { TestPostgres } from '../harness/postgres.ts';
import { assertBecomesOwn } from './as-own.ts';
import { restoreNewest } from './restore-newest.ts';

/** Shared by the tests of a file. */
export interface Servers {
  readonly from: TestPostgres;
  /** A new cluster: its transactions have lower numbers. */
  readonly to: TestPostgres;
}

/** A store of others that is backed up on one server and restored on another, whose transactions have lower numbers. */
export interface RoundTrip extends Servers {
  /** Makes the store's empty tables, as its own tools do. */
  readonly install: (server: TestPostgres, database: string) => Promise<void>;
  /** Before the full backup, and between it and the incremental one. */
  readonly writes: readonly [
    first: (database: string) => Promise<void>,
    second: (database: string) => Promise<void>,
  ];
  /** Behind the address of either database; found by looking where there is none. */
  readonly query?: string;
}

/** Gives the names of both databases. */
export async function goRound({
  from,
  to,
  install,
  writes,
  query = '',
}: RoundTrip): Promise<[string, string]> {
  const source = await from.createDatabase();
  await install(from, source);
  await writes[0](source);
  const store = openPostgresStore(from.address(source) + query);
  const vault = memoryVault();
  await backUp(store, vault);
  await writes[1](source);
  await addIncremental(store, vault);
  await assertBecomesOwn(store, vault);
  await store.close();
  assert.ok((await verifyAll(vault)).every(({ overallValid }) => overallValid));
  const target = await to.createDatabase();
  await install(to, target);
  await restoreNewest(vault, openPostgresStore(to.address(target) + query));
  return [source, target];
}

/** All rows of tables with all their columns, as text. */
export async function allRows(
  server: TestPostgres,
  database: string,
  tables: readonly string[],
): Promise<Record<string, unknown[]>> {
  const found: Record<string, unknown[]> = {};
  for (const table of tables) {
    const rows = await server.exec(`SELECT r::text AS row FROM ${table} AS r ORDER BY 1`, database);
    found[table] = rows.map(({ row }) => row);
  }
  return found;
}

/** Where pg_dump and pg_restore are; null where there are none. */
export function findDumper(server: TestPostgres): string | null {
  const base = '/usr/lib/postgresql';
  const installed = existsSync(base)
    ? readdirSync(base).map((version) => path.join(base, version, 'bin'))
    : [];
  return [server.binDir, ...installed].find((folder) => existsSync(path.join(folder, 'pg_restore'))) ?? null;
}

/** `pg_dump | pg_restore` into a new database. */
export async function dumpAndRestore(
  dumper: string,
  { from, to, source, options = [] }: Servers & { source: string; options?: readonly string[] },
): Promise<string> {
  const target = await to.createDatabase();
  const dump = spawnSync(path.join(dumper, 'pg_dump'), ['-Fc', ...options, from.address(source)], {
    maxBuffer: 1 << 26,
  });
  assert.equal(dump.status, 0, String(dump.stderr));
  const restore = spawnSync(path.join(dumper, 'pg_restore'), ['-d', to.address(target)], {
    input: dump.stdout,
  });
  assert.equal(restore.status, 0, String(restore.stderr));
  return target;
}
