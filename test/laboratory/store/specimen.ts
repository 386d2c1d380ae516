import { copyFile, cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openStore } from '../../../src/cli/wire.ts';
import type { NewEvent } from '../../../src/core/event.ts';
import type { EventStore } from '../../../src/core/event-store.ts';
import { generateBatches } from '../../../src/testing/event-generator.ts';
import { openDirectoryVault } from '../../../src/vaults/fs/vault.ts';
import { addIncremental } from '../../harness/chain.ts';
import { backUp } from '../../harness/memory-backup.ts';
import type { TestPostgres } from '../../harness/postgres.ts';

/** A store that is well, and a vault with a chain of two backups of what it had some events ago. */
export interface StoreSpecimen {
  readonly kind: 'postgres' | 'sqlite';
  readonly address: string;
  /** Of the command: names store and vault. */
  readonly config: string;
  /** Runs statements behind everybody's back, the guards of the layout off; rows of the last one. */
  readonly sql: (...statements: readonly string[]) => Promise<readonly Row[]>;
  /** The file of the store in SQLite. */
  readonly file: string | null;
  /** The server that a store of PostgreSQL is on. */
  readonly server: TestPostgres | null;
}

export type Row = Readonly<Record<string, unknown>>;

export interface OriginalOptions {
  readonly folder: string;
  /** Events beside those that damage is done to: some twenty in a block of the server. */
  readonly bulkEvents?: number;
}

const BULK_EVENTS = 1200;

/** A vault, and a store that specimens are copies of. */
export interface StoreOriginal {
  readonly folder: string;
  readonly kind: StoreSpecimen['kind'];
  copy(): Promise<StoreSpecimen>;
}

/**
 * What damage is done to, beside a bulk of generated events: `parcel-1` to `parcel-6` with versions 1 to 9, of which the full
 * backup has 6, the incremental one 8, and nothing the last; `gap-1`, that lacked versions 3 and 4 when it was backed up; `big-1`, whose
 * payloads a server keeps elsewhere; `late-1`, which no backup has.
 */
const ORDERS = 6;
const BIG_CHARS = 30_000;

function orderEvent(version: number, order: number): NewEvent {
  const data = `{"order": ${order}, "line": ${version}, "mark": "mark-${order}-${version}", "text": "${'x'.repeat(60)}"}`;
  return {
    type: 'LineAdded',
    data,
    metadata: `{"correlationId": "c-${version}", "actor": "clerk-${order}"}`,
  };
}

/** JSON that does not compress. */
function bigEvent(seed: number): NewEvent {
  let state = seed;
  const digits = Array.from({ length: BIG_CHARS }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return ((state >> 16) & 15).toString(16);
  });
  return {
    type: 'Scanned',
    data: `{"image": "${digits.join('')}"}`,
    metadata: `{"correlationId": "s-${seed}"}`,
  };
}

async function growOrders(store: EventStore, from: number, to: number): Promise<void> {
  for (let version = from; version <= to; version += 1) {
    const appends = Array.from({ length: ORDERS }, (_, i) => ({
      streamId: `parcel-${i + 1}`,
      events: [orderEvent(version, i + 1)],
    }));
    await store.append(appends);
  }
}

type RunSql = StoreSpecimen['sql'];

async function fillStore(
  store: EventStore,
  sql: RunSql,
  { folder, bulkEvents = BULK_EVENTS }: OriginalOptions,
): Promise<void> {
  const vault = openDirectoryVault(join(folder, HEALTHY_VAULT));
  await vault.open({ create: true });
  await loadBulk(store, bulkEvents);
  await growOrders(store, 1, 6);
  const eight = Array.from({ length: 8 }, (_, i) => orderEvent(i + 1, 0));
  await store.append([{ streamId: 'gap-1', events: eight }]);
  await store.append([{ streamId: 'big-1', events: [bigEvent(1), bigEvent(2), bigEvent(3)] }]);
  // Versions and whole streams that were taken away before anything was backed up are the store's own way.
  await sql("DELETE FROM eventcore_events WHERE stream_id = 'gap-1' AND stream_version IN (3, 4)");
  await addCompanions(sql);
  await backUp(store, vault, { parallel: 2, chunkBytes: 64 << 10 });
  await growOrders(store, 7, 8);
  await addIncremental(store, vault);
  await growOrders(store, 9, 9);
  await store.append([{ streamId: 'late-1', events: [orderEvent(1, 7), orderEvent(2, 7)] }]);
}

async function loadBulk(store: EventStore, events: number): Promise<void> {
  const session = await store.openRestore({ attemptId: crypto.randomUUID(), replace: false });
  const writer = await session.openWriter();
  for (const batch of generateBatches({ seed: 8, events, batchBytes: 1 << 20 })) await writer.write(batch);
  await writer.end();
  await session.finishLoad();
  await session.publish();
}

async function addCompanions(sql: RunSql): Promise<void> {
  const [last] = await sql(
    "SELECT event_id FROM eventcore_events WHERE stream_id = 'parcel-2' AND stream_version = 6",
  );
  await sql(
    `INSERT INTO eventcore_subscription_versions (subscription_name, last_position) VALUES ('invoices', '${last!.event_id}')`,
  );
}

async function writeConfig(folder: string, address: string): Promise<string> {
  const config = join(folder, 'eventcore.config.yaml');
  const lines = [
    `store: '${address}'`,
    'vault: ./vault',
    'backup: { parallel: 1 }',
    'monitor: { required_metadata: [correlationId] }',
  ];
  await writeFile(config, `${lines.join('\n')}\n`);
  return config;
}

const DATABASE = 'shop';

/** Copies are databases of one server, one after the other under the same name: made of a template, in a fraction of a second. */
export async function makePostgresOriginal(
  server: TestPostgres,
  options: OriginalOptions,
): Promise<StoreOriginal> {
  const { folder } = options;
  await mkdir(folder, { recursive: true });
  const sql = postgresSql(server, DATABASE);
  await server.createDatabase(DATABASE);
  const address = server.address(DATABASE);
  const store = await openStore(address);
  await store.initialise();
  await fillStore(store, sql, options);
  await store.close();
  // As autovacuum leaves it: what is old is known to be visible to all.
  await server.exec('VACUUM ANALYZE eventcore_events', DATABASE);
  await server.exec(`ALTER DATABASE ${DATABASE} RENAME TO healthy`);
  const config = await writeConfig(folder, address);
  return {
    ...{ folder, kind: 'postgres' },
    copy: async () => {
      await renewVault(folder);
      await server.exec(`DROP DATABASE IF EXISTS ${DATABASE} (FORCE)`);
      await server.exec(`CREATE DATABASE ${DATABASE} TEMPLATE healthy`);
      return { kind: 'postgres', address, config, sql, file: null, server };
    },
  };
}

function postgresSql(server: TestPostgres, database: string): RunSql {
  return async (...statements) => {
    const all = ['SET session_replication_role = replica', 'SET allow_system_table_mods = on', ...statements];
    return server.exec(all.join(';\n'), database);
  };
}

/** Copies are files. */
export async function makeSqliteOriginal(options: OriginalOptions): Promise<StoreOriginal> {
  const { folder } = options;
  await mkdir(folder, { recursive: true });
  const [file, healthy] = [join(folder, 'events.db'), join(folder, 'healthy.db')];
  const sql = sqliteSql(file);
  const address = `sqlite:${file}`;
  const store = await openStore(address);
  await store.initialise();
  await fillStore(store, sql, options);
  await store.close();
  await sql('PRAGMA wal_checkpoint(TRUNCATE)');
  await copyFile(file, healthy);
  const config = await writeConfig(folder, address);
  return {
    ...{ folder, kind: 'sqlite' },
    copy: async () => {
      await renewVault(folder);
      for (const end of ['-wal', '-shm']) await rm(file + end, { force: true });
      await copyFile(healthy, file);
      return {
        kind: 'sqlite',
        address,
        config,

        sql,
        file,
        server: null,
      };
    },
  };
}

/** A monitor keeps its reports there. */
async function renewVault(folder: string): Promise<void> {
  await rm(join(folder, 'vault'), { recursive: true, force: true });
  await cp(join(folder, HEALTHY_VAULT), join(folder, 'vault'), { recursive: true });
}

const HEALTHY_VAULT = 'healthy-vault';

function sqliteSql(file: string): RunSql {
  return async (...statements) => {
    const db = new DatabaseSync(file, { defensive: false });
    try {
      let rows: readonly Row[] = [];
      for (const statement of statements) rows = db.prepare(statement).all() as Row[];
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
      return rows;
    } finally {
      db.close();
    }
  };
}
