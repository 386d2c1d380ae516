import type { ServerState } from '../../core/disaster.ts';
import type { RegionServer } from '../../core/disaster-ports.ts';
import { BackupError, isBackupError } from '../../core/errors.ts';
import { pause } from '../../core/pause.ts';
import { hostsOf, parsePostgresUri } from '../../core/postgres-address.ts';
import type { StepContext } from '../context.ts';
import { withDeadline } from '../deadline.ts';
import { textFact } from '../run-state.ts';

/** A server, and what it said of itself. */
export interface Look {
  readonly server: RegionServer;
  /** Null when it did not say, for the reason. */
  readonly state: ServerState | null;
  readonly reason: string;
}

/** Asks all servers at the same time. Nobody is waited for longer than a probe may take. */
export function lookAtAll(context: StepContext): Promise<Look[]> {
  return Promise.all(context.ports.servers.map((server) => lookAt(server, context)));
}

export async function lookAt(server: RegionServer, context: StepContext): Promise<Look> {
  try {
    return { server, state: await probe(server, context), reason: '' };
  } catch (error) {
    if (!isBackupError(error)) throw error;
    return { server, state: null, reason: error.message };
  }
}

/** A region that is cut off must not cost its whole time at each look. */
const SILENT_SHARE = 1 / 5;

/** Throws as the server does, and `action_failed` when it takes too long. */
export async function probe(server: RegionServer, context: StepContext): Promise<ServerState> {
  const { silent, signal } = context;
  const { address } = server;
  const ms = context.settings.probeMs * (silent.has(address) ? SILENT_SHARE : 1);
  const startedMs = performance.now();
  try {
    const state = await withDeadline(`asking ${address}`, ms, signal, (own) => server.probe({ signal: own }));
    silent.delete(address);
    return state;
  } catch (error) {
    if (performance.now() - startedMs >= ms * 0.9) silent.add(address);
    throw error;
  }
}

/** Where events are written after this run. Throws `recovery_stopped` before that was chosen. */
export interface Target {
  readonly region: string;
  readonly address: string;
  /** Null where it is no server of PostgreSQL. */
  readonly server: RegionServer | null;
}

export function targetOf(context: StepContext): Target {
  const { ports, plan } = context;
  if (isRestore(context)) {
    const region = plan.target.region;
    const place = ports.places.get(region);
    if (place !== undefined && (plan.target.server ?? place.address) === place.address)
      return { region, ...place };
    throw new BackupError(
      'recovery_stopped',
      `region ${region} has no place ${plan.target.server ?? 'to restore to'}`,
      {
        hint: 'name it as `restore_to` of the region in the configuration of this host, as it was when the plan was made',
      },
    );
  }
  const chosen = chosenServer(context);
  if (chosen !== null) return { region: chosen.region, address: chosen.address, server: chosen };
  throw new BackupError('recovery_stopped', 'no server was chosen, or it is not configured here', {
    hint: 'carry the run on where the configuration names the servers of the plan',
  });
}

/** The standby that takes over; null before it was chosen. */
export function chosenServer({ ports, run }: StepContext): RegionServer | null {
  const address = textFact(run.steps.choose.facts, 'server');
  return ports.servers.find((server) => server.address === address) ?? null;
}

export function isRestore({ plan }: Pick<StepContext, 'plan'>): boolean {
  return plan.strategy.kind === 'local_restore' || plan.strategy.kind === 'full_rebuild';
}

/** Host and port of a server's address. Throws `config_invalid`. */
export function endpointOf(address: string): { readonly host: string; readonly port: number } {
  const uri = parsePostgresUri(address);
  const { host, port } = (uri === null ? undefined : hostsOf(uri)[0]) ?? { host: '', port: '' };
  if (host !== '') return { host, port: Number(port || 5432) };
  throw new BackupError('config_invalid', `${address} names no host that others could follow`, {
    hint: 'give each server an address of the form postgres://user@host:port/database',
  });
}

/** Waits until a look gives something; null when the time is over before. */
export async function lookUntil<Found>(
  { settings, signal }: StepContext,
  ms: number,
  look: () => Promise<Found | null>,
): Promise<Found | null> {
  const untilMs = performance.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== null || signal.aborted || performance.now() >= untilMs) return found;
    await pause(settings.pollMs, signal);
  }
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
