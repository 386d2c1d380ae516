import type { NotifierRule } from '../core/alert.ts';
import type { Clock } from '../core/clock.ts';
import { type BackupError, isBackupError } from '../core/errors.ts';
import { JOB_NAMES, type JobName } from '../core/job.ts';
import type { UnderLease } from '../core/lease.ts';
import { formatTime, timeFromUnixMs } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import { newestBelieved } from '../policy/agenda.ts';
import { settle } from '../policy/owed-notices.ts';
import { type ServiceWords, VAULT_CHECK } from '../policy/service-alert-text.ts';
import {
  decideService,
  isAtPeace,
  type KnownOfService,
  openJobs,
  sightsOfService,
} from '../policy/service-alerts.ts';
import { verdictOf, watchAll } from '../policy/steady.ts';
import { readTold, type Told, writeTold } from './alert-memory.ts';
import { type AlertState, joinAway, newAlertState, standingOf } from './alert-state.ts';
import { readRuns } from './job-records.ts';
import { makeSender, type Sender, type SendPorts } from './send-notices.ts';
import type { StoreView } from './store-view.ts';

export interface AlertPorts extends SendPorts {
  readonly vault: Vault;
  readonly clock: Clock;
  /** One daemon at a time tells of a store. Throws `lease_held`. */
  readonly underLease: UnderLease;
  /** By a clock that is not set; ends as soon as the signal fires. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly daemon: string;
  readonly software: string;
  /** Address of the store, without a password. */
  readonly subject: string;
  /** Of the store, by whose name here it is told; null: it is not asked how well it is protected. */
  readonly store: string;
  readonly view: () => StoreView | null;
  /** As the configuration is now. */
  readonly notifiers: () => readonly NotifierRule[];
  readonly repeatAfterMs: () => number;
  /** From which failure in a row on a job of this daemon counts; null: it runs it not. */
  readonly countsFrom: (job: JobName) => number | null;
}

export interface AlertService {
  /** A run of a job is over. `trouble`: what it said, without names of streams. */
  jobEnded(job: JobName, trouble: string | null): void;
  /** What is promised may be judged otherwise now. */
  wake(): void;
  /** What is being sent is sent, or stays owed. */
  stop(): Promise<void>;
}

/** What goes on is looked at so often, also when nobody wakes it. */
const TURN_MS = 60_000;
/** What other daemons may have left, or put on record of jobs. */
const RECORDS_MS = 5 * 60_000;
/** More failures in a row are not counted. */
const MOST_RUNS = 20;

interface Teller {
  readonly ports: AlertPorts;
  readonly state: AlertState;
  readonly sender: Sender;
  readonly signal: AbortSignal;
  /** By the steady clock. */
  recordsReadMs: number;
  /** Until the next turn, or somebody wakes it. */
  readonly rest: (signal: AbortSignal) => Promise<void>;
}

/**
 * Tells of a store until it is stopped: of promises that are not kept, of jobs that fail, of a vault that is away. What is open and what is owed
 * to whom is put on record in the vault before anything is sent, under a lease that is held while there is anything; so of several daemons
 * one tells, and whoever takes over when it dies goes on with the same alerts, under the same ids.
 */
export function tellAlerts(ports: AlertPorts): AlertService {
  const state = newAlertState();
  const stop = new AbortController();
  const { rest, wake } = makeRest(ports);
  for (const job of JOB_NAMES) if (ports.countsFrom(job) !== null) state.stale.add(job);
  const teller: Teller = {
    ...{ ports, state, sender: makeSender(ports), signal: stop.signal, rest },
    recordsReadMs: Number.NEGATIVE_INFINITY,
  };
  const done = loop(teller);
  return {
    jobEnded: (job, trouble) => {
      state.stale.add(job);
      if (trouble === null) state.jobTroubles.delete(job);
      else state.jobTroubles.set(job, trouble);
      wake();
    },
    wake,
    stop: async () => {
      stop.abort();
      wake();
      await done;
    },
  };
}

function makeRest({ pause }: AlertPorts): Pick<Teller, 'rest'> & { wake: () => void } {
  let isWoken = false;
  let waker: AbortController | null = null;
  return {
    rest: async (signal) => {
      if (!isWoken) {
        waker = new AbortController();
        await pause(TURN_MS, AbortSignal.any([signal, waker.signal]));
        waker = null;
      }
      isWoken = false;
    },
    wake: () => {
      isWoken = true;
      waker?.abort();
    },
  };
}

async function loop(teller: Teller): Promise<void> {
  const { signal, state } = teller;
  while (!signal.aborted) {
    try {
      await look(teller);
      if (isPeaceful(teller)) isUsed(teller);
      else await tellUnderLease(teller);
    } catch (error) {
      if (!isBackupError(error)) throw error;
      // Who lost the lease looks at the records again before it says anything.
      if (isBackupError(error, 'lease_held')) teller.recordsReadMs = Number.NEGATIVE_INFINITY;
      else if (!signal.aborted) await tellFromMemory(teller, error);
    }
    if (!signal.aborted) await teller.rest(signal);
  }
  state.stale.clear();
}

/** What is known now. What others may have left is read now and then, what happened here at once; `jobs`: of these too, whoever runs them. */
async function look(teller: Teller, jobs: readonly JobName[] = []): Promise<void> {
  const { ports, state } = teller;
  const nowMs = ports.steadyMs();
  const isDue = nowMs - teller.recordsReadMs >= RECORDS_MS;
  if (isDue && state.away === null) state.told = await readTold(ports.vault);
  const all = isDue ? [...openJobs(state.told.open), ...jobs] : [];
  for (const job of new Set([...state.stale, ...all])) await readJob(teller, job);
  if (isDue) teller.recordsReadMs = nowMs;
  watch(teller);
}

/** The vault did what was asked of it: that it can be read alone says nothing of a disk that is full. */
function isUsed(teller: Teller): void {
  if (teller.state.vaultTrouble === null) return;
  teller.state.vaultTrouble = null;
  watch(teller);
}

async function readJob({ ports, state }: Teller, job: JobName): Promise<void> {
  const nowMs = ports.clock.now();
  const until = newestBelieved(nowMs);
  const newest = await readRuns(ports.vault, job, 1, until);
  // Records are objects of a bucket, each of which is asked for.
  const isWell = newest[0]?.end?.state === 'succeeded';
  const runs = isWell ? newest : await readRuns(ports.vault, job, MOST_RUNS, until);
  state.jobs.set(job, standingOf(runs, { countsFrom: ports.countsFrom(job), nowMs }));
  state.stale.delete(job);
}

function watch({ ports, state }: Teller): void {
  state.watches = watchAll(state.watches, sightsOfService(knownOf(ports, state)), ports.steadyMs());
}

function knownOf({ view }: AlertPorts, { jobs, vaultTrouble }: AlertState): KnownOfService {
  const of = view();
  const store =
    of === null
      ? null
      : { objectives: of.objectives, hasStatus: of.status !== null, isTroubled: of.trouble !== null };
  return { store, jobs, isVaultAway: vaultTrouble !== null };
}

function isPeaceful({ ports, state }: Teller): boolean {
  const { told, watches, away } = state;
  const { open, owed } = told;
  return (
    away === null &&
    isAtPeace({ open, owed, watches, known: knownOf(ports, state), steadyMs: ports.steadyMs() })
  );
}

/** Tells, turn by turn, until nothing is open and nothing is owed. */
function tellUnderLease(teller: Teller): Promise<void> {
  const { ports, state } = teller;
  return ports.underLease(async (lease, lost) => {
    const signal = AbortSignal.any([lost, teller.signal]);
    isUsed(teller);
    state.told = joinAway(await readTold(ports.vault), state);
    for (;;) {
      lease.assertHeld();
      await tellOnRecord(teller, signal);
      if (signal.aborted || isPeaceful(teller)) return;
      await teller.rest(signal);
      if (signal.aborted) return;
      await look(teller, JOB_NAMES);
    }
  });
}

/** Decides, puts that on record, sends it, and puts on record what was sent: who dies in between has it sent again under the same id. */
async function tellOnRecord(teller: Teller, signal: AbortSignal): Promise<void> {
  const { ports, state, sender } = teller;
  const before = state.told;
  const isUnsaved = state.away !== null;
  const decided = decide(teller);
  if (isUnsaved || !isSame(before, decided)) await save(teller, decided);
  state.away = null;
  if (state.told.owed.length === 0) return;
  const sent = await sender.send(state.told.owed, wordsOf(ports, state), signal);
  if (sent.length > 0) await save(teller, { ...state.told, owed: settle(state.told.owed, sent) });
}

function decide({ ports, state }: Teller): Told {
  const { number, open, owed } = state.told;
  const decision = decideService({
    ...{ open, owed, known: knownOf(ports, state), watches: state.watches, notifiers: ports.notifiers() },
    ...{ nowMs: ports.clock.now(), steadyMs: ports.steadyMs(), repeatAfterMs: ports.repeatAfterMs() },
    newId: () => ports.clock.uuid(),
  });
  return { number, ...decision };
}

function isSame(one: Told, other: Told): boolean {
  return JSON.stringify([one.open, one.owed]) === JSON.stringify([other.open, other.owed]);
}

async function save({ ports, state }: Teller, { open, owed }: Told): Promise<void> {
  const { clock, daemon, software, vault } = ports;
  const number = state.told.number + 1;
  const at = formatTime(timeFromUnixMs(clock.now()), 3);
  await writeTold(vault, { number, at, daemon, software, open, owed });
  state.told = { number, open, owed };
}

/**
 * The vault cannot be used: once that is so for a while, it and what is known otherwise are told from memory. What is told then is put on
 * record when the vault is there again; who dies before that has told it, and what was owed then is lost with it.
 */
async function tellFromMemory(teller: Teller, error: BackupError): Promise<void> {
  const { ports, state, sender, signal } = teller;
  state.vaultTrouble = error.message;
  watch(teller);
  const isAway = { check: VAULT_CHECK, place: 'store' };
  if (state.away === null && verdictOf(state.watches, isAway, ports.steadyMs()) !== 'seen') return;
  state.away ??= { before: state.told, sent: [] };
  state.told = decide(teller);
  const sent = await sender.send(state.told.owed, wordsOf(ports, state), signal);
  state.away.sent.push(...sent);
  state.told = { ...state.told, owed: settle(state.told.owed, sent) };
}

function wordsOf({ store, subject, view }: AlertPorts, state: AlertState): ServiceWords {
  const { jobs, jobTroubles, vaultTrouble } = state;
  const { objectives = [], trouble: statusTrouble = null } = view() ?? {};
  return { store, subject, objectives, jobs, jobTroubles, statusTrouble, vaultTrouble };
}
