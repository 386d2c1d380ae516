import { isBackupError } from '../../core/errors.ts';
import type { JobBegin, JobName } from '../../core/job.ts';
import { pause } from '../../core/pause.ts';
import type { Vault } from '../../core/vault.ts';
import type { AlertService } from '../../daemon/alerts.ts';
import type { KnownStatus } from '../../daemon/known-status.ts';
import type { Registry } from '../../daemon/registry.ts';
import { type CommandResult, stateOf } from '../../daemon/run-job.ts';
import { type StoreService, serveStore } from '../../daemon/serve-store.ts';
import { type Tracing, traceJob } from '../../daemon/tracing.ts';
import type { Turns } from '../../daemon/turns.ts';
import { type LeaveSilentOptions, leaveSilent } from '../../vaults/wrappers/leave-silent.ts';
import { openWhenUsed } from '../../vaults/wrappers/open-when-used.ts';
import { runJobCommand } from '../children/job-command.ts';
import type { ChildMessage } from '../children/messages.ts';
import { serverOf, vaultPlace } from '../fleet/places.ts';
import { underLease } from '../leases.ts';
import type { Log } from '../log.ts';
import { openVault, systemClock, systemHolder } from '../wire.ts';
import { beginAlerts, tellableTrouble } from './alerts.ts';
import { reread, type ServedStore, stateOfConfig } from './config.ts';
import type { ServeDefaults } from './jobs.ts';
import { logBegin, logEnd, passOn, type ServeContext } from './log.ts';
import { type AskStatus, followStatus } from './status.ts';

/** A store that this daemon serves. */
export interface Served {
  readonly name: string;
  readonly file: string;
  readonly service: StoreService;
  readonly alerts: AlertService;
  readonly status: KnownStatus;
  /** Ends what runs and closes the vault. */
  readonly stop: () => Promise<void>;
  /** Replaced when the file changes. */
  current: ServedStore;
}

/** What all stores of a daemon share. */
export interface Shared {
  readonly registry: Registry;
  readonly turns: Turns;
  /** What was answered of a store says nothing any more. */
  readonly forget: (store: string) => void;
  /** Asks a command how a store is, a few at a time. */
  readonly askStatus: AskStatus;
  /** Null: nobody traces. */
  readonly tracing: Tracing | null;
}

/** Throws as the vault does. */
export async function openServedVault({ vault: address }: Pick<ServedStore, 'vault'>): Promise<Vault> {
  const vault = openVault(address);
  try {
    await vault.open({ create: true });
    return vault;
  } catch (error) {
    await vault.close();
    throw error;
  }
}

/** An answer is waited for so long; then the vault is left alone for a while. */
const SILENT = { openMs: 10_000, restMs: 15_000 };

/**
 * For the start of a daemon: who starts it while a vault is away has jobs that wait for it, and is told. Throws what is no matter of time,
 * with none left open.
 */
export async function openVaults(
  context: ServeContext,
  stores: readonly ServedStore[],
  silent: LeaveSilentOptions = SILENT,
): Promise<Vault[]> {
  const opened = await Promise.allSettled(stores.map((store) => openNowOrLater(context, store, silent)));
  const vaults = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failure = opened.find((one) => one.status === 'rejected');
  if (failure === undefined) return vaults;
  await Promise.all(vaults.map((vault) => vault.close()));
  throw failure.reason;
}

async function openNowOrLater(
  context: ServeContext,
  store: ServedStore,
  silent: LeaveSilentOptions,
): Promise<Vault> {
  const vault = openWhenUsed(leaveSilent(openVault(store.vault), silent));
  try {
    await vault.open({ create: true });
  } catch (error) {
    if (!isBackupError(error, 'vault_unreachable')) {
      await vault.close();
      throw error;
    }
    context.log.about({ store: store.name }).error(`jobs wait for the vault: ${error.message}`);
  }
  return vault;
}

/** Begins the jobs of a store. `vault` is open or opens when it is used, and is closed when the store is stopped. */
export async function beginStore(
  context: ServeContext,
  store: ServedStore,
  { vault, registry, turns, tracing, forget, askStatus }: Shared & { readonly vault: Vault },
): Promise<Served> {
  const status = followStatus(context, store, askStatus, () => alerts.wake());
  const place: Place = { name: store.name, file: store.file, status, current: store };
  const alerts = beginAlerts(context, {
    ...{ name: store.name, vault, current: () => place.current, view: status.view },
  });
  const about = (job: JobName): Log => context.log.about({ store: store.name, job });
  const service = serveStore({
    ...{ vault, clock: systemClock, daemon: systemHolder, software: context.software, turns, registry },
    ...{ store: store.name, pause, steadyMs: () => performance.now() },
    place: { server: serverOf(store.settings.store), vault: vaultPlace(store.vault) },
    leaseOf: (job) => underLease(vault, {}, `job-${job}`),
    runCommand: (_, signal, begin) => runOne(context, place, begin, { signal, registry, tracing }),
    onFailure: (job, failure) => about(job).warn(`waits: ${failure.message}`),
    onEnd: (end, trouble) => {
      logEnd(about(end.job), end, trouble);
      const tellable = tellableTrouble(end, trouble);
      if (end.state === 'failed') registry.change(store.name, end.job, { lastTrouble: tellable });
      alerts.jobEnded(end.job, tellable);
      if (LEAVES_ALL_AS_IT_WAS.has(end.job)) return;
      status.touch();
      forget(store.name);
    },
  });
  const stopping = new AbortController();
  const following = status.keep(stopping.signal);
  const stop = async (): Promise<void> => {
    stopping.abort();
    await Promise.all([service.stop(), following]);
    await alerts.stop();
    await vault.close();
  };
  await service.change(store.jobs);
  return Object.assign(place, { service, alerts, stop });
}

type Place = Pick<Served, 'name' | 'file' | 'status' | 'current'>;

/** After the others what is known of the store may be another. */
const LEAVES_ALL_AS_IT_WAS: ReadonlySet<JobName> = new Set(['doctor', 'sample']);

interface Running extends Pick<Shared, 'registry' | 'tracing'> {
  readonly signal: AbortSignal;
}

async function runOne(
  context: ServeContext,
  { name, current, file, status }: Place,
  begin: JobBegin,
  { signal, registry, tracing }: Running,
): Promise<CommandResult> {
  const { job } = begin;
  const plan = current.jobs.find((one) => one.name === job)!;
  const { words, deadlineMs } = plan;
  const { env, cwd } = context;
  const log = context.log.about({ store: name, job });
  logBegin(log, begin, words);
  const onLog = (line: string): void => passOn(log, line);
  const onMessage = (message: ChildMessage): void => {
    if (message.kind === 'progress') registry.change(name, job, { progress: message.progress });
    else status.reach(message);
  };
  const traced = { store: name, begin, stateOf: (result: CommandResult) => stateOf(result, plan, signal) };
  const result = await traceJob(tracing, traced, (variables) =>
    runJobCommand({
      ...{ words, config: file, env: { ...env, ...variables }, cwd, deadlineMs, signal, onLog, onMessage },
    }),
  );
  if (job === 'archive') status.reach(null);
  return result;
}

/** The configurations are looked at; a vault that was not there is tried again, though the file did not change. */
const EVERY_MS = { look: 5000, tryAgain: 60_000 };

export interface Reading {
  /** All that this daemon serves; the one at `index` is looked after, and replaced where it has another vault. */
  readonly services: Served[];
  readonly index: number;
  readonly shared: Shared;
  /** Is given what was read before it counts. Throws `config_invalid` where what all stores share cannot be so. */
  readonly take: (changed: ServedStore) => void;
  /** What counts where a configuration says nothing; left out: as of a few stores. */
  readonly defaults?: (store: string) => ServeDefaults;
  /** Left out: as often as a daemon does. */
  readonly everyMs?: { readonly look: number; readonly tryAgain: number };
}

/** Has a change of a configuration count. One that cannot be read leaves the old one in force, and is told once. */
export async function keepReading(context: ServeContext, reading: Reading): Promise<void> {
  const { signal } = context;
  const { services, index, everyMs = EVERY_MS } = reading;
  const { name, file, current } = services[index]!;
  const log = context.log.about({ store: name });
  let known = current.fileState;
  let told: string | null = null;
  let triedMs = 0;
  while (!signal.aborted) {
    await pause(everyMs.look, signal);
    const state = await stateOfConfig(services[index]!.current);
    const isChanged = state !== known;
    const isDue = told !== null && performance.now() - triedMs >= everyMs.tryAgain;
    if (signal.aborted || !(isChanged || isDue)) continue;
    [known, triedMs] = [state, performance.now()];
    const read = await reread(context, file, reading.defaults, (changed) =>
      accept(changed, services[index]!, reading),
    );
    if ('failure' in read) {
      const { message } = read.failure;
      if (isChanged || message !== told) log.error(`the old configuration stays in force: ${message}`);
      told = message;
      continue;
    }
    told = null;
    await change(context, read, reading);
    log.info('the configuration was read anew');
  }
}

/** Opens the vault where it is another one: from here on nothing can fail. Throws where it cannot be so. */
async function accept(changed: ServedStore, { current }: Served, { take }: Reading): Promise<Vault | null> {
  const vault = changed.vault === current.vault ? null : await openServedVault(changed);
  try {
    take(changed);
    return vault;
  } catch (error) {
    await vault?.close();
    throw error;
  }
}

/** Another vault is another service: what runs is told to stop first. */
async function change(
  context: ServeContext,
  { served: changed, accepted: vault }: { readonly served: ServedStore; readonly accepted: Vault | null },
  { services, index, shared }: Reading,
): Promise<void> {
  const served = services[index]!;
  if (vault === null) {
    served.current = changed;
    await served.service.change(changed.jobs);
    served.status.touch();
    return;
  }
  await served.stop();
  shared.forget(served.name);
  services[index] = await beginStore(context, changed, { ...shared, vault });
}
