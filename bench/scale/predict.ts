import {
  findCost,
  type Line,
  type StepCost,
  type Store,
  serialSeconds,
  type Work,
  type WorkCost,
} from './costs.ts';
import { type Job, type Place, simulate } from './simulate.ts';

/** What a command will take on the machine that was calibrated, by the same simulation that is asked about a hundred hosts. Pure. */

export interface Asked {
  readonly work: Work;
  readonly store: Store;
  readonly events: number;
  readonly parallel: number;
  /** Processors, shared by the command and its server. */
  readonly cores: number;
}

export interface Prediction {
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
}

/** Steps of which each of `--parallel` parts does a share; the others are done by one, or by as many as there are indexes. */
export const DIVIDED: ReadonlySet<string> = new Set(['reading events', 'verifying']);
/** Built at once, if more than one thing may be done at a time. */
const BY_INDEX = new Set(['building indexes']);
const INDEXES = 4;

export function predict(costs: readonly WorkCost[], asked: Asked): Prediction {
  const { steps } = findCost(costs, asked.work, asked.store);
  const jobs = steps.flatMap((step, place) => jobsOf(step, 2 * place, asked));
  const place: Place = {
    resources: [{ name: 'processors', kind: 'processors', perSecond: asked.cores }],
    ...{ workers: [], perGroup: 0 },
  };
  const lines = steps.flatMap((step) => {
    const { client, server } = linesFor(step, asked);
    return [client, server];
  });
  const cpuSeconds = lines.reduce((sum, line) => sum + at(line, asked.events), 0);
  return { wallSeconds: simulate(jobs, place).seconds, cpuSeconds };
}

function at({ fixed, perEvent }: Line, events: number): number {
  return fixed + perEvent * events;
}

function linesFor({ alone, few, two, twoFrom }: StepCost, { parallel, events }: Asked): StepCost['two'] {
  if (parallel === 1) return alone;
  return events < twoFrom ? few : two;
}

/** A step as jobs of a stage, and what of it only one can do as the next stage. */
function jobsOf(step: StepCost, stage: number, asked: Asked): Job[] {
  const { events } = asked;
  const parallel = events < step.twoFrom ? 1 : asked.parallel;
  const lanes = DIVIDED.has(step.name) ? parallel : BY_INDEX.has(step.name) ? Math.min(parallel, INDEXES) : 1;
  const job = (about: Partial<Job>): Job => ({
    ...{ group: 0, stage, beginSeconds: 0, units: events, secondsPerUnit: NO_TIME, demand: [] },
    ...{ hostDemand: { processor: 0, network: 0 }, needsWorker: false, ...about },
  });
  if (lanes === 1) {
    const { wall } = linesFor(step, asked);
    return [job({ beginSeconds: wall.fixed, secondsPerUnit: Math.max(NO_TIME, wall.perEvent) })];
  }
  const { wall, client, server } = step.two;
  const serial = serialSeconds(step);
  const divided = client.perEvent - serial;
  const lane = job({
    ...{ beginSeconds: wall.fixed, units: events / lanes, demand: [[0, divided + server.perEvent]] },
    secondsPerUnit: Math.max(NO_TIME, divided, server.perEvent),
  });
  const rest = job({ stage: stage + 1, secondsPerUnit: Math.max(NO_TIME, serial) });
  return [...Array.from({ length: lanes }, () => lane), rest];
}

/** A job has to take some time. */
const NO_TIME = 1e-12;
