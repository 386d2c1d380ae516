import type { Clock } from '../core/clock.ts';
import { BackupError, isBackupError, throwIfAborted } from '../core/errors.ts';
import type { Lease } from '../core/lease.ts';
import { pause } from '../core/pause.ts';
import { formatTime, timeFromUnixMs } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import type { LeaseRecord } from '../format/lease-record.ts';
import { holdingTimes, LEASE_TTL_MS, leaseRemainingMs } from '../policy/lease.ts';
import { type FoundRecord, readNewest, removeOld, vaultNow, writeRecord } from './lease-row.ts';

export interface LeasePorts {
  readonly clock: Clock;
  /** Which process this is, for people who wait for it. Everybody who reads the vault sees it. */
  readonly holder: string;
  /** Milliseconds that are never set: by them a holder knows how long it may act. Left out: `performance.now`. */
  readonly steadyMs?: () => number;
  /** Goes by the same time. Left out: by timers. */
  readonly pause?: (ms: number, signal?: AbortSignal) => Promise<void>;
}

export interface LeaseOptions {
  readonly ttlMs?: number;
  /** How long to wait for another holder; left out: not at all. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Told when the lease was taken and each time it was renewed: until when the holder may act, by `steadyMs`. */
  readonly onHeld?: (untilMs: number) => void;
}

/** All that removes or joins in a vault. */
export const UPKEEP_LEASE = 'upkeep';
/** Watching over a store: two that do so at once would tell everything twice. */
export const MONITOR_LEASE = 'monitor';

const POLL_MS = 1000;
/** Races for the next number that are lost in a row, each to somebody else who had it. */
const MOST_RACES = 10;

interface Row extends LeasePorts {
  readonly vault: Vault;
  readonly lease: string;
  readonly claim: string;
  readonly acquiredAt: string;
  readonly ttlMs: number;
  readonly steadyMs: () => number;
  readonly pause: NonNullable<LeasePorts['pause']>;
}

interface Holding {
  readonly row: Row;
  readonly epoch: number;
  /** Of the newest record that is this holder's. */
  number: number;
  /** By the steady clock. */
  untilMs: number;
  renewAtMs: number;
  isLost: boolean;
}

/**
 * Runs work that only one process may do at a time in a vault. The lease is renewed until the work ends, then given back; who dies
 * blocks the others until its time is over. Throws `lease_held` when another one holds it.
 */
export async function withLease<Result>(
  vault: Vault,
  lease: string,
  ports: LeasePorts,
  work: (lease: Lease, signal: AbortSignal) => Promise<Result>,
  options: LeaseOptions = {},
): Promise<Result> {
  const holding = await acquire(makeRow(vault, lease, ports, options), options);
  const lost = new AbortController();
  const done = new AbortController();
  const onHeld = (): void => options.onHeld?.(holding.untilMs);
  onHeld();
  const renewing = keepRenewing(holding, done.signal, { onHeld, onLost: () => lost.abort() });
  const signal = options.signal === undefined ? lost.signal : AbortSignal.any([options.signal, lost.signal]);
  try {
    return await work({ epoch: holding.epoch, assertHeld: () => assertHeld(holding) }, signal);
  } finally {
    done.abort();
    await renewing;
    await release(holding);
  }
}

function makeRow(vault: Vault, lease: string, ports: LeasePorts, { ttlMs }: LeaseOptions): Row {
  return {
    ...{ ...ports, vault, lease, claim: ports.clock.uuid(), ttlMs: ttlMs ?? LEASE_TTL_MS },
    acquiredAt: formatTime(timeFromUnixMs(ports.clock.now()), 3),
    steadyMs: ports.steadyMs ?? (() => performance.now()),
    pause: ports.pause ?? pause,
  };
}

function assertHeld({ row, untilMs, isLost }: Holding): void {
  if (!isLost && row.steadyMs() < untilMs) return;
  throw new BackupError('lease_held', `the lease "${row.lease}" of ${row.vault.address} may have ended`, {
    hint: 'it could not be renewed in time, and another run may have it now; what was begun is left as it is: run it again',
    facts: { lease: row.lease },
  });
}

/** What a taker knows of the record that blocks it: by its own clock, so that it need not ask the vault's again. */
interface Blocked {
  readonly found: FoundRecord;
  readonly freeAtMs: number;
}

async function acquire(row: Row, { waitMs = 0, signal }: LeaseOptions): Promise<Holding> {
  const giveUpAtMs = row.steadyMs() + waitMs;
  let blocked: Blocked | null = null;
  for (let races = 0; ; ) {
    throwIfAborted(signal);
    const found = await readNewest(row.vault, row.lease);
    blocked = found === null ? null : await whyBlocked(row, found, blocked);
    if (blocked === null) {
      const holding = await takeNext(row, found?.number ?? 0);
      if (holding !== null) return holding;
      races += 1;
      if (races < MOST_RACES) continue;
      throw heldBy(row, null);
    }
    const nowMs = row.steadyMs();
    if (nowMs >= giveUpAtMs) throw heldBy(row, blocked);
    await row.pause(Math.min(POLL_MS, giveUpAtMs - nowMs), signal);
  }
}

/** Hosts' clocks need not agree: how old a record is, the vault's clock says, or how long it was watched. */
async function whyBlocked(row: Row, found: FoundRecord, before: Blocked | null): Promise<Blocked | null> {
  if (found.record.state === 'released') return null;
  const isSame = before !== null && before.found.number === found.number;
  const nowMs = row.steadyMs();
  if (isSame) return nowMs < before.freeAtMs ? before : null;
  const vaultNowMs = await vaultNow(row.vault, row.lease, row.clock);
  const { state, ttlMs } = found.record;
  const remainingMs = leaseRemainingMs({ state, ttlMs, writtenAtMs: found.writtenAtMs, nowMs: vaultNowMs });
  return remainingMs === 0 ? null : { found, freeAtMs: row.steadyMs() + remainingMs };
}

/** Null when another one has that number, or one behind it. */
async function takeNext(row: Row, newest: number): Promise<Holding | null> {
  const beganAtMs = row.steadyMs();
  const number = newest + 1;
  if (!(await writeNext(row, number, 'held'))) return null;
  return { row, epoch: number, number, ...holdingTimes(beganAtMs, row.ttlMs), isLost: false };
}

/**
 * True when the record is the newest one. A number that was taken, given back and cleared away while this process was held up is
 * free again: so who created it looks whether there is a later one.
 */
async function writeNext(row: Row, number: number, state: LeaseRecord['state']): Promise<boolean> {
  const { vault, lease, claim, holder, acquiredAt, ttlMs } = row;
  const isWritten = await writeRecord(vault, { lease, number, claim, holder, acquiredAt, ttlMs, state });
  return isWritten && (await removeOld(vault, lease)) === number;
}

/** Renews in time; what the vault refuses is tried again, until the time is over. */
async function keepRenewing(
  holding: Holding,
  done: AbortSignal,
  { onHeld, onLost }: { readonly onHeld: () => void; readonly onLost: () => void },
): Promise<void> {
  const { row } = holding;
  const retryMs = row.ttlMs / 12;
  while (!done.aborted) {
    await row.pause(Math.max(holding.renewAtMs - row.steadyMs(), 0), done);
    if (done.aborted) return;
    const isKept = await renew(holding);
    if (isKept === true) {
      onHeld();
      continue;
    }
    if (isKept === false || row.steadyMs() >= holding.untilMs) {
      holding.isLost = true;
      return onLost();
    }
    await row.pause(retryMs, done);
  }
}

/** False when another one has the lease; null when the vault could not be asked. */
async function renew(holding: Holding): Promise<boolean | null> {
  const { row } = holding;
  const beganAtMs = row.steadyMs();
  const number = holding.number + 1;
  try {
    if (!(await writeNext(row, number, 'held'))) return false;
  } catch (error) {
    if (isBackupError(error)) return null;
    throw error;
  }
  Object.assign(holding, { number, ...holdingTimes(beganAtMs, row.ttlMs) });
  return true;
}

/** Who cannot give it back has it end by itself. */
async function release(holding: Holding): Promise<void> {
  const { row, number, isLost } = holding;
  if (isLost) return;
  try {
    await writeNext(row, number + 1, 'released');
  } catch (error) {
    if (!isBackupError(error)) throw error;
  }
}

function heldBy({ vault, lease, clock, steadyMs }: Row, blocked: Blocked | null): BackupError {
  const record = blocked?.found.record;
  const holder = record?.holder ?? 'several runs';
  const since = record?.acquiredAt ?? null;
  const until =
    blocked === null
      ? null
      : formatTime(timeFromUnixMs(Math.round(clock.now() + blocked.freeAtMs - steadyMs())), 3);
  const times = since === null ? '' : `, since ${since} and until ${until} unless it is renewed`;
  return new BackupError('lease_held', `${holder} holds the lease "${lease}" of ${vault.address}${times}`, {
    hint: 'only one run at a time may remove or join there: wait until it ends; one that died blocks others until that time',
    facts: { lease, holder, since, until, epoch: blocked?.found.number ?? null },
  });
}
