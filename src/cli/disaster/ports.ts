import { hostname, userInfo } from 'node:os';
import type { Notifier } from '../../core/alert.ts';
import type { RecoveryPlan } from '../../core/disaster.ts';
import type { Fence, RegionServer, Rejoiner, Scaler } from '../../core/disaster-ports.ts';
import { addressForOthers } from '../../core/postgres-address.ts';
import type { Vault } from '../../core/vault.ts';
import {
  RECOVERY_SETTINGS,
  type RecoveryPorts,
  type RecoverySettings,
  type RestorePlace,
} from '../../disaster/context.ts';
import {
  deposing,
  type LeaseFenceOptions,
  type LeaseFencePorts,
  leaseFence,
} from '../../disaster/lease-fence.ts';
import { serverFence } from '../../disaster/server-fence.ts';
import { openOnce } from '../../vaults/wrappers/open-once.ts';
import { redactAddress } from '../address.ts';
import { openNotifiers } from '../notifiers.ts';
import { openRegionServer, openRejoiner, openVault, systemClock, systemHolder } from '../wire.ts';
import {
  type ActionPlaces,
  actionPlaces,
  canonicalValues,
  openMigrate,
  openOutsideFence,
  openPublicName,
  openScaler,
} from './actions.ts';
import type { DisasterServer, DisasterSettings } from './config.ts';
import { drProtector } from './protector.ts';
import { drRestorer } from './restorer.ts';
import { drSalvager } from './salvager.ts';
import type { FenceSettings } from './schema.ts';
import { drTrials } from './trials.ts';
import type { DisasterWork } from './work.ts';

/** All that a recovery works with, as the configuration names it. */

export interface PortOptions {
  /** Fences bear its id, and the lease fences the primary that it knows. */
  readonly plan: Pick<RecoveryPlan, 'planId' | 'primary' | 'strategy'>;
  readonly waitForArchive: boolean;
}

/** Opens nothing but what has to be read at once: the key of the name, secrets of notifiers. */
export async function withRecoveryPorts<Result>(
  work: DisasterWork,
  options: PortOptions,
  use: (ports: RecoveryPorts) => Promise<Result>,
): Promise<Result> {
  const closing: (() => Promise<void>)[] = [];
  try {
    return await use(await openPorts(work, options, closing));
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

type Closing = (() => Promise<void>)[];

async function openPorts(work: DisasterWork, options: PortOptions, closing: Closing): Promise<RecoveryPorts> {
  const { disaster, vaults, keys, context, settings } = work;
  const places = await actionPlaces(work);
  const publicName = await openPublicName(disaster, places);
  const servers = await openServers(disaster, closing);
  const notifiers = await openNotifiers(settings, context);
  closing.push(...notifiers.map((notifier: Notifier) => () => notifier.close()));
  return {
    ...{ clock: systemClock, actor: recoveryActor(), software: context.software, signer: keys.signer },
    ...{ vaults: vaults.all, servers, publicName, notifiers, trust: keys.trust },
    values: await canonicalValues(disaster, valuesOf(disaster)),
    places: await openPlaces(disaster, closing),
    fences: await openFences(work, { options, places, servers, closing }),
    scalers: await openScalers(disaster, places),
    rejoiners: await openRejoiners(disaster),
    migrate: await openMigrate(disaster.migrate, places),
    restorer: drRestorer(work, { waitForArchive: options.waitForArchive }),
    trials: drTrials(work, { planId: options.plan.planId, name: publicName, lagMs: lagOf(disaster) }),
    ...{ protector: drProtector(work), salvager: drSalvager(work) },
  };
}

/** Who acts, for the journal. */
export function recoveryActor(): string {
  return `${userName()}@${hostname()}, ${systemHolder}`;
}

/** A number that no account has is a user as well. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'somebody');
  }
}

export async function openServers({ regions }: DisasterSettings, closing: Closing): Promise<RegionServer[]> {
  const places = regions.flatMap(({ region, servers }) =>
    servers.map(({ address }) => ({ region, address })),
  );
  const servers = await Promise.all(places.map(openRegionServer));
  closing.push(...servers.map((server) => () => server.close()));
  return servers;
}

async function openPlaces(
  { regions }: DisasterSettings,
  closing: Closing,
): Promise<Map<string, RestorePlace>> {
  const places = new Map<string, RestorePlace>();
  for (const { region, restoreTo } of regions) {
    if (restoreTo === null) continue;
    const { address } = restoreTo;
    const server = address.startsWith('postgres') ? await openRegionServer({ region, address }) : null;
    if (server !== null) closing.push(() => server.close());
    places.set(region, { address: redactAddress(address), server });
  }
  return places;
}

function valuesOf({ regions }: DisasterSettings): Map<string, string> {
  const places = regions.flatMap(({ servers, restoreTo }) => [
    ...servers,
    ...(restoreTo === null ? [] : [restoreTo]),
  ]);
  return new Map(
    places.flatMap(({ address, value }) =>
      value === null ? [] : [[redactAddress(address), value] as const],
    ),
  );
}

interface Fencing {
  readonly options: PortOptions;
  readonly places: ActionPlaces;
  readonly servers: readonly RegionServer[];
  readonly closing: Closing;
}

async function openFences(work: DisasterWork, fencing: Fencing): Promise<Map<string, readonly Fence[]>> {
  const fences = new Map<string, readonly Fence[]>();
  for (const server of work.disaster.regions.flatMap((region) => region.servers)) {
    const address = redactAddress(server.address);
    const opened = fencing.servers.find((one) => one.address === address)!;
    fences.set(address, await fencesOf(work, fencing, server, opened));
  }
  return fences;
}

/**
 * In the order of the configuration. A server's own fence is there in any case: first where it hands over, since it has to go on sending,
 * else last where it is not named.
 */
async function fencesOf(
  work: DisasterWork,
  fencing: Fencing,
  { fences }: DisasterServer,
  server: RegionServer,
): Promise<Fence[]> {
  const { plan } = fencing.options;
  const own = serverFence(server, plan.planId);
  const all = fences.some(({ postgres }) => postgres !== undefined) ? fences : [...fences, { postgres: {} }];
  const whom = { region: server.region, server: server.address };
  const opened = await Promise.all(all.map((fence) => openFence(work, fencing, fence, whom)));
  const ordered =
    plan.strategy.kind === 'switchover'
      ? [own, ...opened.filter((fence) => fence !== null)]
      : opened.map((fence) => fence ?? own);
  if (work.disaster.lease === null) return ordered;
  // Whichever of them holds: the old primary's guard is to let the lease go, or the new one's would wait for it in vain.
  const { ports, options } = openLease(work.disaster, work.vaults.all, plan, fencing.closing);
  return ordered.map((fence) => deposing(fence, ports, options));
}

/** Null for the server's own. */
async function openFence(
  work: DisasterWork,
  { options, places, closing }: Fencing,
  settings: FenceSettings,
  whom: { readonly region: string; readonly server: string },
): Promise<Fence | null> {
  if (settings.lease !== undefined) {
    const lease = openLease(work.disaster, work.vaults.all, options.plan, closing);
    return leaseFence(lease.ports, lease.options);
  }
  return openOutsideFence(settings, places, whom);
}

/** Fences that go around the server, by its address, in words. */
export async function describeFences(
  work: DisasterWork,
  plan: PortOptions['plan'],
): Promise<Record<string, readonly string[]>> {
  const closing: Closing = [];
  const fencing = {
    options: { plan, waitForArchive: false },
    places: await actionPlaces(work),
    servers: [],
    closing,
  };
  const described: Record<string, readonly string[]> = {};
  for (const { region, servers } of work.disaster.regions) {
    for (const { address, fences } of servers) {
      const whom = { region, server: redactAddress(address) };
      const opened = await Promise.all(fences.map((fence) => openFence(work, fencing, fence, whom)));
      described[whom.server] = opened.flatMap((fence) => (fence === null ? [] : [fence.describe]));
    }
  }
  for (const close of closing) await close();
  return described;
}

/** Its vault may be away now and be there when it is wanted. */
function openLease(
  { lease }: DisasterSettings,
  all: DisasterWork['vaults']['all'],
  { planId, primary }: PortOptions['plan'],
  closing: Closing,
): { readonly ports: LeaseFencePorts; readonly options: LeaseFenceOptions } {
  const vault = openLeaseVault(lease!.vault, all);
  if (!all.some((place) => place.vault === vault)) closing.push(() => vault.close());
  const { systemIdentifier, timeline } = primary;
  const deposed = systemIdentifier === null || timeline === null ? null : { systemIdentifier, timeline };
  return {
    ports: { vault, clock: systemClock, holder: systemHolder },
    options: { planId, ttlMs: lease!.ttlMs, deposed },
  };
}

/** It may be a region's, which is there already. Whoever gets another one closes it. */
export function openLeaseVault(address: string, all: DisasterWork['vaults']['all']): Vault {
  const vault = openOnce(openVault(address));
  return all.find((place) => place.vault.address === vault.address)?.vault ?? vault;
}

async function openScalers(
  { regions }: DisasterSettings,
  places: ActionPlaces,
): Promise<Map<string, Scaler>> {
  const scalers = new Map<string, Scaler>();
  for (const { region, scale } of regions) {
    if (scale !== null) scalers.set(region, await openScaler(region, scale, places));
  }
  return scalers;
}

async function openRejoiners({ regions }: DisasterSettings): Promise<Map<string, Rejoiner>> {
  const rejoiners = new Map<string, Rejoiner>();
  for (const { address, rejoin } of regions.flatMap((region) => region.servers)) {
    if (rejoin === null) continue;
    // zod says `undefined` of what is not there.
    const given = Object.fromEntries(Object.entries(rejoin).filter(([, value]) => value !== undefined));
    const options = {
      ...(given as Exactly<typeof rejoin>),
      address,
      source: rejoin.source ?? addressForOthers(address),
    };
    rejoiners.set(redactAddress(address), await openRejoiner(options));
  }
  return rejoiners;
}

type Exactly<Given> = { [Key in keyof Given]: Exclude<Given[Key], undefined> };

const LAG_MS = 30_000;

/** As long as resolvers may keep what the name was. */
function lagOf({ name }: DisasterSettings): number {
  const record = name?.rfc2136 ?? name?.route53;
  return record === undefined ? LAG_MS : record.ttl * 1000 + LAG_MS;
}

/** What a taker of a lease waits beyond its time, and a little. */
const LEASE_MARGIN_MS = 45_000;

export function recoverySettings(disaster: DisasterSettings, mergeSalvaged: boolean): RecoverySettings {
  const { deadlines, probeMs } = RECOVERY_SETTINGS;
  const most = Math.max(
    ...disaster.regions.flatMap(({ servers }) => servers.map(({ fences }) => fences.length)),
  );
  // Each way to fence gets a part of the step's time, and a lease needs its own.
  const fence = disaster.lease === null ? 0 : (most + 2) * (disaster.lease.ttlMs + LEASE_MARGIN_MS);
  return {
    ...RECOVERY_SETTINGS,
    ...{ mergeSalvaged, maxLossBytes: BigInt(disaster.maxDataLossBytes) },
    probeMs: Math.max(probeMs, disaster.probeTimeoutMs),
    leaseTtlMs: disaster.lockTtlMs,
    deadlines: { ...deadlines, fence: Math.max(deadlines.fence, fence), ...disaster.deadlinesMs },
  };
}
