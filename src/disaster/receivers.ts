import type { Observation, ServerState } from '../core/disaster.ts';
import { hostsOf, parsePostgresUri } from '../core/postgres-address.ts';

/**
 * What standbys say of the server that they stream from, by when they last heard it: vantage points that cost nothing. What their
 * receivers call the state of the connection says nothing: it stays `streaming` long after a network was cut.
 */
export function hearsay(
  here: readonly Observation[],
  heardMs: number,
): { readonly observations: readonly Observation[]; readonly warnings: readonly string[] } {
  const observations: Observation[] = [];
  const warnings: string[] = [];
  for (const standby of here) {
    if (standby.state?.role !== 'standby') continue;
    const { upstream } = standby.state;
    const of = upstream === null ? onlySuspect(here) : findServer(here, upstream);
    if (of !== null) observations.push(heard(standby, of, upstream, heardMs));
    else warnings.push(whoIsThat(standby, upstream));
  }
  return { observations, warnings };
}

type Upstream = ServerState['upstream'];

function heard(standby: Observation, of: Observation, upstream: Upstream, heardMs: number): Observation {
  const { region, server } = of;
  const place = { vantage: standby.server, region, server, state: null };
  if (upstream === null) {
    const reason = 'its receiver does not run: nothing comes from there';
    return { ...place, outcome: 'unreachable', ms: standby.ms, reason };
  }
  const ms = Math.max(0, Math.round(upstream.heardAgoMs));
  const isHeard = ms <= heardMs;
  return {
    ...{ ...place, outcome: isHeard ? 'answered' : 'timed_out', ms },
    reason: isHeard ? null : `its receiver last heard it ${ms} ms ago`,
  };
}

/** The one server that could be a primary; null where several could, or none. */
function onlySuspect(here: readonly Observation[]): Observation | null {
  const suspects = here.filter(({ state }) => state?.role !== 'standby');
  return suspects.length === 1 ? suspects[0]! : null;
}

/** By host and port as they stand in the configuration. A standby may know the host by another name: then by the port, where only one has it. */
function findServer(here: readonly Observation[], upstream: NonNullable<Upstream>): Observation | null {
  const same = here.find((one) => {
    const place = placeOf(one.server);
    return place !== null && place.host === plainHost(upstream.host) && place.port === upstream.port;
  });
  if (same !== undefined) return same;
  const alike = here.filter(
    (one) => one.state?.role !== 'standby' && placeOf(one.server)?.port === upstream.port,
  );
  return alike.length === 1 ? alike[0]! : null;
}

function placeOf(address: string): { readonly host: string; readonly port: number } | null {
  const uri = parsePostgresUri(address);
  if (uri === null) return null;
  const { host, port } = hostsOf(uri)[0] ?? { host: '', port: '' };
  return { host: plainHost(host), port: Number(port || 5432) };
}

function plainHost(host: string): string {
  const plain = decodeURIComponent(host)
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');
  return plain === 'localhost' || plain === '::1' ? '127.0.0.1' : plain;
}

function whoIsThat({ server }: Observation, upstream: Upstream): string {
  if (upstream === null) return `the standby ${server} streams from nobody`;
  return `the standby ${server} streams from ${upstream.host}:${upstream.port}, which is no server of the configuration`;
}
