import { type Claim, type Demand, type Resource, type Share, shareOut } from './shares.ts';

/**
 * Jobs over workers, event by event: a job waits for those before it in its group (a store), is taken by an idle worker, begins
 * (latencies, during which nothing is used up), then works at the rate that its share of everything allows. Pure: the same
 * input gives the same outcome.
 */

export interface Job {
  /** A store. Its stages come one after the other: a job of stage 1 waits for all of stage 0. */
  readonly group: number;
  readonly stage: number;
  /** Seconds in which a worker has it and uses nothing up. */
  readonly beginSeconds: number;
  /** Events. May be 0. */
  readonly units: number;
  /** Seconds an event takes where nobody else wants anything. Greater than 0. */
  readonly secondsPerUnit: number;
  /** Of resources that are the same whoever works. */
  readonly demand: Demand;
  /** Seconds of a processor, and bytes of the line, of the host of whoever works. */
  readonly hostDemand: { readonly processor: number; readonly network: number };
  /** False: done where the store or its coordinator is, by no worker. */
  readonly needsWorker: boolean;
}

export interface Place {
  readonly resources: readonly Resource[];
  /** For each worker, the numbers of its host's resources. */
  readonly workers: readonly { readonly processor: number; readonly network: number }[];
  /** Jobs with a worker that one group may have at once. */
  readonly perGroup: number;
}

export interface Failures {
  readonly seed: number;
  /** How long a worker lives on average. */
  readonly meanSeconds: number;
  /** Until the queue gives its job to another, and until the worker is back. */
  readonly noticedSeconds: number;
  readonly backSeconds: number;
  /** A job that was lost so often is given up, and with it what comes after it in its group. */
  readonly attempts: number;
}

export interface Outcome {
  readonly seconds: number;
  readonly done: number;
  readonly givenUp: number;
  readonly attemptsLost: number;
  readonly unitsDone: number;
  /** Of attempts that were lost: done for nothing. */
  readonly unitsLost: number;
  /** By resource: how much of it was used; and the most that was used at one time, as a part of what there is. */
  readonly used: readonly number[];
  readonly peak: readonly number[];
  /** Seconds of jobs, all jobs' together, by what kept them from being done sooner: a kind of resource, OWN_PACE or BEGINNING. */
  readonly spent: Readonly<Record<string, number>>;
  /** Seconds in which workers had no job, all workers' together. */
  readonly idleSeconds: number;
}

export const OWN_PACE = 'own pace';
const BEGINNING = 'beginning';

interface Running {
  readonly job: number;
  /** Null: none is needed. */
  readonly worker: number | null;
  readonly claim: Claim;
  beginSeconds: number;
  unitsLeft: number;
  share: Share;
}

interface Worker {
  /** When it fails next. */
  failsAt: number;
  /** From when on it takes jobs. */
  isBackAt: number;
  running: Running | null;
}

interface Group {
  /** Numbers of jobs, by stage. */
  readonly stages: number[][];
  stage: number;
  /** Jobs of its stage that are not over. */
  open: number;
  taken: number;
}

interface State {
  readonly jobs: readonly Job[];
  readonly place: Place;
  readonly failures: Failures | null;
  readonly lifetime: () => number;
  readonly workers: readonly Worker[];
  readonly groups: readonly Group[];
  readonly running: Set<Running>;
  /** Jobs that a worker may take, in their order. */
  readonly waiting: Set<number>;
  /** Lost ones that the queue has not noticed yet. */
  postponed: { readonly job: number; readonly at: number }[];
  readonly losses: Uint16Array;
  readonly used: Float64Array;
  readonly peak: Float64Array;
  /** Seconds of jobs: held up by each resource, at their own pace, beginning. */
  readonly limited: Float64Array;
  ownPace: number;
  beginning: number;
  readonly counts: { done: number; givenUp: number; lost: number; unitsDone: number; unitsLost: number };
  now: number;
  idleSeconds: number;
}

export function simulate(jobs: readonly Job[], place: Place, failures: Failures | null = null): Outcome {
  const state = begin(jobs, place, failures);
  for (const group of state.groups) nextStage(state, group);
  for (;;) {
    giveJobs(state);
    if (state.running.size + state.waiting.size + state.postponed.length === 0) break;
    share(state);
    pass(state, nextEvent(state));
    endJobs(state);
    failWorkers(state);
    notice(state);
  }
  const { done, givenUp, lost: attemptsLost, unitsDone, unitsLost } = state.counts;
  const { now: seconds, idleSeconds } = state;
  const used = [...state.used];
  const peak = [...state.peak];
  const spent = spentOf(state);
  return { seconds, done, givenUp, attemptsLost, unitsDone, unitsLost, used, peak, spent, idleSeconds };
}

function spentOf({ limited, ownPace, beginning, place }: State): Record<string, number> {
  const spent: Record<string, number> = { [OWN_PACE]: ownPace, [BEGINNING]: beginning };
  for (const [resource, seconds] of limited.entries()) {
    const { kind } = place.resources[resource]!;
    if (seconds > 0) spent[kind] = (spent[kind] ?? 0) + seconds;
  }
  return spent;
}

function begin(jobs: readonly Job[], place: Place, failures: Failures | null): State {
  const random = makeRandom(failures?.seed ?? 1);
  const lifetime = (): number =>
    failures === null ? Number.POSITIVE_INFINITY : -Math.log(1 - random()) * failures.meanSeconds;
  return {
    ...{ jobs, place, failures, lifetime },
    workers: place.workers.map((): Worker => ({ failsAt: lifetime(), isBackAt: 0, running: null })),
    groups: groupsOf(jobs),
    ...{ running: new Set(), waiting: new Set(), postponed: [], losses: new Uint16Array(jobs.length) },
    used: new Float64Array(place.resources.length),
    peak: new Float64Array(place.resources.length),
    limited: new Float64Array(place.resources.length),
    ...{ ownPace: 0, beginning: 0, now: 0, idleSeconds: 0 },
    counts: { done: 0, givenUp: 0, lost: 0, unitsDone: 0, unitsLost: 0 },
  };
}

function groupsOf(jobs: readonly Job[]): Group[] {
  const groups = new Map<number, Group>();
  for (const [index, { group, stage }] of jobs.entries()) {
    const known = groups.get(group) ?? { stages: [], stage: -1, open: 0, taken: 0 };
    groups.set(group, known);
    const stageJobs = known.stages[stage] ?? [];
    known.stages[stage] = stageJobs;
    stageJobs.push(index);
  }
  const last = Math.max(-1, ...groups.keys());
  return Array.from({ length: last + 1 }, (_, group) => groups.get(group) ?? noJobs());
}

function noJobs(): Group {
  return { stages: [], stage: -1, open: 0, taken: 0 };
}

/** The next stage of a group that has jobs. */
function nextStage(state: State, group: Group): void {
  while (group.open === 0 && group.stage + 1 < group.stages.length) {
    group.stage += 1;
    const jobs = group.stages[group.stage] ?? [];
    group.open = jobs.length;
    for (const job of jobs) {
      if (state.jobs[job]!.needsWorker) state.waiting.add(job);
      else start(state, job, null);
    }
  }
}

/** To idle workers, in the order of the jobs, as many for each group as it may have. */
function giveJobs(state: State): void {
  const idle = [...state.workers.keys()].filter((index) => isIdle(state, state.workers[index]!));
  if (idle.length === 0) return;
  for (const job of state.waiting) {
    if (idle.length === 0) return;
    const group = state.groups[state.jobs[job]!.group]!;
    if (group.taken >= state.place.perGroup) continue;
    state.waiting.delete(job);
    group.taken += 1;
    start(state, job, idle.shift()!);
  }
}

function isIdle({ now }: State, { running, isBackAt }: Worker): boolean {
  return running === null && isBackAt <= now;
}

function start(state: State, index: number, worker: number | null): void {
  const { demand, hostDemand, secondsPerUnit, beginSeconds, units } = state.jobs[index]!;
  const host = worker === null ? null : state.place.workers[worker]!;
  const ofHost: Demand =
    host === null
      ? []
      : [...demandOf(host.processor, hostDemand.processor), ...demandOf(host.network, hostDemand.network)];
  const claim: Claim = { demand: [...demand, ...ofHost], unitsPerSecond: 1 / secondsPerUnit };
  const share: Share = { rate: 0, limit: null };
  const running: Running = { job: index, worker, claim, beginSeconds, unitsLeft: units, share };
  state.running.add(running);
  if (worker !== null) state.workers[worker]!.running = running;
}

function demandOf(resource: number, perUnit: number): Demand {
  return perUnit > 0 ? [[resource, perUnit]] : [];
}

/** Everything that works gets its rate anew. */
function share(state: State): void {
  const working = [...state.running].filter(({ beginSeconds }) => beginSeconds <= 0);
  const shares = shareOut(
    working.map(({ claim }) => claim),
    state.place.resources,
  );
  working.forEach((running, i) => {
    running.share = shares[i]!;
  });
}

/** Seconds until something happens. */
function nextEvent({ running, workers, postponed, waiting, now }: State): number {
  let seconds = Number.POSITIVE_INFINITY;
  for (const { beginSeconds, unitsLeft, share } of running) {
    seconds = Math.min(
      seconds,
      beginSeconds > 0 ? beginSeconds : unitsLeft === 0 ? 0 : unitsLeft / share.rate,
    );
  }
  for (const { at } of postponed) seconds = Math.min(seconds, at - now);
  for (const worker of workers) {
    if (worker.running !== null) seconds = Math.min(seconds, worker.failsAt - now);
    else if (waiting.size > 0 && worker.isBackAt > now) seconds = Math.min(seconds, worker.isBackAt - now);
  }
  return Math.max(0, seconds);
}

/** Lets so much time go by. */
function pass(state: State, seconds: number): void {
  const { resources } = state.place;
  const rates = new Float64Array(resources.length);
  for (const running of state.running) {
    if (running.beginSeconds > 0) {
      running.beginSeconds = left(running.beginSeconds, seconds);
      state.beginning += seconds;
      continue;
    }
    const { rate, limit } = running.share;
    running.unitsLeft = left(running.unitsLeft, rate * seconds);
    if (limit === null) state.ownPace += seconds;
    else state.limited[limit]! += seconds;
    for (const [resource, perUnit] of running.claim.demand) rates[resource]! += perUnit * rate;
  }
  for (const [resource, rate] of rates.entries()) {
    if (rate === 0 || seconds === 0) continue;
    state.used[resource]! += rate * seconds;
    state.peak[resource] = Math.max(state.peak[resource]!, rate / resources[resource]!.perSecond);
  }
  for (const { running } of state.workers) if (running === null) state.idleSeconds += seconds;
  state.now += seconds;
}

/** Of what was there; a rest that only rounding left is none. */
function left(there: number, taken: number): number {
  const rest = there - taken;
  return rest <= there * 1e-9 + 1e-12 ? 0 : rest;
}

function endJobs(state: State): void {
  for (const running of state.running) {
    if (running.beginSeconds > 0 || running.unitsLeft > 0) continue;
    takeBack(state, running);
    state.counts.done += 1;
    state.counts.unitsDone += state.jobs[running.job]!.units;
    close(state, running.job);
  }
}

function takeBack(state: State, running: Running): void {
  state.running.delete(running);
  if (running.worker === null) return;
  state.workers[running.worker]!.running = null;
  state.groups[state.jobs[running.job]!.group]!.taken -= 1;
}

function close(state: State, job: number): void {
  const group = state.groups[state.jobs[job]!.group]!;
  group.open -= 1;
  nextStage(state, group);
}

function failWorkers(state: State): void {
  const { failures, now } = state;
  if (failures === null) return;
  for (const worker of state.workers) {
    if (worker.failsAt > now) continue;
    worker.isBackAt = now + failures.backSeconds;
    worker.failsAt = worker.isBackAt + state.lifetime();
    if (worker.running !== null) lose(state, failures, worker.running);
  }
}

/** What an attempt had done is done again by the next one: its file was not finished. */
function lose(state: State, failures: Failures, running: Running): void {
  const { job, unitsLeft } = running;
  takeBack(state, running);
  state.counts.lost += 1;
  state.counts.unitsLost += state.jobs[job]!.units - unitsLeft;
  state.losses[job]! += 1;
  if (state.losses[job]! < failures.attempts) {
    state.postponed.push({ job, at: state.now + failures.noticedSeconds });
    return;
  }
  state.counts.givenUp += 1;
  // Nothing that builds on it is begun; what is under way ends.
  state.groups[state.jobs[job]!.group]!.stages.length = state.groups[state.jobs[job]!.group]!.stage + 1;
  close(state, job);
}

function notice(state: State): void {
  const { now } = state;
  const noticed = state.postponed.filter(({ at }) => at <= now);
  if (noticed.length === 0) return;
  state.postponed = state.postponed.filter(({ at }) => at > now);
  for (const { job } of noticed) state.waiting.add(job);
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
