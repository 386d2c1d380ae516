import { appendFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { openStore } from '../../src/cli/wire.ts';
import { waitForStandbys } from '../harness/clusters.ts';
import { startPostgres, startStandby, type TestPostgres } from '../harness/postgres.ts';
import { APPLICATION, DATABASE, REGIONS, type RegionName } from './config.ts';
import type { Host, Network } from './network.ts';
import type { Address } from './relay.ts';
import { WATCH_SQL } from './watcher.ts';

/** A server of PostgreSQL on a host of its own. */
export interface LabServer {
  readonly host: Host;
  readonly process: TestPostgres;
  /** What others know it by. */
  readonly address: Address;
  /** Its socket in the file system: no partition cuts that. */
  readonly inside: Address;
}

export interface RegionServersOptions {
  /** Commits wait for any one standby. */
  readonly isSynchronous: boolean;
  readonly port: number;
  /** Told of each at once, so that it can be stopped should another one not start. */
  readonly started: (server: LabServer) => void;
}

const SETTINGS = {
  wal_log_hints: 'on',
  wal_keep_size: '512MB',
  max_wal_senders: '10',
  max_connections: '100',
  wal_receiver_status_interval: '1s',
  wal_sender_timeout: '10s',
  wal_receiver_timeout: '10s',
};

/** A primary in the first region and a standby in each other one, all streaming, with a store of events that applications may use. */
export async function startRegionServers(
  network: Network,
  { isSynchronous, port, started }: RegionServersOptions,
): Promise<Record<RegionName, LabServer>> {
  const anyOfThem = `ANY 1 (${REGIONS.join(', ')})`;
  const settings = { ...SETTINGS, ...(isSynchronous ? { synchronous_standby_names: anyOfThem } : {}) };
  const start = async (region: RegionName, primary: LabServer | null): Promise<LabServer> => {
    const host = network.addHost(region);
    const at = await host.listen(port);
    const from = primary === null ? '' : conninfo(primary.address, region);
    const options = {
      ...{ ...at, prefix: host.prefix, isConfiguredByFile: true },
      settings: { ...settings, ...(primary === null ? {} : { primary_conninfo: from }) },
    };
    const process = await (primary === null
      ? startPostgres(options)
      : startStandby(primary.process, options));
    const server = describe(host, process, port);
    started(server);
    if (primary === null) await letIn(server);
    return server;
  };
  const east = await start('east', null);
  const west = await start('west', east);
  const south = await start('south', east);
  await waitForStandbys(east.process, 2);
  await makeStore(east);
  return { east, west, south };
}

function conninfo({ host, port }: Address, region: string): string {
  return `host=${host} port=${port} user=postgres application_name=${region}`;
}

/** An empty server that a restore may go to. Whoever applications log in as may use what will be there. */
export async function startSpareServer(
  network: Network,
  name: string,
  { port, started }: Omit<RegionServersOptions, 'isSynchronous'>,
): Promise<LabServer> {
  const host = network.addHost(name);
  const process = await startPostgres({
    ...{ ...(await host.listen(port)), prefix: host.prefix, isConfiguredByFile: true, settings: SETTINGS },
  });
  const spare = describe(host, process, port);
  started(spare);
  await letIn(spare);
  await prepare(spare);
  return spare;
}

/** Whoever comes from a host of the laboratory. Standbys have the rules of the server that they are copies of. */
async function letIn(server: LabServer): Promise<void> {
  const rules = 'host all all samenet trust\nhost replication all samenet trust\n';
  appendFileSync(path.join(server.process.dataDir, 'pg_hba.conf'), rules);
  await sqlInside(server, 'SELECT pg_reload_conf()', 'postgres');
}

function describe(host: Host, process: TestPostgres, port: number): LabServer {
  return {
    ...{ host, process, address: { host: host.address, port } },
    inside: { host: path.dirname(process.dataDir), port: process.port },
  };
}

/** Runs SQL as the superuser by the way that is never cut. */
export async function sqlInside(
  { inside }: Pick<LabServer, 'inside'>,
  sql: string,
  database = DATABASE,
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ ...inside, user: 'postgres', database, connectionTimeoutMillis: 5000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const result: pg.QueryResult | pg.QueryResult[] = await client.query(sql);
    return (Array.isArray(result) ? result.at(-1)! : result).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function makeStore(server: LabServer): Promise<void> {
  await prepare(server);
  const store = await openStore(server.process.address(DATABASE));
  try {
    await store.initialise();
  } finally {
    await store.close();
  }
  await sqlInside(server, `GRANT ALL ON ALL TABLES IN SCHEMA public TO ${APPLICATION}`);
}

async function prepare(server: LabServer): Promise<void> {
  await sqlInside(server, `CREATE DATABASE ${DATABASE}`, 'postgres');
  await sqlInside(
    server,
    `CREATE ROLE ${APPLICATION} LOGIN; ${WATCH_SQL};
     GRANT ALL ON SCHEMA public, lab TO ${APPLICATION}; GRANT ALL ON lab.watched TO ${APPLICATION};
     ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO ${APPLICATION}`,
  );
}
