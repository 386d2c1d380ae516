import type { ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { startBind, type TestBind } from '../harness/bind.ts';
import { awaitCommand, type Ran, startCommand } from '../harness/command.ts';
import { freePort } from '../harness/free-port.ts';
import type { AckLog, Taken } from './acknowledgements.ts';
import { BUCKET_CREDENTIALS, type BucketServer, startBucketServer } from './buckets.ts';
import {
  APPLICATION,
  type ConfigOptions,
  type ConfiguredRegion,
  DATABASE,
  KEY_FILE,
  REGIONS,
  type RegionName,
  writeConfig,
} from './config.ts';
import { type Host, makeNetwork, type Network } from './network.ts';
import { makeNameCache } from './public-name.ts';
import { type LabServer, sqlInside, startRegionServers, startSpareServer } from './region-servers.ts';
import { startWatcher, type Watcher } from './watcher.ts';
import { startWriters, type Writers, type WritersOptions } from './writers.ts';

/** Three regions, their vaults, a public name, and somebody who watches. */
export interface World {
  readonly network: Network;
  readonly folder: string;
  readonly servers: Readonly<Record<RegionName, LabServer>>;
  readonly spares: ReadonlyMap<RegionName, LabServer>;
  readonly buckets: ReadonlyMap<RegionName, BucketServer>;
  readonly vaults: Readonly<Record<RegionName, string>>;
  readonly bind: TestBind;
  readonly watcher: Watcher;
  /** Writes the configuration anew. */
  configure(options: ConfigOptions, folder?: string): void;
  /** `eventcore` as an operator's shell runs it; in another folder it is another host. */
  run(words: readonly string[], options?: RunAt): Promise<Ran>;
  /** The same, left to run: ended with the world at the latest. */
  start(words: readonly string[], options?: RunAt): ChildProcess;
  /** A folder with the configuration, as on another host. */
  anotherHost(name: string): string;
  write(options?: Partial<WritersOptions>): Writers;
  /** What the public name points to. */
  resolve(): Promise<string>;
  stop(): Promise<void>;
}

export interface RunAt {
  readonly folder?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Left out: outside of all regions. */
  readonly host?: Host;
}

export interface WorldOptions {
  readonly isSynchronous?: boolean;
  /** Regions that have a clean place to restore to. */
  readonly spares?: readonly RegionName[];
  /** Vaults are folders, unless each region is to have a server of S3. */
  readonly vaults?: 'folders' | 'buckets';
  readonly config?: ConfigOptions;
}

const WRITERS = { count: 8, pauseMs: 0 };
const PUBLIC_NAME = 'db.eventcore.test';

export async function makeWorld(options: WorldOptions = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'eventcore-dr-'));
  const network = makeNetwork();
  const cleanUp: (() => Promise<void> | void)[] = [
    () => rmSync(folder, { recursive: true, force: true }),
    () => network.stop(),
  ];
  const stop = async (): Promise<void> => {
    for (const work of cleanUp.splice(0).toReversed()) await work();
  };
  try {
    return await furnish({ ...options, folder, network, cleanUp, stop });
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Ground extends WorldOptions {
  readonly folder: string;
  readonly network: Network;
  readonly cleanUp: (() => Promise<void> | void)[];
  readonly stop: () => Promise<void>;
}

async function furnish(ground: Ground): Promise<World> {
  const { network, folder, cleanUp } = ground;
  const port = await freePort();
  const started = ({ process }: LabServer): void => void cleanUp.push(() => process.stop());
  const isSynchronous = ground.isSynchronous === true;
  const servers = await startRegionServers(network, { isSynchronous, port, started });
  const spares = new Map<RegionName, LabServer>();
  for (const region of ground.spares ?? []) {
    spares.set(region, await startSpareServer(network, `${region}-spare`, { port, started }));
  }
  const buckets = await startBuckets(ground, servers);
  const bind = await startBind({ records: [`db 1 IN A ${servers.east.address.host}`] });
  cleanUp.push(() => bind.stop());
  writeFileSync(join(folder, KEY_FILE), bind.keys['dr-key']!, { mode: 0o600 });
  const vaults = Object.fromEntries(
    REGIONS.map((region) => [region, buckets.get(region)?.address ?? makeVaultFolder(folder, region)]),
  ) as Record<RegionName, string>;
  const watcher = startWatcher({ user: APPLICATION, database: DATABASE });
  cleanUp.push(() => watcher.stop());
  for (const { address, inside } of [...Object.values(servers), ...spares.values()]) {
    watcher.watch({ shownAs: address.host, inside });
  }
  return assemble(ground, { servers, spares, buckets, bind, vaults, watcher, port });
}

async function startBuckets(
  { vaults, cleanUp }: Ground,
  servers: Record<RegionName, LabServer>,
): Promise<Map<RegionName, BucketServer>> {
  const buckets = new Map<RegionName, BucketServer>();
  if (vaults !== 'buckets') return buckets;
  for (const region of REGIONS) {
    const bucket = await startBucketServer(servers[region].host);
    buckets.set(region, bucket);
    cleanUp.push(() => bucket.destroy());
  }
  return buckets;
}

function makeVaultFolder(folder: string, region: string): string {
  const vault = join(folder, `vault-${region}`);
  mkdirSync(vault);
  return vault;
}

type Furniture = Pick<World, 'servers' | 'spares' | 'buckets' | 'bind' | 'vaults' | 'watcher'> & {
  readonly port: number;
};

function assemble(ground: Ground, furniture: Furniture): World {
  const { folder, network, cleanUp, stop } = ground;
  const { bind, servers, spares, vaults, port } = furniture;
  const dns = { host: bind.host, port: bind.port };
  const env = labEnvironment(bind);
  const configure = (config: ConfigOptions, where = folder): void =>
    writeConfig(
      where,
      REGIONS.map((region) => configured(region, furniture)),
      { server: dns, zone: bind.zone, name: PUBLIC_NAME, port },
      config,
    );
  const start: World['start'] = (words, at = {}) => {
    const child = startCommand(at.folder ?? folder, words, {
      ...{ env: { ...env, ...at.env }, prefix: at.host?.prefix ?? [] },
    });
    cleanUp.push(() => void child.kill('SIGKILL'));
    return child;
  };
  const writers: Partial<WritersOptions> = { ...WRITERS, dns, port, name: PUBLIC_NAME };
  configure(ground.config ?? {});
  return {
    ...{ network, folder, servers, spares, vaults, bind },
    ...{ buckets: furniture.buckets, watcher: furniture.watcher, configure, start, stop },
    run: (words, at) => awaitCommand(start(words, at)),
    anotherHost: (name) => {
      const other = join(folder, name);
      mkdirSync(other);
      for (const file of ['eventcore.config.yaml', KEY_FILE]) cpSync(join(folder, file), join(other, file));
      return other;
    },
    write: (own = {}) => {
      const login = { database: DATABASE, user: APPLICATION };
      const started = startWriters({ ...writers, ...login, ...own } as WritersOptions);
      cleanUp.push(() => started.stop());
      return started;
    },
    resolve: () => makeNameCache(PUBLIC_NAME, dns).resolve(),
  };
}

function configured(region: RegionName, { servers, spares, vaults }: Furniture): ConfiguredRegion {
  const { address, process } = servers[region];
  return {
    ...{ region, server: address, dataDir: process.dataDir, binDir: process.binDir },
    ...{ vault: vaults[region], spare: spares.get(region)?.address ?? null },
  };
}

function labEnvironment({ zone, host, port }: TestBind): Record<string, string> {
  const names = pathToFileURL(join(import.meta.dirname, 'resolve-names.ts')).href;
  return {
    ...BUCKET_CREDENTIALS,
    ...{ NODE_OPTIONS: `--import ${names}`, EVENTCORE_LAB_DNS: `${zone} ${host} ${port}` },
  };
}

/** Ids of all events that a server has. */
export async function eventIds(server: Pick<LabServer, 'inside'>): Promise<Set<string>> {
  const rows = await sqlInside(server, 'SELECT event_id::text AS id FROM eventcore_events');
  return new Set(rows.map(({ id }) => String(id)));
}

/** Every write that anybody was told of: the writers' and the watcher's. */
export function allTaken(log: AckLog, watcher: Watcher): Taken[] {
  const acked = log.all.flatMap(({ server, sentAtMs, ackedAtMs }) =>
    ackedAtMs === null ? [] : [{ server, sentAtMs, ackedAtMs }],
  );
  return [...acked, ...watcher.taken];
}
