import type { Observation, ServerState } from '../core/disaster.ts';

/** What one vantage point says of one server. */
export interface Opinion {
  readonly vantage: string;
  /** `there`: somebody is, and lets nobody in. */
  readonly says: 'alive' | 'there' | 'silent';
  readonly text: string;
  /** Only heard by a standby's receiver: that says nothing of whether applications get in. */
  readonly isHeard: boolean;
}

/**
 * How long ago a standby may have heard a primary that is alive and has nothing to send: its receiver asks when half of
 * `wal_receiver_timeout` (60 s) has passed in silence, and gets its answer within a few seconds. Whoever is cut off looks alive for so long.
 */
export const HEARD_BOUND_MS = 35_000;

/** All that is said of a server, each vantage point once. Vantage points that see nothing at all are left out. */
export function opinionsOf(
  server: string,
  observations: readonly Observation[],
  blind: ReadonlySet<string>,
): Opinion[] {
  const opinions = new Map<string, Opinion>();
  const servers = new Set(observations.map((seen) => seen.server));
  for (const seen of observations) {
    if (seen.server !== server || blind.has(seen.vantage)) continue;
    keepBest(opinions, readOpinion(seen, servers.has(seen.vantage)));
  }
  for (const heard of heardOf(server, observations)) keepBest(opinions, heard);
  return [...opinions.values()];
}

const RANKS = { alive: 2, there: 1, silent: 0 } as const;

function keepBest(opinions: Map<string, Opinion>, opinion: Opinion): void {
  const before = opinions.get(opinion.vantage);
  if (before === undefined || RANKS[before.says] < RANKS[opinion.says])
    opinions.set(opinion.vantage, opinion);
}

function readOpinion(seen: Observation, isHeard: boolean): Opinion {
  const { vantage, server, outcome, reason, ms } = seen;
  const because = reason === null ? '' : `: ${reason}`;
  const base = { vantage, isHeard };
  switch (outcome) {
    case 'answered':
      return { ...base, says: 'alive', text: `${vantage}: ${server} answers` };
    case 'refused':
      return { ...base, says: 'there', text: `${vantage}: ${server} is there and lets nobody in${because}` };
    case 'unreachable':
      return { ...base, says: 'silent', text: `${vantage}: ${server} is not reached${because}` };
    case 'timed_out':
      return {
        ...base,
        says: 'silent',
        text: `${vantage}: ${server} says nothing within ${ms} ms${because}`,
      };
  }
}

/** What the receivers of standbys know, of those that could follow this server. */
function heardOf(server: string, observations: readonly Observation[]): Opinion[] {
  return [...answersOf(observations)].flatMap(([standby, state]) => {
    if (standby === server || state.role !== 'standby') return [];
    if (isOfAnother(standby, state, server, observations)) return [];
    return [{ vantage: standby, ...heard(standby, server, state.upstream) }];
  });
}

/** Whoever observed may have told already whom a receiver hears; hosts have several names. */
function isOfAnother(
  standby: string,
  { upstream }: ServerState,
  server: string,
  observations: readonly Observation[],
): boolean {
  const told = observations.filter(({ vantage }) => vantage === standby);
  if (told.length > 0) return told.every((seen) => seen.server !== server);
  if (upstream === null || isAt(server, upstream)) return false;
  return observations.some((other) => other.server !== server && isAt(other.server, upstream));
}

function heard(
  standby: string,
  server: string,
  upstream: ServerState['upstream'],
): Pick<Opinion, 'says' | 'text' | 'isHeard'> {
  if (upstream === null)
    return { says: 'silent', text: `${standby}: its receiver hears nobody`, isHeard: true };
  const seconds = Math.round(upstream.heardAgoMs / 1000);
  return upstream.heardAgoMs <= HEARD_BOUND_MS
    ? { says: 'alive', text: `${standby}: its receiver heard ${server} ${seconds} s ago`, isHeard: true }
    : {
        says: 'silent',
        text: `${standby}: its receiver heard ${server} last ${seconds} s ago`,
        isHeard: true,
      };
}

/** Whether an address leads to this host and port. Hosts have several names, so false says little. */
export function isAt(address: string, upstream: { readonly host: string; readonly port: number }): boolean {
  const url = URL.parse(address);
  if (url === null) return false;
  const port = url.port === '' ? 5432 : Number(url.port);
  return url.hostname.toLowerCase() === upstream.host.toLowerCase() && port === upstream.port;
}

/** The state of each server that answered somebody: of several, as a primary first, and then the most advanced. */
export function answersOf(observations: readonly Observation[]): Map<string, ServerState> {
  const states = new Map<string, ServerState>();
  for (const { server, state } of observations) {
    if (state === null) continue;
    const before = states.get(server);
    if (before === undefined || isBetter(state, before)) states.set(server, state);
  }
  return states;
}

function isBetter(state: ServerState, than: ServerState): boolean {
  return state.role !== than.role ? state.role === 'primary' : state.timeline > than.timeline;
}

/**
 * Vantage points that reach none of several servers, while others reach some of the same: they are cut off themselves, and what they do
 * not see says nothing.
 */
export function findBlind(observations: readonly Observation[]): Set<string> {
  const reached = observations.filter(isReached);
  const blind = new Set<string>();
  for (const vantage of new Set(observations.map((seen) => seen.vantage))) {
    const own = observations.filter((seen) => seen.vantage === vantage);
    const servers = new Set(own.map(({ server }) => server));
    const othersSee = reached.some((seen) => seen.vantage !== vantage && servers.has(seen.server));
    if (servers.size > 1 && othersSee && !own.some(isReached)) blind.add(vantage);
  }
  return blind;
}

function isReached({ outcome }: Observation): boolean {
  return outcome === 'answered' || outcome === 'refused';
}
