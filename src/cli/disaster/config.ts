import { isIP } from 'node:net';
import type { RecoveryStep } from '../../core/disaster.ts';
import { BackupError } from '../../core/errors.ts';
import { databaseOf, parsePostgresUri } from '../../core/postgres-address.ts';
import type { RegionPolicy } from '../../core/region-policy.ts';
import { isSameStore, redactAddress, redactText, storeScheme } from '../address.ts';
import type {
  DisasterSection,
  FenceSettings,
  NameSettings,
  RegionSection,
  RejoinSettings,
  ScaleSettings,
} from './schema.ts';

/** The section `disaster` of a configuration, with all that it leaves to others filled in. Addresses may hold passwords. */
export interface DisasterSettings {
  /** How applications reach the store; null where the configuration does not say. */
  readonly public: string | null;
  /** Where the public name is kept; null where none is switched. */
  readonly name: NameSettings | null;
  /** Write-ahead log that may be lost without somebody accepting it. */
  readonly maxDataLossBytes: number;
  readonly probeTimeoutMs: number;
  /** How long a run that died keeps others out. */
  readonly lockTtlMs: number;
  readonly vantages: readonly { readonly name: string; readonly command: readonly string[] }[];
  readonly migrate: readonly string[] | null;
  /** Of the lease that a primary must hold, where a fence relies on it. */
  readonly lease: { readonly vault: string; readonly ttlMs: number } | null;
  readonly regions: readonly DisasterRegion[];
  /** Where another time than the usual one is given to a step. */
  readonly deadlinesMs: Readonly<Partial<Record<RecoveryStep, number>>>;
  /** All vaults that a recovery reads from: those of the regions first, then the policy's others. None is named twice. */
  readonly vaults: readonly DisasterVault[];
}

export interface DisasterVault {
  readonly region: string;
  readonly address: string;
  /** Whether plan, journal and lease are kept there as well: vaults of regions, not copies and archives. */
  readonly keepsJournal: boolean;
  readonly isArchive: boolean;
}

export interface DisasterRegion {
  readonly region: string;
  readonly servers: readonly DisasterServer[];
  /** A clean place for a restore; null where there is none. */
  readonly restoreTo: DisasterPlace | null;
  readonly vault: string;
  readonly health: string | null;
  readonly scale: ScaleSettings | null;
}

export interface DisasterPlace {
  readonly address: string;
  /** What the public name points to when applications are to find this one; null where no name is switched. */
  readonly value: string | null;
}

export interface DisasterServer extends DisasterPlace {
  readonly fences: readonly FenceSettings[];
  readonly rejoin: RejoinSettings | null;
}

export interface DisasterSource {
  /** The file, to name it in failures. */
  readonly path: string;
  readonly policy: RegionPolicy | null;
  /** Gives an address seen from the file's folder. Throws `config_invalid`. */
  readonly resolveVault: (address: string) => string;
  readonly resolveStore: (address: string) => string;
}

export interface DisasterRead {
  readonly disaster: DisasterSettings;
  /** What is worth a look: it will hold a recovery up. */
  readonly warnings: readonly { readonly message: string; readonly hint: string }[];
}

const MAX_DATA_LOSS_BYTES = 1_000_000;
const PROBE_TIMEOUT_MS = 3000;
const LOCK_TTL_MS = 30_000;

/** Throws `config_invalid`, naming the key, for what contradicts itself. */
export function readDisaster(section: DisasterSection, source: DisasterSource): DisasterRead {
  const regions = section.regions.map((region, i) => readRegion(region, section, i, source));
  const disaster: DisasterSettings = {
    public: section.public === undefined ? null : source.resolveStore(section.public),
    name: section.name ?? null,
    maxDataLossBytes: section.max_data_loss ?? MAX_DATA_LOSS_BYTES,
    probeTimeoutMs: section.probe_timeout ?? PROBE_TIMEOUT_MS,
    lockTtlMs: section.lock_ttl ?? LOCK_TTL_MS,
    vantages: section.vantages ?? [],
    migrate: section.migrate ?? null,
    lease:
      section.lease === undefined
        ? null
        : { vault: source.resolveVault(section.lease.vault), ttlMs: section.lease.ttl },
    regions,
    deadlinesMs: deadlinesOf(section),
    vaults: vaultsOf(regions, source.policy),
  };
  checkNames(section, source);
  checkServers(disaster, source);
  checkName(disaster, source);
  checkLease(disaster, source);
  return {
    disaster,
    warnings: [...warnOfFences(disaster), ...warnOfPlaces(disaster), ...warnOfVaults(disaster)],
  };
}

function readRegion(
  region: RegionSection,
  { name }: DisasterSection,
  i: number,
  source: DisasterSource,
): DisasterRegion {
  const value = (own: string | undefined): string | null =>
    name === undefined ? null : (own ?? region.value ?? null);
  return {
    region: region.region,
    servers: region.servers.map((server) => ({
      address: source.resolveStore(server.address),
      value: value(server.value),
      fences: server.fence ?? region.fence ?? [],
      rejoin: server.rejoin ?? region.rejoin ?? null,
    })),
    restoreTo:
      region.restore_to === undefined
        ? null
        : { address: source.resolveStore(region.restore_to.address), value: value(region.restore_to.value) },
    vault: vaultOf(region, i, source),
    health: region.health ?? null,
    scale: region.scale ?? null,
  };
}

function vaultOf({ region, vault }: RegionSection, i: number, source: DisasterSource): string {
  if (vault !== undefined) return source.resolveVault(vault);
  const { policy } = source;
  const storage =
    policy === null ? undefined : storagesOf(policy).find((other) => other.region === region)?.address;
  if (storage !== undefined) return storage;
  throw invalid(
    source,
    `\`disaster.regions.${i}\` has no vault`,
    `write \`vault:\` there, or give the policy a region ${JSON.stringify(region)} with a storage (docs/policy.md)`,
  );
}

function storagesOf({ primary, replicas, archive }: RegionPolicy): Omit<DisasterVault, 'keepsJournal'>[] {
  const live = [primary, ...replicas].map(({ region, storage }) => ({
    region,
    address: storage,
    isArchive: false,
  }));
  return archive === null
    ? live
    : [...live, { region: archive.region, address: archive.storage, isArchive: true }];
}

function vaultsOf(regions: readonly DisasterRegion[], policy: RegionPolicy | null): DisasterVault[] {
  const named: DisasterVault[] = [
    ...regions.map(({ region, vault }) => ({ region, address: vault, keepsJournal: true, isArchive: false })),
    ...(policy === null ? [] : storagesOf(policy).map((storage) => ({ ...storage, keepsJournal: false }))),
  ];
  return named.filter((vault, i) => named.findIndex(({ address }) => address === vault.address) === i);
}

function deadlinesOf({ steps = {} }: DisasterSection): DisasterSettings['deadlinesMs'] {
  return Object.fromEntries(Object.entries(steps).filter(([, ms]) => ms !== undefined));
}

function checkNames({ regions, vantages = [] }: DisasterSection, source: DisasterSource): void {
  const twice = (names: readonly string[]) => names.findIndex((name, i) => names.indexOf(name) !== i);
  const region = twice(regions.map((entry) => entry.region));
  if (region !== -1) {
    throw invalid(
      source,
      `\`disaster.regions.${region}\`: there is a region ${JSON.stringify(regions[region]!.region)} already`,
      'give each region a name of its own; several servers of one region stand in its `servers`',
    );
  }
  const vantage = twice(['here', ...vantages.map((entry) => entry.name)]);
  if (vantage === -1) return;
  throw invalid(
    source,
    `\`disaster.vantages.${vantage - 1}\`: there is a vantage point of this name already`,
    'give each a name of its own; `here` is the host that asks',
  );
}

/** Servers go by their addresses without passwords, so no two may be the same. */
function checkServers({ regions }: DisasterSettings, source: DisasterSource): void {
  const places = regions.flatMap(({ servers, restoreTo }, i) => [
    ...servers.map(({ address }, at) => ({
      address,
      key: `disaster.regions.${i}.servers.${at}`,
      isServer: true,
    })),
    ...(restoreTo === null
      ? []
      : [{ address: restoreTo.address, key: `disaster.regions.${i}.restore_to`, isServer: false }]),
  ]);
  for (const [at, { address, key, isServer }] of places.entries()) {
    if (isServer && storeScheme(address) !== 'postgres') {
      throw invalid(
        source,
        `\`${key}\`: ${redactAddress(address)} is no server of PostgreSQL`,
        'a recovery across regions needs servers, as postgres://postgres@db-1.example.com:5432/events',
      );
    }
    const same = places.slice(0, at).find((other) => isSameStore(other.address, address));
    if (same === undefined) continue;
    const hint =
      isServer && same.isServer
        ? 'name each server once'
        : 'a restore goes into a clean place: name a database of its own, best on a server of its own';
    throw invalid(source, `\`${key}\` and \`${same.key}\` name one database`, hint);
  }
}

function checkName({ name, regions, public: address }: DisasterSettings, source: DisasterSource): void {
  if (name === null) return;
  for (const [i, { servers, restoreTo }] of regions.entries()) {
    for (const [at, { value }] of servers.entries()) {
      checkValue(value, name, { key: `disaster.regions.${i}.servers.${at}`, source });
    }
    if (restoreTo !== null)
      checkValue(restoreTo.value, name, { key: `disaster.regions.${i}.restore_to`, source });
  }
  if (name.command !== undefined && address === null) {
    throw invalid(
      source,
      '`disaster.name.command` needs `disaster.public`: which name it switches',
      'write how applications reach the store, as postgres://app@db.example.com:5432/events',
    );
  }
  const record = name.rfc2136;
  if (record === undefined || isInZone(record.name, record.zone)) return;
  throw invalid(
    source,
    `\`disaster.name.rfc2136.name\`: ${record.name} does not lie in the zone ${record.zone}`,
    'name the whole name, as db.example.com in the zone example.com',
  );
}

interface Key {
  readonly key: string;
  readonly source: DisasterSource;
}

function checkValue(value: string | null, name: NameSettings, { key, source }: Key): void {
  if (value === null) {
    throw invalid(
      source,
      `\`${key}\` has no \`value\` for the public name`,
      'write `value:` at the server or at its region: what the name points to while it is the primary',
    );
  }
  const type = (name.rfc2136 ?? name.route53)?.type;
  const fits =
    type === undefined ||
    (type === 'A' && isIP(value) === 4) ||
    (type === 'AAAA' && isIP(value) === 6) ||
    (type === 'CNAME' && isHost(value));
  if (fits) return;
  throw invalid(
    source,
    `\`${key}\`: ${JSON.stringify(value)} cannot be the value of a record of type ${type}`,
    'a record A has an address of IPv4, AAAA one of IPv6, and CNAME the name of a host',
  );
}

function isHost(value: string): boolean {
  return (
    isIP(value) === 0 && /^(?=.{1,254}$)([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?)+$/.test(value)
  );
}

function isInZone(name: string, zone: string): boolean {
  const plain = (text: string) => text.toLowerCase().replace(/\.$/, '');
  return plain(name) === plain(zone) || plain(name).endsWith(`.${plain(zone)}`);
}

function checkLease({ lease, regions }: DisasterSettings, source: DisasterSource): void {
  const usesLease = regions.some(({ servers }) =>
    servers.some(({ fences }) => fences.some((fence) => fence.lease !== undefined)),
  );
  if (!usesLease || lease !== null) return;
  throw invalid(
    source,
    'the fence `lease` needs `disaster.lease`',
    'write `lease: { vault: ADDRESS, ttl: 30s }` there: a vault that survives the loss of the primary, best in a third place',
  );
}

type Warning = DisasterRead['warnings'][number];

function warnOfFences({ regions }: DisasterSettings): Warning[] {
  return regions.flatMap(({ region, servers }) =>
    servers.flatMap(({ address, fences }) => {
      const shown = `${redactAddress(address)} of region ${region}`;
      if (fences.length === 0) {
        return [
          {
            message: `no fence for ${shown}: a standby cannot take over from it safely`,
            hint: 'write `fence:` with one way at least that works while the server does not answer (docs/disaster-recovery.md)',
          },
        ];
      }
      if (fences.some((fence) => fence.postgres === undefined)) return [];
      return [
        {
          message: `${shown} can be fenced only while it answers`,
          hint: 'add a fence that goes around it: command, kubernetes or lease',
        },
      ];
    }),
  );
}

/** A name leads to a host, not to a database. */
function warnOfPlaces({ public: address, regions }: DisasterSettings): Warning[] {
  if (address === null) return [];
  const wanted = databaseIn(address);
  return regions.flatMap(({ region, restoreTo }) => {
    const found = restoreTo === null ? null : databaseIn(restoreTo.address);
    if (wanted === null || found === null || found === wanted) return [];
    return [
      {
        message: `applications ask for the database ${wanted}, and region ${region} restores to ${found}`,
        hint: 'restore to a database of the same name on a server of its own, or applications have to be configured anew',
      },
    ];
  });
}

function databaseIn(address: string): string | null {
  const uri = parsePostgresUri(address);
  return uri === null ? null : databaseOf(uri);
}

function warnOfVaults({ regions }: DisasterSettings): Warning[] {
  if (new Set(regions.map(({ vault }) => vault)).size === regions.length) return [];
  return [
    {
      message:
        'two regions have one vault: the loss of a region may be the loss of all backups and of the journal',
      hint: 'give each region a vault of its own, and copy with `eventcore sync` (docs/regions.md)',
    },
  ];
}

function invalid({ path }: Pick<DisasterSource, 'path'>, message: string, hint: string): BackupError {
  return new BackupError('config_invalid', redactText(`${path}: ${message}`), { hint });
}
