/** Kills a recovery at each of its moments and takes it up again, in a thread: a test runner that follows each promise takes several times as long. */
import { isDeepStrictEqual } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import type { StrategyKind } from '../../src/core/disaster.ts';
import { begin, driveWithKills } from './drive.ts';
import { makePlan } from './plans.ts';
import { startProcess } from './process.ts';
import { endState, HOME, makeWorld } from './world.ts';

export interface KillReport {
  readonly moments: number;
  /** What differed, by the moment. */
  readonly failures: readonly string[];
}

/** Entries of the journal and what is done to the world; copies, leases and marks are one in so many. */
const OTHERS_STEP = 9;

async function killEach(kind: StrategyKind): Promise<KillReport> {
  const world = makeWorld();
  const process = startProcess(world);
  const moments = new Map<number, string>();
  process.onMoment = (moment, what) => {
    const isOwn = !what.includes('memory:') || what.includes(`${HOME} disaster/`);
    if (isOwn || moment % OTHERS_STEP === 0) moments.set(moment, what);
  };
  await begin(process, await makePlan(world, kind));
  const wanted = endState(world);
  const failures: string[] = [];
  for (const [moment, what] of moments) {
    const difference = await killOnce(kind, moment, wanted).catch(String);
    if (difference !== null) failures.push(`${moment} ${what}: ${difference}`);
  }
  return { moments: moments.size, failures };
}

/** Null when the end is the same. */
async function killOnce(kind: StrategyKind, moment: number, wanted: object): Promise<string | null> {
  const world = makeWorld();
  const outcome = await driveWithKills(world, await makePlan(world, kind), [moment]);
  const found = endState(world);
  if (outcome.state !== 'recovered') return outcome.reasons.join('; ');
  return isDeepStrictEqual(found, wanted) ? null : JSON.stringify(found);
}

parentPort?.postMessage(await killEach(workerData as StrategyKind));
