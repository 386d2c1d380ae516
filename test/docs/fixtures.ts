import { copyFileSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadGenerated } from '../../bench/dataset.ts';
import { freePort } from '../harness/free-port.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';
import { startS3Server } from '../harness/s3-server/server.ts';
import { DAEMON_ADDRESS, protectShop, serveShop, settleShop } from './protected-shop.ts';

/**
 * What a page may ask for, in a comment: `<!-- runs with: sqlite-shop, postgres, s3 -->`.
 *
 * sqlite-shop: `shop.db`, a store with 10,000 events, in the page's folder.
 * protected: a store with all that `protectShop` says: a configuration, backups, a change log, a replica.
 * daemon: that, with `eventcore serve` over it at 127.0.0.1:8321, whose first jobs have ended.
 * sources: `deploy` and `rescue`, as a checkout has them.
 * postgres: a server at `db.example.com`, who asks is let in: database `shop`, which belongs to the role `shop` and has EventCore's tables
 *   with the same 10,000 events, and `restored`, which is empty and belongs to the same role. Blocks of SQL are run in `shop`, as superuser.
 * s3: a server that the client of S3 finds instead of Amazon's, also as `https://s3.example.com`; each bucket that the page names is there.
 */
export const FIXTURES = ['sqlite-shop', 'protected', 'daemon', 'sources', 'postgres', 's3'] as const;
export type Fixture = (typeof FIXTURES)[number];

/** What is ready for one page. */
export interface Prepared {
  readonly env: Readonly<Record<string, string>>;
  /** What a page shows, and what stands in its place while it runs. */
  readonly places: readonly Place[];
  /** Runs SQL where the page means it; null when it has no server. */
  readonly runSql: ((sql: string) => Promise<void>) | null;
  readonly end: () => Promise<void>;
}

export interface Place {
  readonly shown: string;
  readonly real: string;
}

const EVENTS = 10_000;
const ROOT = join(import.meta.dirname, '../..');
const NOTHING: Prepared = { env: {}, places: [], runSql: null, end: async () => {} };

/** Servers and files that pages share. One page at a time has the PostgreSQL server. */
export interface FixtureRoom {
  prepare(fixtures: readonly Fixture[], folder: string, text: string): Promise<Prepared>;
  end(): Promise<void>;
}

export function openFixtures(): FixtureRoom {
  const shared = mkdtempSync(join(tmpdir(), 'eventcore-docs-fixtures-'));
  const shop = once(async () => {
    const path = join(shared, 'shop.db');
    await loadGenerated(`sqlite:${path}`, EVENTS);
    return path;
  });
  const guarded = once(async () => protectShop(join(shared, 'protected')));
  const server = once(() => startPostgres());
  let lastPage = Promise.resolve();

  async function prepareOne(fixture: Fixture, folder: string, text: string): Promise<Prepared> {
    if (fixture === 's3') return prepareS3(text);
    if (fixture === 'sqlite-shop') {
      copyFileSync(await shop.get(), join(folder, 'shop.db'));
      return NOTHING;
    }
    if (fixture === 'protected' || fixture === 'daemon') {
      const address = `127.0.0.1:${await freePort()}`;
      await settleShop(await guarded.get(), folder, address);
      const end = fixture === 'daemon' ? await serveShop(folder, address) : NOTHING.end;
      return { ...NOTHING, end, places: [{ shown: DAEMON_ADDRESS, real: address }] };
    }
    if (fixture === 'sources') {
      for (const name of ['deploy', 'rescue']) {
        cpSync(join(ROOT, name), join(folder, name), { recursive: true });
      }
      return NOTHING;
    }
    const before = lastPage;
    const { promise, resolve } = Promise.withResolvers<void>();
    lastPage = promise;
    await before;
    const prepared = await preparePostgres(await server.get());
    return { ...prepared, end: async () => resolve() };
  }

  return {
    prepare: async (fixtures, folder, text) => {
      let all = NOTHING;
      for (const fixture of fixtures) all = join2(all, await prepareOne(fixture, folder, text));
      return all;
    },
    end: async () => {
      if (server.isBegun()) await (await server.get()).stop();
      rmSync(shared, { recursive: true, force: true });
    },
  };
}

function join2(one: Prepared, other: Prepared): Prepared {
  return {
    env: { ...one.env, ...other.env },
    places: [...one.places, ...other.places],
    runSql: other.runSql ?? one.runSql,
    end: async () => {
      await other.end();
      await one.end();
    },
  };
}

/** As if nobody had been there before. */
async function preparePostgres(server: TestPostgres): Promise<Prepared> {
  await server.exec('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active');
  for (const name of ['shop', 'restored', 'jobs']) {
    await server.exec(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  }
  const others = "SELECT rolname FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%' AND rolname <> 'postgres'";
  for (const { rolname } of await server.exec(others)) await server.exec(`DROP ROLE "${rolname}"`);
  await server.exec('CREATE ROLE shop LOGIN REPLICATION');
  for (const name of ['shop', 'restored']) {
    await server.createDatabase(name);
    await server.exec(`ALTER DATABASE ${name} OWNER TO shop`);
  }
  await loadGenerated(server.address('shop', 'shop'), EVENTS);
  return {
    ...NOTHING,
    places: [
      { shown: '@db.example.com', real: `@${server.host}:${server.port}` },
      { shown: 'db.example.com:5432', real: `${server.host}:${server.port}` },
    ],
    runSql: async (sql) => {
      await server.exec(sql, 'shop');
    },
  };
}

async function prepareS3(text: string): Promise<Prepared> {
  const server = await startS3Server();
  const buckets = new Set([...text.matchAll(/s3:\/\/([a-z0-9.-]+)/g)].map(([, bucket]) => bucket!));
  const versioning = text.includes('versions=first');
  for (const bucket of buckets) server.createBucket(bucket, { versioning });
  return {
    ...NOTHING,
    env: {
      ...{ AWS_ACCESS_KEY_ID: server.accessKeyId, AWS_SECRET_ACCESS_KEY: server.secretAccessKey },
      AWS_ENDPOINT_URL_S3: server.endpoint,
    },
    places: [{ shown: 'https://s3.example.com', real: server.endpoint }],
    end: () => server.stop(),
  };
}

function once<Made>(make: () => Promise<Made>): { get: () => Promise<Made>; isBegun: () => boolean } {
  let made: Promise<Made> | null = null;
  return {
    get: () => {
      made ??= make();
      return made;
    },
    isBegun: () => made !== null,
  };
}
