import crypto from 'node:crypto';
import type { Notifier } from '../../core/alert.ts';
import { pause } from '../../core/pause.ts';
import type { Vault } from '../../core/vault.ts';
import type { ReadKeys } from '../../format/open-bundle.ts';
import type { CheckDefinition } from '../../integrity/checks/check.ts';
import { CLOCK_TOLERANCE_MS } from '../../integrity/checks/check.ts';
import { type LookOptions, lookAtStore } from '../../integrity/monitor/look.ts';
import type { MonitorMemory } from '../../integrity/monitor/memory.ts';
import { type MonitorPorts, type MonitorRun, runMonitor } from '../../integrity/monitor/monitor.ts';
import { MONITOR_LEASE } from '../../upkeep/lease.ts';
import { DOWN, makeRateBudget, takeBytes } from '../../vaults/wrappers/rate.ts';
import { redactAddress } from '../address.ts';
import type { Settings } from '../config/config.ts';
import { beginStep, type CommandContext, withStore } from '../context.ts';
import { underLease } from '../leases.ts';
import { systemClock } from '../wire.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** What the monitor does where the configuration does not say otherwise. */
export const MONITOR_DEFAULTS = {
  intervalMs: HOUR_MS,
  jitterPercent: 10,
  percentage: 5,
  repeatAfterMs: DAY_MS,
  rateLimit: 10_000_000,
  statementTimeoutMs: 30_000,
  maxReplicationLagMs: MINUTE_MS,
} as const;

export interface MonitorWork {
  readonly settings: Settings;
  readonly storeAddress: string;
  readonly vault: Vault;
  readonly keys: ReadKeys;
  readonly notifiers: readonly Notifier[];
  readonly checks: readonly CheckDefinition[];
  readonly percentage: number;
}

export interface RunOptions {
  readonly remembered?: MonitorMemory | null;
  /** Checks to ask though they are not due. */
  readonly also?: readonly string[];
}

/** One run over the store of the configuration. */
export function runOnce(
  context: CommandContext,
  work: MonitorWork,
  { remembered = null, also = [] }: RunOptions = {},
): Promise<MonitorRun> {
  const { settings, storeAddress, vault, notifiers } = work;
  const { signal, software } = context;
  const ports: MonitorPorts = {
    ...{ vault, notifiers, clock: systemClock, random: Math.random, digest: shortDigest },
    underLease: async (work) => {
      // A disk that is not mounted any more must not be taken for an empty vault.
      await vault.open({ create: false });
      return underLease(vault, { signal }, MONITOR_LEASE)(work);
    },
    look: (sweep, ends) =>
      withStore(storeAddress, (store) =>
        lookAtStore(
          {
            ...{ store, vault, keys: work.keys, checks: work.checks, nowMs: systemClock.now },
            ...{ randomSeed: () => crypto.randomInt(2 ** 32), signal: ends },
            pace: makePace(settings.monitor.rate_limit ?? MONITOR_DEFAULTS.rateLimit, ends),
          },
          sweep,
          { ...lookOptions(settings), percentage: work.percentage, also },
        ),
      ),
  };
  return runMonitor(ports, {
    ...{ subject: redactAddress(storeAddress), software, remembered, signal },
    repeatAfterMs: settings.monitor.repeat_after ?? MONITOR_DEFAULTS.repeatAfterMs,
    tellsFindings: settings.monitor.alert_on_corruption ?? true,
  });
}

export function lookOptions({ monitor }: Settings): Omit<LookOptions, 'percentage' | 'also'> {
  return {
    statementTimeoutMs: monitor.statement_timeout ?? MONITOR_DEFAULTS.statementTimeoutMs,
    maxReplicationLagMs: monitor.max_replication_lag ?? MONITOR_DEFAULTS.maxReplicationLagMs,
    clockToleranceMs: monitor.clock_tolerance ?? CLOCK_TOLERANCE_MS,
    requiredMetadata: monitor.required_metadata ?? [],
  };
}

/** Names of tables and the like are no secrets, but consumers may be named after customers. */
function shortDigest(name: string): string {
  return crypto.hash('sha256', `eventcore object ${name}`).slice(0, 12);
}

/** Waits for what was read: that much a second, of store and vault together. */
function makePace(bytesPerSecond: number, signal: AbortSignal | undefined): (bytes: number) => Promise<void> {
  const budget = makeRateBudget(bytesPerSecond);
  return async (bytes) => {
    const waitMs = takeBytes(budget, DOWN, bytes, process.hrtime.bigint());
    if (waitMs > 0) await pause(waitMs, signal);
  };
}

/** Asks what was found before once more, whatever it costs, so that what is over is said to be. */
export function lookAfter(
  context: CommandContext,
  work: MonitorWork,
  { look }: MonitorRun,
): Promise<MonitorRun> {
  beginStep(context, 'looking at the store again');
  return runOnce(context, work, { also: [...new Set(look.findings.map(({ check }) => check))] });
}

export function placesOf({ storeAddress, vault }: MonitorWork): { store: string; vault: string } {
  return { store: redactAddress(storeAddress), vault: vault.address };
}
