import type { Clock } from '../core/clock.ts';
import type { ServerState } from '../core/disaster.ts';
import { isBackupError } from '../core/errors.ts';
import type { Lease } from '../core/lease.ts';
import { pause } from '../core/pause.ts';
import type { Vault } from '../core/vault.ts';
import { listDeposed, writeDeposed } from '../format/deposed-mark.ts';
import { holdingTimes } from '../policy/lease.ts';
import { withLease } from '../upkeep/lease.ts';
import { type Claimant, findRefusal, primaryLease } from './claim.ts';
import { type ClosePorts, close, GUARD_MARK } from './guard-close.ts';
import { reasonOf, whyNot } from './reason.ts';
import { type Within, within } from './within.ts';

/**
 * Stands beside a server of PostgreSQL and lets it be written to only while it holds the lease of the store's primary. So whoever
 * gets that lease after its time knows that the server is closed, without being able to ask it (docs/guard.md).
 */

export interface GuardPorts extends ClosePorts {
  /** Of the lease. Opened when it is needed: to do that again changes nothing. */
  readonly vault: Vault;
  readonly clock: Clock;
  /** Which process this is, for people. */
  readonly holder: string;
  /** Milliseconds that are never set, the same ones in all processes of this host. */
  readonly steadyMs: () => number;
  readonly watchdog: Watchdog;
  readonly onState: (state: GuardState, text: string) => void;
}

/** A second process, which closes the server when this one dies or is held up. */
export interface Watchdog {
  /** The server is open, or about to be, until then by `steadyMs`, unless it is told otherwise. */
  open(untilMs: number): void;
  /** The server is closed. */
  closed(): void;
}

export type GuardState =
  /** It holds the lease, and the server is open. */
  | 'open'
  /** The server is fenced, and waits for the lease. */
  | 'waiting'
  /** The server is fenced, and must not be opened. */
  | 'refused'
  | 'standby'
  /** The server does not answer. */
  | 'away';

export interface GuardOptions {
  readonly ttlMs: number;
  readonly signal: AbortSignal;
  readonly pollMs?: number;
  readonly probeMs?: number;
}

interface Guard extends GuardPorts {
  readonly ttlMs: number;
  readonly signal: AbortSignal;
  readonly pollMs: number;
  readonly probeMs: number;
  /** For one attempt to fence when time presses: half of what is left of the lease's then, the other half is the watchdog's. */
  readonly fenceMs: number;
  /** Between two looks whether the vault forbids it meanwhile. */
  readonly lookMs: number;
  readonly seen: Seen;
}

interface Seen {
  /** The attempt whose lease lets the server be open; null while it is closed. */
  open: Attempt | null;
  said: string;
  /** At the last look. */
  isStandby: boolean;
  /** By `steadyMs`: the vault is not asked before, since each question costs. */
  askAtMs: number;
}

const POLL_MS = 500;
const PROBE_MS = 2000;
/** Between two questions whether the lease can be had. */
const MOST_ASK_MS = 2000;
/** So long a standby that was just promoted may be open while its guard asks for the lease. */
const FRESH_MS = 2000;
const LEAST_FENCE_MS = 2000;
const LEAST_LOOK_MS = 1000;
/** Where time does not press, before a server that cannot be fenced is ended. */
const PATIENCE_MS = 30_000;

/** Until the signal fires; then the server is closed, and after that the lease given back. Throws `fence_failed` when it cannot be closed. */
export async function runGuard(ports: GuardPorts, options: GuardOptions): Promise<void> {
  const { ttlMs, pollMs = POLL_MS } = options;
  const self: Guard = {
    ...{ ...ports, ...options, pollMs, probeMs: options.probeMs ?? PROBE_MS },
    fenceMs: Math.max(LEAST_FENCE_MS, ttlMs / 12),
    lookMs: Math.max(LEAST_LOOK_MS, ttlMs / 6),
    seen: { open: null, said: '', isStandby: false, askAtMs: 0 },
  };
  while (!self.signal.aborted) {
    await takeTurn(self);
    await pause(pollMs, self.signal);
  }
}

async function takeTurn(self: Guard): Promise<void> {
  const probed = await within(self.probeMs, self.signal, (signal) => self.server.probe({ signal }));
  if (self.signal.aborted) return;
  if (probed.kind !== 'done') self.seen.isStandby = false;
  if (probed.kind !== 'done') return say(self, 'away', `the server does not answer: ${whyNot(probed)}`);
  const state = probed.result;
  const wasStandby = self.seen.isStandby;
  self.seen.isStandby = state.role === 'standby';
  if (self.seen.isStandby) return say(self, 'standby', 'the server is a standby');
  // Who promoted it uses it already, and has seen to the lease.
  if (wasStandby && !state.isFenced && (await takeLease(self, state, FRESH_MS))) return;
  if (self.signal.aborted) return;
  // First of all: whoever comes back does not know what happened meanwhile.
  await shut(self, state);
  if (self.steadyMs() < self.seen.askAtMs) return;
  const refusal = await askVault(self, state);
  if (refusal === null) await takeLease(self, state, self.ttlMs);
  else say(self, ...refusal);
  self.seen.askAtMs = self.steadyMs() + Math.min(MOST_ASK_MS, self.ttlMs / 6);
}

/** Says each thing once, until there is something else to say. */
function say(self: Guard, state: GuardState, text: string): void {
  const said = `${state} ${text}`;
  if (said === self.seen.said) return;
  self.seen.said = said;
  self.onState(state, text);
}

/** By a fence of the guard's own, beside those of others: whoever takes theirs back does not open it. */
async function shut(self: Guard, state: ServerState): Promise<void> {
  const { signal, fenceMs, probeMs } = self;
  if (state.isFenced && (await isOurs(self))) return;
  await close(self, { fenceMs: Math.max(fenceMs, probeMs), patienceMs: PATIENCE_MS, signal });
}

/** False also where that cannot be told, or somebody is still in. */
async function isOurs({ server, probeMs }: Guard): Promise<boolean> {
  const asked = await within(probeMs, undefined, (signal) => server.isFenced(GUARD_MARK, { signal }));
  return asked.kind === 'done' && asked.result;
}

/** Null when nothing in the vault forbids to be open. */
async function askVault(self: Guard, claimant: Claimant): Promise<[GuardState, string] | null> {
  const asked = await within(self.ttlMs, self.signal, async () => {
    // A directory that is not there is one that is not mounted: it is not made, for an empty one forbids nothing.
    await self.vault.open({ create: false });
    return findRefusal(self.vault, claimant);
  });
  if (asked.kind !== 'done')
    return ['waiting', `the vault ${self.vault.address} cannot be asked: ${withoutTimes(whyNot(asked))}`];
  return asked.result === null ? null : ['refused', asked.result];
}

/**
 * Returns when the lease is not to be had, or was, and the server is closed again. A vault that says nothing may hold up how the lease is
 * taken or given back, and not this: what comes late finds that nobody waits for it. False where it was not had.
 */
async function takeLease(self: Guard, claimant: Claimant, acquireMs: number): Promise<boolean> {
  const attempt: Attempt = { untilMs: 0, isBegun: false, isLeft: false };
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(() => attempt.isBegun || over.resolve(), acquireMs);
  const attempting = attemptLease(self, claimant, attempt, over);
  // Nobody may be waiting for it any longer.
  attempting.catch(() => undefined);
  try {
    await Promise.race([attempting, over.promise]);
    return attempt.isBegun;
  } catch (error) {
    if (!isBackupError(error)) throw error;
    const { code, facts, message } = error;
    if (code === 'fence_failed') throw error;
    if (code === 'interrupted') return false;
    const text =
      code === 'lease_held'
        ? `the lease is ${facts.holder === undefined ? 'lost' : `held by ${facts.holder}`}`
        : `the lease cannot be had: ${withoutTimes(message)}`;
    say(self, 'waiting', text);
    return false;
  } finally {
    clearTimeout(timer);
    attempt.isLeft = true;
  }
}

/** One attempt to get the lease, and what came of it. */
interface Attempt {
  /** By `steadyMs`: until when this guard may let the server be open. */
  untilMs: number;
  isBegun: boolean;
  isLeft: boolean;
}

/** To give a lease back is a courtesy: it ends by itself. */
const RELEASE_MS = 3000;

/**
 * How long before a holder would stop a guard begins to close: to fence takes time as well, and has to be done when the lease's is over. What
 * takers wait beyond that is not to be counted on: a vault may know its times by the second.
 */
function earlierBy(ttlMs: number): number {
  const holdingMs = holdingTimes(0, ttlMs).untilMs;
  return holdingMs - Math.min(holdingMs, Math.max(ttlMs / 2, ttlMs - LEAST_FENCE_MS));
}

async function attemptLease(
  self: Guard,
  claimant: Claimant,
  attempt: Attempt,
  over: PromiseWithResolvers<void>,
): Promise<void> {
  const { vault, clock, holder, steadyMs, ttlMs, signal } = self;
  const onHeld = (untilMs: number): void => {
    attempt.untilMs = untilMs - earlierBy(ttlMs);
    if (self.seen.open === attempt) self.watchdog.open(attempt.untilMs);
  };
  await vault.open({ create: false });
  if (attempt.isLeft) return;
  await withLease(
    vault,
    primaryLease(claimant.systemIdentifier),
    { clock, holder, steadyMs },
    async (held, lost) => {
      if (attempt.isLeft) return;
      attempt.isBegun = true;
      try {
        await hold(self, claimant, { attempt, held, lost });
        setTimeout(over.resolve, RELEASE_MS).unref();
      } catch (error) {
        over.reject(error);
        throw error;
      }
    },
    { ttlMs, signal, onHeld },
  );
}

/** What changes from one attempt to the next is nothing new. */
function withoutTimes(text: string): string {
  return text.replaceAll(/\d+ ms/g, 'time');
}

interface HeldLease {
  readonly attempt: Attempt;
  readonly held: Lease;
  /** Fires when the lease may have ended; later than that where the vault does not answer. */
  readonly lost: AbortSignal;
}

/** Asked again under the lease: whoever had it before may have forbidden it. The lease is given back when this ends, so it ends closed. */
async function hold(self: Guard, claimant: Claimant, lease: HeldLease): Promise<void> {
  const { seen, watchdog } = self;
  seen.open = lease.attempt;
  watchdog.open(lease.attempt.untilMs);
  try {
    if (!(await mayOpen(self, claimant, lease))) return;
    const why = await openAndWatch(self, claimant, lease);
    self.tell(`closing the server: ${why}`);
  } finally {
    await closeFor(self, lease.attempt);
    seen.open = null;
    watchdog.closed();
    if (seen.said.startsWith('open')) say(self, 'waiting', 'the server is closed');
  }
}

async function mayOpen(self: Guard, claimant: Claimant, lease: HeldLease): Promise<boolean> {
  const refusal = await askVault(self, claimant);
  if (refusal !== null) say(self, ...refusal);
  if (refusal !== null) return false;
  const deposed = await within(self.ttlMs, self.signal, () => deposeOlder(self, claimant));
  if (deposed.kind === 'done') return isHeld(self, lease) && !self.signal.aborted;
  say(self, 'waiting', `nothing can be written into ${self.vault.address}`);
  return false;
}

async function openAndWatch(self: Guard, claimant: Claimant, lease: HeldLease): Promise<string> {
  const opened = await unfence(self, lease, self.signal);
  if (opened.kind === 'done') {
    say(self, 'open', 'the lease is held, and the server is open');
    return watch(self, claimant, lease);
  }
  // Not over and over: each attempt is written into the vault.
  await pause(Math.min(self.lookMs, lease.attempt.untilMs - self.steadyMs()), self.signal);
  return `it cannot be opened: ${whyNot(opened)}`;
}

/** The oldest that may not write any more are all on older timelines than this one, also where somebody promoted it by hand. */
async function deposeOlder({ vault }: Guard, { systemIdentifier, timeline }: Claimant): Promise<void> {
  const older = timeline - 1;
  if (older < 1) return;
  const marks = await listDeposed(vault, systemIdentifier);
  if (marks.some((mark) => mark.timeline >= older)) return;
  await writeDeposed(vault, { systemIdentifier, timeline: older, by: 'guard', state: 'stands' });
}

/** Before the lease's time is over. Who is told to end and cannot close the server keeps the lease as long as it lasts. */
async function closeFor(self: Guard, { untilMs }: Attempt): Promise<void> {
  try {
    const { fenceMs, signal } = self;
    await close(self, { fenceMs, patienceMs: fenceMs, signal });
  } catch (error) {
    self.tell(`${reasonOf(error)}; the lease is kept until its time is over`);
    await pause(Math.max(0, untilMs + self.ttlMs - self.steadyMs()));
    throw error;
  }
}

function isHeld({ steadyMs }: Guard, { attempt, held, lost }: HeldLease): boolean {
  if (lost.aborted || steadyMs() >= attempt.untilMs) return false;
  try {
    held.assertHeld();
    return true;
  } catch (error) {
    if (isBackupError(error, 'lease_held')) return false;
    throw error;
  }
}

/** Waits for the first reason to close the server, and gives it. */
async function watch(self: Guard, claimant: Claimant, lease: HeldLease): Promise<string> {
  const over = new AbortController();
  const ends = AbortSignal.any([over.signal, self.signal, lease.lost]);
  try {
    return await Promise.race([
      watchLease(self, lease, ends),
      watchServer(self, claimant, lease, ends),
      watchVault(self, claimant, ends),
    ]);
  } finally {
    over.abort();
  }
}

/** By the clock alone: a vault that does not answer must not hold it up. */
async function watchLease(self: Guard, lease: HeldLease, ends: AbortSignal): Promise<string> {
  while (!ends.aborted && isHeld(self, lease)) {
    await pause(Math.max(1, lease.attempt.untilMs - self.steadyMs()), ends);
  }
  return self.signal.aborted
    ? 'the guard is told to end'
    : 'the lease could not be renewed in time, or somebody else has it';
}

/** Never ends with a reason after `ends`. */
async function watchServer(
  self: Guard,
  { systemIdentifier, timeline }: Claimant,
  lease: HeldLease,
  ends: AbortSignal,
): Promise<string> {
  let downSinceMs: number | null = null;
  while (!ends.aborted) {
    await pause(self.pollMs, ends);
    const probed = await within(self.probeMs, ends, (signal) => self.server.probe({ signal }));
    if (ends.aborted) break;
    if (probed.kind !== 'done') {
      // A server that is started again within the time of the lease finds the lease held.
      const isDown = self.postmaster !== null && !self.postmaster.isRunning();
      downSinceMs = isDown ? (downSinceMs ?? self.steadyMs()) : null;
      if (downSinceMs !== null && self.steadyMs() - downSinceMs > self.ttlMs)
        return 'the server does not run';
      continue;
    }
    downSinceMs = null;
    const state = probed.result;
    if (state.role === 'standby') return 'the server is a standby now';
    if (state.systemIdentifier !== systemIdentifier || state.timeline !== timeline)
      return 'the server is another one now';
    // The guard's own was meant for an earlier lease and came late.
    if (state.isFenced && (await isOurs(self)) && isHeld(self, lease)) await unfence(self, lease, ends);
  }
  return never();
}

function unfence(
  { server, probeMs, steadyMs }: Guard,
  { attempt }: HeldLease,
  ends: AbortSignal,
): Promise<Within<void>> {
  const openMs = Math.min(probeMs, attempt.untilMs - steadyMs());
  return within(openMs, ends, (signal) => server.unfence({ signal, mark: GUARD_MARK }));
}

async function watchVault(self: Guard, claimant: Claimant, ends: AbortSignal): Promise<string> {
  while (!ends.aborted) {
    await pause(self.lookMs, ends);
    if (ends.aborted) break;
    const asked = await within(self.ttlMs, ends, () => findRefusal(self.vault, claimant));
    // One that cannot be asked cannot renew the lease either.
    if (asked.kind === 'done' && asked.result !== null) return asked.result;
  }
  return never();
}

function never(): Promise<never> {
  return new Promise(() => {});
}
