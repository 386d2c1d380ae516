/** Kills a recovery at each of its moments and takes it up again, in a thread: a test runner that follows each promise takes several times as long. */
import { isDeepStrictEqual } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import type { StrategyKind } from '../../src/core/disaster.ts';
import { begin, driveWithKills } from './drive.ts';
import { makePlan } from './plans.ts';
import { startProcess } from './process.ts';
import { endState, HOME, killEast, makeWorld, type World } from './world.ts';

export interface KillReport {
  readonly moments: number;
  /** What differed, by the moment. */
  readonly failures: readonly string[];
}

/** Entries of the journal and what is done to the world; copies, leases and marks are one in so many. */
const OTHERS_STEP = 9;

export interface KillCase {
  readonly kind: StrategyKind;
  /** Of the primary. */
  readonly isDead: boolean;
}

async function killEach(of: KillCase): Promise<KillReport> {
  const world = worldOf(of);
  const process = startProcess(world);
  const moments = new Map<number, string>();
  process.onMoment = (moment, what) => {
    const isOwn = !what.includes('memory:') || what.includes(`${HOME} disaster/`);
    if (isOwn || moment % OTHERS_STEP === 0) moments.set(moment, what);
  };
  const { state } = await begin(process, await makePlan(world, of.kind));
  const wanted = endState(world);
  const failures: string[] = [];
  for (const [moment, what] of moments) {
    const difference = await killOnce(of, moment, { state, wanted }).catch(String);
    if (difference !== null) failures.push(`${moment} ${what}: ${difference}`);
  }
  return { moments: moments.size, failures };
}

/** Null when the end is the same. */
async function killOnce(
  of: KillCase,
  moment: number,
  { state, wanted }: { readonly state: string; readonly wanted: object },
): Promise<string | null> {
  const world = worldOf(of);
  const outcome = await driveWithKills(world, await makePlan(world, of.kind), [moment]);
  const found = endState(world);
  if (outcome.state !== state) return outcome.reasons.join('; ');
  return isDeepStrictEqual(found, wanted) ? null : JSON.stringify(found);
}

function worldOf({ isDead }: KillCase): World {
  const world = makeWorld();
  if (isDead) killEast(world);
  return world;
}

parentPort?.postMessage(await killEach(workerData as KillCase));
