import type { Clock } from '../core/clock.ts';
import { type ErrorRecord, reviveError } from '../core/error-record.ts';
import { BackupError, isBackupError } from '../core/errors.ts';
import { pause } from '../core/pause.ts';
import type { JobGroup, JobStanding, OfferedJob, WorkQueue, WorkRun } from '../core/work-queue.ts';
import { BEAT_MS, type JobOrder, PRIORITY, type Purpose } from './protocol.ts';
import { openData, type QueueKey, sealData } from './sealed.ts';

export interface OfferPorts {
  readonly queue: WorkQueue;
  readonly key: QueueKey;
  readonly clock: Clock;
  /** Words for people: nobody takes the jobs, the queue is away, it is back. */
  readonly onWord: (word: string) => void;
}

export interface OfferOptions extends Omit<WorkRun, 'id'> {
  readonly purpose: Purpose;
  /** See `JobOrder`. */
  readonly names: unknown;
}

export interface JobToDo {
  readonly kind: string;
  readonly input: unknown;
  readonly group: JobGroup;
}

export interface OfferHooks {
  readonly onProgress?: (events: number, bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** A coordinator's side of the queue. */
export interface JobOffers {
  /**
   * Has a job done by a worker and gives its result. Throws what it failed with, `interrupted`, or `queue_unreachable` when the queue was
   * away, or nobody took a job, for too long.
   */
  have(job: JobToDo, hooks: OfferHooks): Promise<unknown>;
  /** Takes away what is left in the queue. */
  close(): Promise<void>;
}

/** The queue says when something became of a job; where the word is lost, it is looked so often. */
const LOOK_EVERY_MS = 500;
const OFFER_AGAIN_MS = 1000;
/** The word may come a little before what it tells of. */
const LOOK_AGAIN_MS = [4, 12, 30, 80];
/** People are told after this that nobody works. */
const TELL_AFTER_MS = 15_000;
/** A view of the store that is held open for nothing does it harm; and who waits wants to know. */
const PATIENCE_MS = 10 * 60_000;

interface Pending {
  readonly id: string;
  readonly hooks: OfferHooks;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** Events and bytes that were told. An attempt that begins anew tells nothing before it is further. */
  readonly told: { events: number; bytes: number };
  /** The queue has it. */
  isOffered: boolean;
  /** Its result is being fetched. */
  isSettled: boolean;
}

interface Offers {
  readonly ports: OfferPorts;
  readonly options: OfferOptions;
  readonly runId: string;
  readonly pending: Map<string, Pending>;
  readonly all: string[];
  /** When there was last a sign of somebody who works, or nothing to do. */
  movedAtMs: number;
  isTold: boolean;
  /** When it was last asked who works. */
  askedAtMs: number;
  looking: Looking | null;
}

/** Begins a run. Throws what the queue throws. */
export async function openOffers(ports: OfferPorts, options: OfferOptions): Promise<JobOffers> {
  const { queue, clock } = ports;
  const runId = clock.uuid();
  const offers: Offers = {
    ...{
      ports,
      options,
      runId,
      pending: new Map(),
      all: [],
      movedAtMs: clock.now(),
      isTold: false,
      askedAtMs: 0,
    },
    looking: null,
  };
  const [unlisten] = await Promise.all([
    queue.listen(runId, () => offers.looking?.told()),
    queue.beginRun({ id: runId, what: options.what, holder: options.holder }),
  ]);
  // From here on nothing fails: what goes on by itself has somebody who ends it.
  const looking = lookAgainAndAgain(offers);
  offers.looking = looking;
  const beat = setInterval(() => void queue.beat(runId).catch(() => undefined), BEAT_MS);
  return {
    have: (job, hooks) => have(offers, job, hooks),
    close: async () => {
      clearInterval(beat);
      looking.stop();
      await Promise.all([unlisten(), queue.endRun(runId, offers.all).catch(() => undefined)]);
    },
  };
}

async function have(offers: Offers, job: JobToDo, hooks: OfferHooks): Promise<unknown> {
  const { ports, options, runId, pending } = offers;
  const { signal } = hooks;
  if (signal?.aborted) throw interrupted();
  const id = ports.clock.uuid();
  const order: JobOrder = { input: job.input, names: options.names };
  const payload = await sealData(ports.key, { what: 'job', jobId: id, attempt: -1 }, order);
  if (pending.size === 0) offers.movedAtMs = ports.clock.now();
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const told = { events: 0, bytes: 0 };
  const own: Pending = { ...{ id, hooks, resolve, reject, told }, isOffered: false, isSettled: false };
  pending.set(id, own);
  offers.all.push(id);
  const onAbort = (): void => {
    void ports.queue.cancel([id]).catch(() => undefined);
    reject(interrupted());
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const { kind, group } = job;
    const offered = { id, runId, kind, payload, group, priority: PRIORITY[options.purpose] };
    // Whoever is interrupted meanwhile, or gives up, need not wait for it.
    await Promise.race([offerPatiently(offers, offered, signal), promise]);
    own.isOffered = true;
    offers.looking?.offered();
    return await promise;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    pending.delete(id);
  }
}

/** A queue that is away just now is no reason to give up all that was done. What it has already it does not take twice. */
async function offerPatiently(
  offers: Offers,
  job: OfferedJob,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (;;) {
    try {
      await offers.ports.queue.offer(job);
      break;
    } catch (error) {
      if (!isBackupError(error, 'queue_unreachable') || signal?.aborted) throw error;
      noteStandstill(offers, `the queue does not answer: ${error.message}`);
      if (!offers.pending.has(job.id)) throw error;
    }
    await pause(OFFER_AGAIN_MS, signal);
  }
  if (signal?.aborted) await offers.ports.queue.cancel([job.id]).catch(() => undefined);
}

function interrupted(): BackupError {
  return new BackupError('interrupted', 'interrupted');
}

interface Looking {
  /** Something became of a job. */
  readonly told: () => void;
  /** A job is in the queue: what was told of it before could not be seen. */
  readonly offered: () => void;
  readonly stop: () => void;
}

/** Looks as long as somebody waits: soon when told, until what was told of is seen, and each half second. */
function lookAgainAndAgain(offers: Offers): Looking {
  const timers = new Set<NodeJS.Timeout>();
  let isLooking = false;
  let isStopped = false;
  /** So many jobs were told of that are not yet seen settled. */
  let awaited = 0;
  const forget = (): void => {
    for (const timer of timers) clearTimeout(timer);
    timers.clear();
    awaited = 0;
  };
  const lookAt = async (): Promise<void> => {
    if (isLooking || isStopped || offers.pending.size === 0) return;
    isLooking = true;
    const settled = await lookOnce(offers).finally(() => {
      isLooking = false;
    });
    awaited -= settled;
    if (awaited <= 0) forget();
  };
  const later = (ms: number): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      void lookAt();
    }, ms);
    timers.add(timer);
  };
  const regular = setInterval(() => void lookAt(), LOOK_EVERY_MS);
  return {
    told: () => {
      awaited += 1;
      if (timers.size <= LOOK_AGAIN_MS.length) for (const ms of LOOK_AGAIN_MS) later(ms);
    },
    offered: () => {
      if (awaited > 0 && timers.size === 0) later(0);
    },
    stop: () => {
      isStopped = true;
      clearInterval(regular);
      forget();
    },
  };
}

/** Gives how many jobs it found settled. */
async function lookOnce(offers: Offers): Promise<number> {
  const { ports, pending } = offers;
  const jobs = [...pending.values()].filter(({ isOffered, isSettled }) => isOffered && !isSettled);
  if (jobs.length === 0) return 0;
  let standings: readonly JobStanding[];
  try {
    standings = await ports.queue.look(jobs.map(({ id }) => id));
  } catch (error) {
    noteStandstill(offers, `the queue does not answer: ${error instanceof Error ? error.message : error}`);
    return 0;
  }
  const known = new Map(standings.map((standing) => [standing.id, standing]));
  let isMoving = false;
  for (const job of jobs) {
    const standing = known.get(job.id);
    isMoving ||= standing?.state !== 'waiting';
    if (standing === undefined) job.reject(refused(`job ${job.id} was taken out of the queue by somebody`));
    else settle(offers, job, standing);
  }
  if (isMoving) noteMovement(offers);
  else await noteWaiting(offers);
  return jobs.filter(({ isSettled }) => isSettled).length;
}

function noteMovement(offers: Offers): void {
  offers.movedAtMs = offers.ports.clock.now();
  if (offers.isTold) offers.ports.onWord('the work goes on');
  offers.isTold = false;
}

/** Whoever waits in line behind the work of others waits as long as that takes; where nobody works, in vain. */
async function noteWaiting(offers: Offers): Promise<void> {
  const { queue, clock, onWord } = offers.ports;
  if (clock.now() - offers.askedAtMs < TELL_AFTER_MS || clock.now() - offers.movedAtMs < TELL_AFTER_MS)
    return;
  offers.askedAtMs = clock.now();
  const workers = await queue.workers().catch(() => []);
  const alive = workers.filter(({ isAlive }) => isAlive).length;
  if (alive === 0) {
    noteStandstill(offers, 'no worker takes a job');
    return;
  }
  if (!offers.isTold)
    onWord(`waiting in line: ${alive === 1 ? 'the worker has' : `all ${alive} workers have`} other jobs`);
  offers.isTold = true;
  offers.movedAtMs = clock.now() - TELL_AFTER_MS;
}

function noteStandstill(offers: Offers, why: string): void {
  const { ports, pending } = offers;
  const ms = ports.clock.now() - offers.movedAtMs;
  if (ms >= TELL_AFTER_MS && !offers.isTold) {
    offers.isTold = true;
    ports.onWord(`${why}; waiting for up to ${PATIENCE_MS / 60_000} minutes`);
  }
  if (ms < PATIENCE_MS) return;
  const error = new BackupError('queue_unreachable', `${ports.queue.address}: ${why}`, {
    hint: '`eventcore queue` shows who works; start `eventcore worker`, or add --no-queue to work on this machine alone',
  });
  for (const { reject } of pending.values()) reject(error);
}

function settle(offers: Offers, job: Pending, standing: JobStanding): void {
  if (standing.progress !== null) tell(job, standing.progress);
  if (standing.state === 'waiting' || standing.state === 'active') return;
  job.isSettled = true;
  if (standing.state === 'cancelled') {
    job.reject(refused(`job ${job.id} was cancelled by somebody`));
    return;
  }
  const taken = standing.state === 'done' ? takeResult(offers, job, standing) : takeFailure(offers, standing);
  taken.then(job.resolve, (error) => {
    // The queue may be away just now. What is there is fetched by the next look.
    if (isBackupError(error, 'queue_unreachable')) job.isSettled = false;
    else job.reject(error);
  });
}

async function takeResult({ ports }: Offers, job: Pending, { result }: JobStanding): Promise<unknown> {
  if (result === null) throw refused(`job ${job.id} has no result`);
  const { jobId, attempt } = result;
  const sealed = await ports.queue.readResult(result);
  const opened = await openData(ports.key, { what: 'result', jobId, attempt }, sealed);
  tell(job, result);
  return opened;
}

async function takeFailure({ ports }: Offers, { id, failure }: JobStanding): Promise<never> {
  if (failure === null) {
    throw new BackupError('queue_refused', `no worker could finish job ${id}: each was lost on the way`, {
      hint: 'see the logs of the workers: memory or disk may be short there',
    });
  }
  const bound = { what: 'failure', jobId: id, attempt: failure.attempt } as const;
  throw reviveError((await openData(ports.key, bound, failure.sealed)) as ErrorRecord);
}

function refused(message: string): BackupError {
  return new BackupError('queue_refused', message, { hint: 'start the command again' });
}

function tell({ told, hooks }: Pending, now: { readonly events: number; readonly bytes: number }): void {
  const events = Math.max(0, now.events - told.events);
  const bytes = Math.max(0, now.bytes - told.bytes);
  if (events === 0 && bytes === 0) return;
  told.events += events;
  told.bytes += bytes;
  hooks.onProgress?.(events, bytes);
}
