import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Address } from './relay.ts';

export const REGIONS = ['east', 'west', 'south'] as const;

export type RegionName = (typeof REGIONS)[number];

/** What the configuration says of a region. */
export interface ConfiguredRegion {
  readonly region: RegionName;
  readonly server: Address;
  readonly dataDir: string;
  readonly binDir: string;
  readonly vault: string;
  /** A clean place; null where there is none. */
  readonly spare: Address | null;
}

export interface ConfigOptions {
  /** Left out: the server's own rules, and its power. */
  readonly fences?: readonly FenceKind[];
  readonly maxDataLoss?: string;
  /** Address of the vault of the lease that a primary must hold. */
  readonly lease?: { readonly vault: string; readonly ttl: string };
  readonly archive?: string;
  /** Copies; left out: the vaults of the other regions. */
  readonly replicas?: readonly { readonly region: string; readonly storage: string }[];
  /** Whether old primaries are made standbys again. */
  readonly rejoin?: boolean;
  /** Key file of the name's updates; left out: the right one. */
  readonly key?: string;
  /** The application's own command, run before the name is switched. */
  readonly migrate?: readonly string[];
  /** Left out: BIND itself. */
  readonly nameServer?: Address;
}

export type FenceKind = 'postgres' | 'power' | 'lease';

export interface PublicName {
  readonly server: Address;
  readonly zone: string;
  readonly name: string;
  readonly port: number;
}

export const DATABASE = 'events';
/** What applications log in as. */
export const APPLICATION = 'app';
export const KEY_FILE = 'dr.key';
const TTL_SECONDS = 1;
const POWER = join(import.meta.dirname, 'power.ts');

export function storeAddress({ host, port }: Address, user = 'postgres'): string {
  return `postgres://${user}@${host}:${port}/${DATABASE}`;
}

/** Writes `eventcore.config.yaml` as an operator would, the same for all hosts. The first region's server is the store. */
export function writeConfig(
  folder: string,
  regions: readonly ConfiguredRegion[],
  { server, zone, name, port }: PublicName,
  options: ConfigOptions = {},
): void {
  const [first, ...others] = regions;
  const updated = options.nameServer ?? server;
  const config = {
    ...{ store: storeAddress(first!.server), vault: first!.vault },
    change_log: { flush_ms: 200, idle_ms: 1000 },
    primary: { region: first!.region },
    replicas: options.replicas ?? others.map(({ region, vault }) => ({ region, storage: vault })),
    ...(options.archive === undefined
      ? {}
      : { archive: { storage: options.archive, after_days: 1, retention: '7y' } }),
    disaster: {
      public: storeAddress({ host: name, port }, APPLICATION),
      name: {
        rfc2136: {
          ...{ server: `${updated.host}:${updated.port}`, zone, name, type: 'A', ttl: TTL_SECONDS },
          key: `file:${options.key ?? join(folder, KEY_FILE)}`,
        },
      },
      ...{ max_data_loss: options.maxDataLoss ?? '64MB', probe_timeout: '2s' },
      ...(options.lease === undefined ? {} : { lease: options.lease }),
      ...(options.migrate === undefined ? {} : { migrate: options.migrate }),
      regions: regions.map((region) => regionEntry(region, options)),
    },
  };
  writeFileSync(join(folder, 'eventcore.config.yaml'), JSON.stringify(config, null, 2));
}

function regionEntry(
  { region, server, dataDir, binDir, vault, spare }: ConfiguredRegion,
  { fences = ['postgres', 'power'], rejoin = false }: ConfigOptions,
) {
  const power = (word: string) => [process.execPath, POWER, word, dataDir];
  const kinds = {
    postgres: { postgres: {} },
    power: { command: power('off'), check: power('check') },
    lease: { lease: {} },
  };
  return {
    ...{ region, vault, value: server.host, servers: [storeAddress(server)] },
    ...(fences.length === 0 ? {} : { fence: fences.map((kind) => kinds[kind]) }),
    ...(spare === null ? {} : { restore_to: { address: storeAddress(spare), value: spare.host } }),
    ...(rejoin ? { rejoin: { data: dataDir, bin: binDir, reclone: true } } : {}),
  };
}
