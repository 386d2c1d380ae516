import type { JobName } from '../../../src/core/job.ts';
import type { JobPlan } from '../../../src/daemon/run-job.ts';
import { makeRandom } from '../../../src/testing/random.ts';
import { occurrences } from './calendar.ts';
import { HOUR, MINUTE } from './faults.ts';
import { type Host, startHost } from './host.ts';
import { overlaps, type Problem, runTwice, time } from './oracle.ts';
import { makeWorld, say, type World } from './world.ts';

/** Two daemons over one vault, of which one or the other is killed at random and comes back. */

const CRONS: Readonly<Partial<Record<JobName, string>>> = {
  incremental: '*/10 * * * *',
  sync: '*/15 * * * *',
  verify: '5 * * * *',
};
const LANES = { incremental: 'backup', sync: 'upkeep', verify: 'proof' } as const;
/** A lease that ends, a look at it every five minutes, and the run itself. */
const TAKEN_UP_MS = 9 * MINUTE;

export async function liveAsPair(seed: number, hours: number): Promise<World> {
  const world = await makeWorld(seed, (hours + 1) / 24, 'none');
  const random = makeRandom(seed + 7_000_000);
  const plans = Object.entries(CRONS).map(([name, cron]): JobPlan => {
    const timing = { kind: 'schedule', schedule: { cron, timeZone: world.timeZone } } as const;
    const job = name as keyof typeof LANES;
    const spread = { key: job, windowMs: 20_000, rpoMs: null };
    return { name: job, timing, spread, succeedsWith: [], lane: LANES[job] };
  });
  const { time: simulated } = world;
  const keep = async (name: string, firstMs: number): Promise<void> => {
    await simulated.pause(firstMs);
    for (let number = 1; ; number += 1) {
      const host: Host = startHost(world, `${name}${number}`, plans);
      await simulated.pause(2 * MINUTE + random.below(25 * MINUTE));
      if (random.below(4) === 0) await host.stop();
      else host.kill();
      await simulated.pause(1000 + random.below(4 * MINUTE));
    }
  };
  void keep('a', 1);
  void keep('b', 1 + random.below(MINUTE));
  await simulated.goOn(hours * HOUR);
  say(world, 'the end');
  return world;
}

export function pairProblems(world: World, hours: number): Problem[] {
  const jobs = Object.keys(CRONS) as JobName[];
  return [
    ...world.broken.map((error) => ({ atMs: 0, text: `a command broke: ${String(error)}` })),
    ...overlaps(world),
    ...runTwice(world),
    ...jobs.flatMap((job) => notOnce(world, job, hours)),
  ];
}

/** Each time has one run that went well, unless a run for it or for one before it died over and over. */
function notOnce(world: World, job: JobName, hours: number): Problem[] {
  const { baseMs, timeZone, written } = world;
  const untilMs = baseMs + hours * HOUR - 2 * TAKEN_UP_MS - 20 * MINUTE;
  const ends = written.filter((one) => one.job === job && one.kind === 'end' && one.state === 'succeeded');
  return occurrences({ cron: CRONS[job]!, timeZone }, baseMs + MINUTE, untilMs).flatMap((wantedMs) => {
    const atMs = wantedMs - baseMs;
    const own = ends.filter((one) => one.wantedMs === wantedMs).length;
    if (own === 1) return [];
    if (own === 0 && wasAtIt(world, job, atMs)) return [];
    return [{ atMs, text: `${job} went well ${own} times for ${time(wantedMs)}` }];
  });
}

/** It died again and again, and was taken up each time, until it went well or the end came. */
function wasAtIt({ runs, time: simulated }: World, job: JobName, fromMs: number): boolean {
  const mine = runs.filter((run) => run.job === job).sort((a, b) => a.beganMs - b.beganMs);
  const before = mine.findLast(({ beganMs }) => beganMs <= fromMs);
  let busyMs = Math.max(fromMs, before?.endedMs ?? fromMs);
  for (const run of mine.filter(({ beganMs }) => beganMs > fromMs)) {
    if (run.beganMs > busyMs + TAKEN_UP_MS) return false;
    if (run.state === 'succeeded') return true;
    busyMs = run.endedMs ?? simulated.now();
  }
  return simulated.now() - busyMs <= TAKEN_UP_MS;
}
