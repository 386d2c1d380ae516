import { randomUUID } from 'node:crypto';
import type { Notifier } from '../../../src/core/alert.ts';
import type { Clock } from '../../../src/core/clock.ts';
import { BackupError, ERROR_CODES, isBackupError } from '../../../src/core/errors.ts';
import type { JobName } from '../../../src/core/job.ts';
import type { Vault } from '../../../src/core/vault.ts';
import { type AlertPorts, type AlertService, tellAlerts } from '../../../src/daemon/alerts.ts';
import { makeRegistry } from '../../../src/daemon/registry.ts';
import type { CommandResult, JobPlan } from '../../../src/daemon/run-job.ts';
import { serveStore } from '../../../src/daemon/serve-store.ts';
import { makeTurns } from '../../../src/daemon/turns.ts';
import { CAPS_OF_FEW } from '../../../src/policy/turns.ts';
import { withLease } from '../../../src/upkeep/lease.ts';
import { COMMANDS, type CommandPorts } from './commands.ts';
import { type BadRun, HOUR, isOut, MINUTE } from './faults.ts';
import { followStatus } from './status.ts';
import { gated, wayToStore, wayToVault } from './ways.ts';
import { type Run, say, type World, wallMs } from './world.ts';

/** A daemon in a process of its own, which may die. */
export interface Host {
  readonly name: string;
  change(plans: readonly JobPlan[]): Promise<void>;
  /** As by SIGTERM. */
  stop(): Promise<void>;
  /** As when the power fails: nothing of it goes on, not even what it had begun. */
  kill(): void;
}

interface Process {
  readonly name: string;
  isDead: boolean;
  readonly pause: (ms: number, signal?: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly vault: Vault;
  readonly west: Vault;
}

const DEADLINE_MS = 2 * HOUR;
export const REPEAT_MS = 24 * HOUR;

export function startHost(world: World, name: string, plans: readonly JobPlan[]): Host {
  const process = makeProcess(world, name);
  const { vault, clock, pause } = process;
  world.lives.push({ host: name, fromMs: world.time.now(), untilMs: null });
  say(world, `${name} starts`);
  const kill = (): void => killProcess(world, process);
  const status = followStatus(world, { vault, pause, onAsked: () => alerts.wake() });
  const alerts = startAlerts(world, process, plans, status.view);
  const stopping = new AbortController();
  const following = status.keep(stopping.signal);
  const turns = makeTurns(CAPS_OF_FEW, world.time.now);
  const service = serveStore({
    ...{ vault, clock, pause, daemon: name, software: 'test', turns, registry: makeRegistry() },
    place: { server: null, vault: 'here' },
    ...{ store: 'shop', steadyMs: world.time.now },
    leaseOf: (job) => leaseOf(world, process, vault, `job-${job}`),
    runCommand: (job, signal) => runCommand(world, process, job, signal, kill),
    onFailure: () => undefined,
    onEnd: ({ job }, trouble) => {
      alerts.jobEnded(job, trouble);
      if (job !== 'doctor') status.touch();
    },
  });
  void service.change(plans);
  return {
    name,
    kill,
    change: (changed) => service.change(changed),
    stop: async () => {
      say(world, `${name} is told to stop`);
      stopping.abort();
      await Promise.all([service.stop(), alerts.stop(), following]);
      endLife(world, name);
      say(world, `${name} has stopped`);
    },
  };
}

const never = <Result>(): Promise<Result> => new Promise(() => {});

function makeProcess(world: World, name: string): Process {
  const process: Process = {
    ...{ name, isDead: false },
    // Nothing of a dead process goes on: what it awaited never comes.
    pause: async (ms, signal) => {
      await world.time.pause(ms, signal);
      if (process.isDead) await never();
    },
    clock: { now: () => wallMs(world), uuid: randomUUID },
    vault: wayToVault(world, 'vault', () => process.isDead),
    west: wayToVault(world, 'west', () => process.isDead),
  };
  return process;
}

function killProcess(world: World, process: Process): void {
  if (process.isDead) return;
  process.isDead = true;
  for (const run of world.runs) {
    if (run.host !== process.name || run.state !== null) continue;
    Object.assign(run, { endedMs: world.time.now(), state: 'died' });
  }
  endLife(world, process.name);
  say(world, `${process.name} is killed`);
}

function endLife({ lives, time }: World, host: string): void {
  const life = lives.find((one) => one.host === host);
  if (life !== undefined) life.untilMs ??= time.now();
}

/** Longer than in a real daemon: each renewal costs as much as a look at a job, and some are held for a fortnight. */
const LEASE_MS = 4 * MINUTE;

function leaseOf({ time }: World, { clock, name, pause }: Process, vault: Vault, lease: string) {
  const ports = { clock, holder: name, steadyMs: time.now, pause };
  return <Result>(work: Parameters<typeof withLease<Result>>[3]): Promise<Result> =>
    withLease(vault, lease, ports, work, { ttlMs: LEASE_MS });
}

/** From shortest to longest, in minutes. */
const LASTS: Partial<Record<JobName, readonly [number, number]>> = {
  ...{ full: [4, 15], incremental: [0.2, 2], sync: [1, 10], prune: [0.5, 3] },
  ...{ verify: [5, 25], drill: [5, 15], doctor: [0.1, 0.4] },
};

async function runCommand(
  world: World,
  process: Process,
  job: JobName,
  signal: AbortSignal,
  kill: () => void,
): Promise<CommandResult> {
  const run: Run = {
    job,
    host: process.name,
    beganMs: world.time.now(),
    endedMs: null,
    state: null,
    note: '',
  };
  world.runs.push(run);
  const result = await (job === 'archive'
    ? archive(world, process, signal)
    : work(world, process, run, signal, kill));
  // A process that died sees no end.
  if (process.isDead) return never();
  const state = result.exitCode === 0 ? 'succeeded' : signal.aborted ? 'interrupted' : 'failed';
  Object.assign(run, { endedMs: world.time.now(), state, note: run.note || (result.code ?? '') });
  return result;
}

const ended = (exitCode: number | null, code: string | null): CommandResult => ({
  ...{ exitCode, code, trouble: code, facts: {} },
});

/** Runs until something is wrong; where the store is away when it begins, it tries for a while. */
async function archive(
  { random, time, faults }: World,
  { pause }: Process,
  signal: AbortSignal,
): Promise<CommandResult> {
  const goesMs = random.below(3) === 0 ? random.below(20 * HOUR) : 40 * HOUR;
  const isAway = isOut(faults, 'store', time.now(), 'away');
  await pause(isAway ? 5 * MINUTE + random.below(4 * MINUTE) : goesMs, signal);
  return signal.aborted ? ended(130, 'interrupted') : ended(5, 'store_unreachable');
}

async function work(
  world: World,
  process: Process,
  run: Run,
  signal: AbortSignal,
  kill: () => void,
): Promise<CommandResult> {
  const [least, most] = LASTS[run.job]!;
  const half = ((least + world.random.unit() * (most - least)) * MINUTE) / 2;
  const bad = takeBad(world, run);
  await process.pause(bad?.manner === 'hangs' ? DEADLINE_MS : half, signal);
  if (signal.aborted) return ended(130, 'interrupted');
  if (bad?.manner === 'hangs') return ended(null, null);
  const { isCut, error } = await world.time.during(() => workOnce(world, process, run.job, bad));
  if (isCut && bad?.manner === 'takes the daemon along') {
    kill();
    world.onDeath();
  }
  if (isCut) return ended(null, null);
  await process.pause(half, signal);
  if (error === null) return ended(0, null);
  if (isBackupError(error)) return ended(ERROR_CODES[error.code].exitCode, error.code);
  world.broken.push(error);
  return ended(1, 'internal');
}

function takeBad({ faults, spent, time }: World, run: Run): BadRun | null {
  const at = faults.badRuns.findIndex(
    ({ job, fromMs }, i) => job === run.job && fromMs <= time.now() && !spent.has(i),
  );
  if (at === -1) return null;
  spent.add(at);
  run.note = faults.badRuns[at]!.manner;
  return faults.badRuns[at]!;
}

/** `isCut`: its process died on its way, so whatever it left is there. */
async function workOnce(
  world: World,
  process: Process,
  job: JobName,
  bad: BadRun | null,
): Promise<{ readonly isCut: boolean; readonly error: unknown }> {
  let calls = 0;
  const isCut = (): boolean => bad !== null && calls >= bad.atCall;
  const dying = (vault: Vault): Vault =>
    gated(vault, async () => {
      calls += 1;
      if (isCut()) throw new BackupError('internal', 'dies on purpose');
    });
  const ports: CommandPorts = {
    store: wayToStore(world),
    ...{ vault: dying(process.vault), west: dying(process.west), clock: process.clock },
    leaseOf: (vault) => leaseOf(world, process, vault, 'upkeep'),
  };
  try {
    await COMMANDS[job]!(world, ports);
    return { isCut: isCut(), error: null };
  } catch (error) {
    return { isCut: isCut(), error };
  }
}

function startAlerts(
  world: World,
  process: Process,
  plans: readonly JobPlan[],
  view: AlertPorts['view'],
): AlertService {
  const { vault, clock, name, pause } = process;
  const names = new Set(plans.map((plan) => plan.name));
  const notifier: Notifier = {
    name: 'pager',
    notify: async (alert) => {
      await pause(world.random.below(5000));
      world.told.push({ key: alert.key, state: alert.state, id: alert.id, atMs: world.time.now() });
      say(world, `told: ${alert.state}, ${alert.title}`);
    },
    close: async () => undefined,
  };
  return tellAlerts({
    ...{ vault, clock, daemon: name, software: 'test', subject: 'memory:', store: 'shop', pause },
    underLease: leaseOf(world, process, vault, 'alerts'),
    view,
    notifiers: () => [{ name: 'pager' }],
    repeatAfterMs: () => REPEAT_MS,
    countsFrom: (job) => (names.has(job) ? 2 : null),
    openNotifiers: async () => [notifier],
    ...{ random: () => world.random.unit(), steadyMs: world.time.now, onUntold: () => undefined },
  });
}
