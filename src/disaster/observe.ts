import type { Clock } from '../core/clock.ts';
import type { Observation, PositionSample, ServerState, VaultObservation } from '../core/disaster.ts';
import type { RegionServer } from '../core/disaster-ports.ts';
import { isBackupError } from '../core/errors.ts';
import { formatTime, timeFromUnixMs } from '../core/time.ts';
import type { PrimaryRecord } from '../format/disaster-primary.ts';
import { type ObservedVault, observeVault } from './observe-vault.ts';
import { HEARD_BOUND_MS } from './opinions.ts';
import { reasonOf, whyNot } from './reason.ts';
import { hearsay } from './receivers.ts';
import { askVantage, type VantagePoint } from './vantage.ts';
import { type Within, within } from './within.ts';

/** All that is asked. Nothing of it need be reachable. */
export interface ObservePorts {
  readonly clock: Pick<Clock, 'now'>;
  readonly servers: readonly RegionServer[];
  readonly vaults: readonly ObservedVault[];
  readonly vantages: readonly VantagePoint[];
  readonly health: readonly HealthAddress[];
}

/** An address of the operator's own that says whether a region is well. */
export interface HealthAddress {
  readonly region: string;
  readonly url: string;
  /** Gives the status of the answer. */
  ask(call: { readonly signal: AbortSignal }): Promise<number>;
}

export interface ObserveLimits {
  /** For each probe of a server, and each health address. */
  readonly probeMs: number;
  /** For each vantage point: it asks all servers itself, and has to start. */
  readonly vantageMs: number;
  /** For each vault. To read a catalog takes longer than to ask a server. */
  readonly vaultMs: number;
  /** Who was heard within this time is alive, as a standby sees it. */
  readonly heardMs: number;
  /** So many of the newest samples of each server are read. */
  readonly samples: number;
}

export const OBSERVE_LIMITS: ObserveLimits = {
  ...{ probeMs: 3000, vantageMs: 10_000, vaultMs: 30_000, heardMs: HEARD_BOUND_MS, samples: 12 },
};

/** What was seen, as plain data: what it means, `assess` says. */
export interface Observed {
  /** RFC 3339. */
  readonly observedAt: string;
  readonly observations: readonly Observation[];
  readonly vaults: readonly VaultObservation[];
  /** From all vaults, the oldest first; each once. */
  readonly samples: readonly PositionSample[];
  /** The one of the greatest epoch among all vaults; null where there was no recovery, or no vault could say. */
  readonly lastPrimary: PrimaryRecord | null;
  readonly health: readonly HealthObservation[];
  readonly warnings: readonly string[];
}

/** An opinion: it moves nothing by itself. */
export interface HealthObservation {
  readonly region: string;
  readonly url: string;
  readonly isWell: boolean;
  readonly ms: number;
  /** `answers 200`, or why there is no answer. */
  readonly text: string;
}

/** The name of this host among the vantage points. */
export const HERE = 'here';

/** Asks everybody at the same time, each with a deadline of its own. Never throws for what cannot be reached. */
export async function observe(
  ports: ObservePorts,
  limits: ObserveLimits = OBSERVE_LIMITS,
  signal?: AbortSignal,
): Promise<Observed> {
  const [here, told, vaults, health] = await Promise.all([
    probeServers(ports.servers, limits.probeMs, signal),
    Promise.all(ports.vantages.map((point) => askVantage(point, ports.servers, limits.vantageMs, signal))),
    Promise.all(ports.vaults.map((vault) => observeVault(vault, limits, signal))),
    Promise.all(ports.health.map((address) => askHealth(address, limits.probeMs, signal))),
  ]);
  const heard = hearsay(here, limits.heardMs);
  return {
    observedAt: formatTime(timeFromUnixMs(ports.clock.now()), 3),
    observations: [...here, ...heard.observations, ...told.flatMap(({ observations }) => observations)],
    vaults: vaults.map(({ observation }) => observation),
    samples: mergeSamples(vaults.flatMap(({ samples }) => samples)),
    lastPrimary: newestOf(vaults.flatMap(({ lastPrimary }) => (lastPrimary === null ? [] : [lastPrimary]))),
    health,
    warnings: [
      ...heard.warnings,
      ...told.flatMap(({ warnings }) => warnings),
      ...vaults.flatMap(({ warnings }) => warnings),
      ...health.flatMap(warnOfHealth),
    ],
  };
}

/** How all servers look from here. */
export function probeServers(
  servers: readonly RegionServer[],
  probeMs: number,
  signal?: AbortSignal,
): Promise<Observation[]> {
  return Promise.all(
    servers.map(async (server) => {
      const outcome = await within(probeMs, signal, (own) => server.probe({ signal: own }));
      return { vantage: HERE, region: server.region, server: server.address, ...seen(outcome, probeMs) };
    }),
  );
}

type Seen = Pick<Observation, 'outcome' | 'ms' | 'state' | 'reason'>;

/** A failure that comes when the time is over is the deadline's, whatever it calls itself. */
function seen(outcome: Within<ServerState>, probeMs: number): Seen {
  const { ms } = outcome;
  if (outcome.kind === 'done') return { outcome: 'answered', ms, state: outcome.result, reason: null };
  if (outcome.kind === 'late' || ms >= probeMs || isTimeOver(outcome.error)) {
    return { outcome: 'timed_out', ms, state: null, reason: `nothing came in ${ms} ms` };
  }
  const isAway = isBackupError(outcome.error, 'store_unreachable');
  return { outcome: isAway ? 'unreachable' : 'refused', ms, state: null, reason: reasonOf(outcome.error) };
}

/** The server's adapter has deadlines of its own. */
function isTimeOver(error: unknown): boolean {
  return isBackupError(error, 'store_unreachable') && error.facts.timedOut === true;
}

async function askHealth(
  address: HealthAddress,
  probeMs: number,
  signal: AbortSignal | undefined,
): Promise<HealthObservation> {
  const { region, url } = address;
  const outcome = await within(probeMs, signal, (own) => address.ask({ signal: own }));
  const { ms } = outcome;
  if (outcome.kind !== 'done') return { region, url, isWell: false, ms, text: whyNot(outcome) };
  const isWell = outcome.result >= 200 && outcome.result < 300;
  return { region, url, isWell, ms, text: `answers ${outcome.result}` };
}

function warnOfHealth({ region, url, isWell, text }: HealthObservation): string[] {
  return isWell ? [] : [`the health address of region ${region}, ${url}, is not well: ${text}`];
}

function mergeSamples(samples: readonly PositionSample[]): PositionSample[] {
  const known = new Map(samples.map((sample) => [`${sample.sampledAt} ${sample.server}`, sample]));
  return [...known.values()].sort((a, b) =>
    a.sampledAt < b.sampledAt ? -1 : a.sampledAt > b.sampledAt ? 1 : 0,
  );
}

function newestOf(records: readonly PrimaryRecord[]): PrimaryRecord | null {
  return records.reduce<PrimaryRecord | null>(
    (newest, record) => (newest === null || record.epoch > newest.epoch ? record : newest),
    null,
  );
}
