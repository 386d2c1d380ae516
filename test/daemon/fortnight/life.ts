import type { JobName } from '../../../src/core/job.ts';
import type { JobPlan, Lane } from '../../../src/daemon/run-job.ts';
import type { Cron } from './calendar.ts';
import { DAY, type Death, HOUR, MINUTE } from './faults.ts';
import { type Host, startHost } from './host.ts';
import { makeWorld, say, type World } from './world.ts';

/** When each job of a schedule is due, at first and after each change of the configuration. */
export const SCHEDULES: readonly Readonly<Partial<Record<JobName, string>>>[] = [
  {
    full: '15 2 * * *',
    incremental: '0 */6 * * *',
    sync: '30 1,13 * * *',
    prune: '45 2 * * *',
    verify: '0 5 * * *',
    drill: '0 6 * * 1,4',
  },
  {
    full: '20 1 * * *',
    incremental: '0 */6 * * *',
    sync: '0 */4 * * *',
    prune: '45 2 * * *',
    verify: '0 5,17 * * *',
    drill: '0 6 * * 1,4',
  },
  {
    full: '15 2 * * *',
    incremental: '30 */6 * * *',
    sync: '30 1,13 * * *',
    prune: '45 2 * * *',
    verify: '0 5 * * *',
  },
];

export const LANES: Readonly<Partial<Record<JobName, Lane>>> = {
  ...{
    full: 'backup',
    incremental: 'backup',
    sync: 'upkeep',
    prune: 'upkeep',
    verify: 'proof',
    drill: 'proof',
  },
};

export const JITTER_MS = 2 * MINUTE;
export const DOCTOR_EVERY_MS = 3 * HOUR;

function plansOf(schedule: (typeof SCHEDULES)[number], timeZone: string): JobPlan[] {
  const timed = Object.entries(schedule).map(([name, cron]): JobPlan => {
    const timing = { kind: 'schedule', schedule: { cron, timeZone } } as const;
    const job = name as JobName;
    const spread = { key: job, windowMs: JITTER_MS, rpoMs: null };
    return { name: job, timing, spread, succeedsWith: [], lane: LANES[job]! };
  });
  const spread = { key: '', windowMs: 0, rpoMs: null };
  const common = { spread, succeedsWith: [], lane: 'own' } as const;
  return [
    ...timed,
    { ...common, name: 'doctor', timing: { kind: 'interval', everyMs: DOCTOR_EVERY_MS } },
    { ...common, name: 'archive', timing: { kind: 'always' } },
  ];
}

/** Which schedule is in force from when on. */
export function schedulesIn({ faults }: World): { readonly fromMs: number; readonly index: number }[] {
  return [0, ...faults.reloads].map((fromMs, i) => ({ fromMs, index: i % SCHEDULES.length }));
}

/** The schedule of a job that was in force at an instant; null when there was none. */
export function cronAt(world: World, job: JobName, atMs: number): Cron | null {
  const { index } = schedulesIn(world).findLast(({ fromMs }) => fromMs <= atMs)!;
  const cron = SCHEDULES[index]![job];
  return cron === undefined ? null : { cron, timeZone: world.timeZone };
}

/** Lets daemons serve a store for so many days, while what a seed decides goes wrong. */
export async function live(seed: number, days: number): Promise<World> {
  const world = await makeWorld(seed, days);
  const { time, faults } = world;
  const current = { host: null as Host | null, plans: plansOf(SCHEDULES[0]!, world.timeZone), number: 0 };
  const start = (): void => {
    current.number += 1;
    current.host = startHost(world, `daemon ${current.number}`, current.plans);
    // One that dies by itself is started again, as by systemd.
    world.onDeath = () => void again(2 * MINUTE);
  };
  const again = async (afterMs: number): Promise<void> => {
    current.host = null;
    await time.pause(afterMs);
    if (current.host === null) start();
  };
  const die = async ({ manner, atMs, againAtMs }: Death): Promise<void> => {
    await time.pause(atMs);
    const { host } = current;
    if (host === null) return;
    world.onDeath = () => undefined;
    current.host = null;
    if (manner === 'killed') host.kill();
    else await host.stop();
    await time.pause(againAtMs - time.now());
    if (current.host === null) start();
  };
  const reload = async (atMs: number, index: number): Promise<void> => {
    await time.pause(atMs);
    current.plans = plansOf(SCHEDULES[index]!, world.timeZone);
    say(world, `the configuration changes: schedule ${index}`);
    await current.host?.change(current.plans);
  };
  const tellOf = async (atMs: number, text: string): Promise<void> => {
    await time.pause(atMs);
    say(world, text);
  };
  start();
  for (const death of faults.deaths) void die(death);
  for (const { fromMs, index } of schedulesIn(world).slice(1)) void reload(fromMs, index);
  for (const { place, manner, fromMs, untilMs } of faults.outages) {
    void tellOf(fromMs, `${place} is ${manner}`);
    void tellOf(untilMs, `${place} is no longer ${manner}`);
  }
  for (const { atMs, byMs } of faults.steps)
    void tellOf(atMs, `the clock is set by ${Math.round(byMs / MINUTE)} minutes`);
  await time.goOn(days * DAY);
  return world;
}
