import type { Notifier, NotifierRule } from '../../core/alert.ts';
import type { Clock } from '../../core/clock.ts';
import { type BackupError, isBackupError } from '../../core/errors.ts';
import type { Finding, SweepPlace } from '../../core/finding.ts';
import type { Lease, UnderLease } from '../../core/lease.ts';
import { alertKey, type OwedNotice } from '../../core/monitor-state.ts';
import type { RepairStatement } from '../../core/repair.ts';
import { type SendReport, sendOwed } from '../../core/send-owed.ts';
import { formatTime, timeFromUnixMs } from '../../core/time.ts';
import type { Vault } from '../../core/vault.ts';
import type { CheckCount, LookedCount, MonitorReport } from '../../format/monitor-report.ts';
import { alertOfNotice } from '../../policy/alert-text.ts';
import type { LookedAt } from '../../policy/alerts.ts';
import type { Sight } from '../../policy/blind.ts';
import { type Digest, placeOf } from '../../policy/observe.ts';
import { settle } from '../../policy/owed-notices.ts';
import { advance, EMPTY, joinMemory, type MonitorMemory, outcomeOf } from './memory.ts';
import { readMonitorRecord, removeOldReports, writeReport, writeSent } from './records.ts';

/** A finding with what would put it right, where statements do. */
export interface SeenFinding extends Finding {
  readonly statements?: readonly RepairStatement[];
}

/** What one look at the store found, and where it looked. */
export interface StoreLook {
  readonly findings: readonly SeenFinding[];
  /** How many more there were. */
  readonly findingsOmitted: number;
  /** What was not done of it, in words. */
  readonly skipped: readonly string[];
  readonly checks: readonly CheckCount[];
  readonly looked: LookedCount;
  readonly lookedAt: LookedAt;
  readonly sight: Sight;
  /** Why nothing was looked at; null where it was. */
  readonly notLooked: { readonly outcome: 'put_off' | 'blind'; readonly reason: string } | null;
  /** How far the sweep is, when something is still wrong at these places. */
  readonly endSweep: (places: readonly SweepPlace[]) => object | null;
}

export interface MonitorPorts {
  readonly vault: Vault;
  readonly clock: Clock;
  readonly notifiers: readonly (Notifier & NotifierRule)[];
  /** Of monitors: one at a time. */
  readonly underLease: UnderLease;
  /**
   * Looks at the store, with the state of the sweep that the last run left. A store that is away is something that it saw; what else it
   * throws ends the run.
   */
  readonly look: (sweep: object | null, signal: AbortSignal | undefined) => Promise<StoreLook>;
  readonly digest: Digest;
  readonly random: () => number;
}

export interface MonitorOptions {
  /** The address of the store, without a password. */
  readonly subject: string;
  readonly software: string;
  readonly repeatAfterMs: number;
  /** False: findings are kept on record, and only that the monitor is blind is told. */
  readonly tellsFindings: boolean;
  /** That the vault could not be used, as runs of this process found: all that is not on record there. */
  readonly remembered: MonitorMemory | null;
  readonly signal?: AbortSignal | undefined;
}

export interface MonitorRun {
  readonly report: MonitorReport;
  readonly look: StoreLook;
  readonly sending: SendReport;
  readonly warnings: readonly string[];
  /** That the vault cannot be used, to be handed to the next run; null where it can. */
  readonly unsaved: MonitorMemory | null;
}

/**
 * One run: goes on from the newest report, looks, decides what to tell, puts that on record, tells it, and puts on record what was told. Who
 * dies before the last step has it told again by the next run, under the same ids. Throws `lease_held` where another monitor is at it.
 */
export async function runMonitor(ports: MonitorPorts, options: MonitorOptions): Promise<MonitorRun> {
  const startedMs = ports.clock.now();
  let hasBegun = false;
  try {
    return await ports.underLease((lease, signal) => {
      hasBegun = true;
      return runUnderLease(ports, { ...options, signal }, { lease, startedMs });
    });
  } catch (error) {
    if (hasBegun || !isBackupError(error, 'vault_unreachable', 'vault_refused', 'vault_full')) throw error;
    return runBlind(ports, options, { startedMs, error });
  }
}

interface UnderWay {
  readonly lease: Lease;
  readonly startedMs: number;
}

async function runUnderLease(
  ports: MonitorPorts,
  options: MonitorOptions,
  { lease, startedMs }: UnderWay,
): Promise<MonitorRun> {
  const { vault, clock } = ports;
  const { report: last, owed, newestMs, warnings } = await readMonitorRecord(vault);
  const before = joinMemory(last === null ? EMPTY : { ...last, owed }, options.remembered);
  const seen = await ports.look(before.sweep, options.signal);
  const look = { ...seen, sight: { ...seen.sight, clear: [...seen.sight.clear, 'vault'] } };
  const memory = advance(before, look, { ...ports, ...options });
  const report = reportOf(ports, options, { look, memory, startedMs });
  lease.assertHeld();
  const atMs = await writeReport(vault, report, { newestMs, nowMs: clock.now() });
  const sending = await send(ports, options, look, memory);
  if (sending.sent.length > 0) {
    await writeSent(vault, atMs, { runId: report.runId, sentAt: timeText(clock.now()), sent: sending.sent });
  }
  await removeOldReports(vault, lease);
  return { report, look, sending, warnings, unsaved: null };
}

/** The vault cannot be used: all that can be done is to say so, once it has been so for a while. */
async function runBlind(
  ports: MonitorPorts,
  options: MonitorOptions,
  { startedMs, error }: { readonly startedMs: number; readonly error: BackupError },
): Promise<MonitorRun> {
  const look = seeNothing('vault', { outcome: 'blind', reason: error.message }, null);
  const memory = advance(options.remembered ?? EMPTY, look, { ...ports, ...options });
  const report = reportOf(ports, options, { look, memory, startedMs });
  const sending = await send(ports, options, look, memory);
  const unsaved = { ...memory, owed: settle(memory.owed, sending.sent) };
  return { report, look, sending, warnings: [], unsaved };
}

/** A look that was not to be had, for a cause; the sweep stays where it is. */
export function seeNothing(
  cause: string,
  notLooked: NonNullable<StoreLook['notLooked']>,
  sweep: object | null,
): StoreLook {
  return {
    ...{ findings: [], findingsOmitted: 0, skipped: [], checks: [], notLooked },
    looked: { blocks: 0, buckets: 0, streams: 0, events: 0, compared: 0, comparedWith: null },
    lookedAt: { wasMade: () => false, places: new Set(), rounds: { block: 0, bucket: 0 } },
    sight: { blind: [cause], clear: [] },
    endSweep: () => sweep,
  };
}

function reportOf(
  { clock }: MonitorPorts,
  { software }: MonitorOptions,
  known: { readonly look: StoreLook; readonly memory: MonitorMemory; readonly startedMs: number },
): MonitorReport {
  const { look, memory, startedMs } = known;
  const { checks, looked, notLooked } = look;
  return {
    ...{ runId: clock.uuid(), startedAt: timeText(startedMs), software, checks, looked },
    durationMs: Math.max(0, clock.now() - startedMs),
    outcome: notLooked?.outcome ?? outcomeOf(memory.open),
    ...memory,
  };
}

function send(
  { notifiers, digest, random }: MonitorPorts,
  { subject, signal }: MonitorOptions,
  { findings }: StoreLook,
  { owed }: MonitorMemory,
): Promise<SendReport> {
  const details = detailsOf(findings, digest);
  const alertOf = (notice: OwedNotice) => alertOfNotice(notice, { subject, details });
  return sendOwed(owed, { notifiers, alertOf, signal, random });
}

/** What is said beside the counts; of each place this much. */
const MOST_DETAILS = 3;

/** Words about what belongs to the schema; about streams there are none in an alert. */
function detailsOf(findings: readonly Finding[], digest: Digest): Map<string, string[]> {
  const details = new Map<string, string[]>();
  for (const finding of findings) {
    if (finding.streamId !== null || finding.rung !== 'catalog') continue;
    const key = alertKey({ check: finding.check, place: placeOf(finding, digest) });
    const lines = details.get(key) ?? [];
    if (lines.length < MOST_DETAILS) details.set(key, [...lines, finding.message]);
  }
  return details;
}

function timeText(ms: number): string {
  return formatTime(timeFromUnixMs(ms), 3);
}
