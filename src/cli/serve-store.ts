import type { JobBegin, JobEnd } from '../core/job.ts';
import { pause } from '../core/pause.ts';
import type { Vault } from '../core/vault.ts';
import type { AlertService } from '../daemon/alerts.ts';
import type { Lanes } from '../daemon/job-loop.ts';
import type { Registry } from '../daemon/registry.ts';
import { type CommandResult, stateOf } from '../daemon/run-job.ts';
import { type StoreService, serveStore } from '../daemon/serve-store.ts';
import type { StoreView } from '../daemon/store-view.ts';
import { type Tracing, traceJob } from '../daemon/tracing.ts';
import type { ChildMessage } from './child-messages.ts';
import type { CommandContext } from './context.ts';
import { runJobCommand } from './job-command.ts';
import { underLease } from './leases.ts';
import { beginAlerts, tellableTrouble } from './serve-alerts.ts';
import { reread, type ServedStore, stateOfFile } from './serve-config.ts';
import { openVault, systemClock, systemHolder } from './wire.ts';

/** A store that this daemon serves. */
export interface Served {
  readonly name: string;
  readonly file: string;
  readonly vault: Vault;
  readonly service: StoreService;
  readonly alerts: AlertService;
  /** Replaced when the file changes. */
  current: ServedStore;
}

/** What all stores of a daemon share. */
export interface Shared {
  readonly registry: Registry;
  readonly lanes: Lanes;
  /** What is known of a store; null: it is not asked. */
  readonly view: (store: string) => StoreView | null;
  /** Null: nobody traces. */
  readonly tracing: Tracing | null;
}

/** Begins the jobs of a store. Throws as its vault does. */
export async function beginStore(
  context: CommandContext,
  store: ServedStore,
  { registry, lanes, view, tracing }: Shared,
): Promise<Served> {
  const vault = openVault(store.vault);
  await vault.open({ create: true });
  const place: Omit<Served, 'service' | 'alerts'> = {
    ...{ name: store.name, file: store.file, vault, current: store },
  };
  const alerts = beginAlerts(context, {
    ...{ name: store.name, vault, current: () => place.current, view: () => view(store.name) },
  });
  const service = serveStore({
    ...{ vault, clock: systemClock, daemon: systemHolder, software: context.software, lanes, registry },
    ...{ store: store.name, pause },
    leaseOf: (job) => underLease(vault, {}, `job-${job}`),
    runCommand: (_, signal, begin) => runOne(context, place, begin, { signal, registry, tracing }),
    onFailure: (job, failure) => context.log.warn(`${store.name}: ${job} waits: ${failure.message}`),
    onEnd: (end, trouble) => {
      logEnd(context, store.name, end, trouble);
      alerts.jobEnded(end.job, tellableTrouble(end, trouble));
    },
  });
  await service.change(store.jobs);
  return Object.assign(place, { service, alerts });
}

interface Running extends Pick<Shared, 'registry' | 'tracing'> {
  readonly signal: AbortSignal;
}

function runOne(
  context: CommandContext,
  { name, current, file }: Pick<Served, 'name' | 'current' | 'file'>,
  begin: JobBegin,
  { signal, registry, tracing }: Running,
) {
  const { job } = begin;
  const plan = current.jobs.find((one) => one.name === job)!;
  const { words, deadlineMs } = plan;
  context.log.info(`${name}: ${job} begins`, { command: words.join(' ') });
  const { env, cwd, log } = context;
  const onLog = (line: string): void => log.debug(`${name}: ${job}: ${line}`);
  const onMessage = (message: ChildMessage): void => {
    if (message.kind === 'progress') registry.change(name, job, { progress: message.progress });
  };
  const traced = { store: name, begin, stateOf: (result: CommandResult) => stateOf(result, plan, signal) };
  return traceJob(tracing, traced, (variables) =>
    runJobCommand({
      ...{ words, config: file, env: { ...env, ...variables }, cwd, deadlineMs, signal, onLog, onMessage },
    }),
  );
}

function logEnd(
  { log }: CommandContext,
  name: string,
  { job, state, code, durationMs, attempt }: JobEnd,
  trouble: string | null,
): void {
  const fields = { state, ms: durationMs, attempt, code };
  if (state === 'failed')
    log.error(`${name}: ${job} failed${trouble === null ? '' : `: ${trouble}`}`, fields);
  else log.info(`${name}: ${job} ended`, fields);
}

/** How often the configurations are looked at. */
const RELOAD_MS = 5000;

/**
 * A configuration that cannot be read leaves the old one in force, and is told once. `take` is given what was read before it counts, and throws
 * `config_invalid` where what all stores share cannot be so.
 */
export async function keepReading(
  context: CommandContext,
  served: Served,
  take: (changed: ServedStore) => void,
): Promise<void> {
  const { signal, log } = context;
  let known = await stateOfFile(served.file);
  while (!signal.aborted) {
    await pause(RELOAD_MS, signal);
    const state = await stateOfFile(served.file);
    if (signal.aborted || state === known) continue;
    known = state;
    const read = await reread(context, served.file, (changed) => {
      if (changed.vault === served.current.vault) take(changed);
    });
    if ('failure' in read) {
      log.error(`${served.name}: the old configuration stays in force: ${read.failure.message}`);
    } else if (read.served.vault !== served.current.vault) {
      log.error(`${served.name}: another vault: start the daemon anew for that; the old one stays in force`);
    } else {
      served.current = read.served;
      await served.service.change(read.served.jobs);
      log.info(`${served.name}: the configuration was read anew`);
    }
  }
}
