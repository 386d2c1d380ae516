import type { RetentionRule } from '../core/retention-rule.ts';
import { formatSpan } from './duration.ts';
import { keepBackups } from './retention-backups.ts';
import {
  type BackupFacts,
  CLOCK_SLACK_MS,
  type DamagedFacts,
  type Decision,
  isFuture,
  shortId,
  type UnfinishedFacts,
  type VaultFacts,
} from './retention-facts.ts';
import { basesOf, type LogPlan, type LogWindow, logWindow, planLogs, windowOfKept } from './retention-log.ts';

export interface RetentionPlan {
  /** Oldest first. */
  readonly backups: readonly Decision<BackupFacts>[];
  readonly damaged: readonly Decision<DamagedFacts>[];
  readonly unfinished: readonly Decision<UnfinishedFacts>[];
  readonly logs: readonly LogPlan[];
  /** Why nothing is removed at all, whatever the rule says; null where the rule decides. */
  readonly stopped: Stop | null;
}

export interface Stop {
  readonly kind: 'frozen' | 'clock';
  readonly message: string;
}

export interface RetentionOptions {
  readonly nowMs: number;
  /** Without a manifest, and not written to for so long: it goes. */
  readonly graceMs?: number;
  /** What lies in the future is kept, counts for nothing, and does not stop the rest. */
  readonly trustClock?: boolean;
}

export const DEFAULT_GRACE_MS = 86_400_000;

/**
 * What stays in a vault and what goes, and why. Nothing that something kept needs ever goes: a backup keeps all that it builds
 * on, a window of the change log keeps the backup that it begins with and the log from there on.
 */
export function planRetention(
  facts: VaultFacts,
  rule: RetentionRule,
  { nowMs, graceMs = DEFAULT_GRACE_MS, trustClock = false }: RetentionOptions,
): RetentionPlan {
  const window = windowFor(facts, rule, nowMs);
  const bases = window === null ? [] : basesOf(facts, window, nowMs);
  const kept = keepBackups(facts, rule, nowMs, { backups: bases, name: window?.name ?? '' });
  const plan: RetentionPlan = {
    backups: facts.backups.map((backup) =>
      decide(backup, kept.get(backup.backupId) ?? [], () => whyGone(facts, backup)),
    ),
    damaged: facts.damaged.map((entry) => ({ item: entry, kept: true, reasons: whyUntouched(entry) })),
    unfinished: facts.unfinished.map((entry) =>
      decide(entry, whyWaits(facts, entry, nowMs, graceMs), () => [
        `has no manifest, and nothing was written to it for ${formatSpan(graceMs)}`,
      ]),
    ),
    logs: planLogs(facts, window, nowMs),
    stopped: whyStopped(facts, nowMs, trustClock),
  };
  return plan.stopped === null ? plan : keepAll(plan, plan.stopped.message);
}

/** Of which time every instant stays recoverable: what the rule says, or as long as the oldest backup that it keeps. */
export function windowFor(facts: VaultFacts, rule: RetentionRule, nowMs: number): LogWindow | null {
  const kept = (): ReadonlyMap<string, unknown> => keepBackups(facts, rule, nowMs, { backups: [], name: '' });
  return logWindow(facts, rule, nowMs) ?? windowOfKept(facts, kept());
}

function decide<Item>(
  item: Item,
  reasons: readonly string[],
  whyNot: () => readonly string[],
): Decision<Item> {
  return reasons.length > 0 ? { item, kept: true, reasons } : { item, kept: false, reasons: whyNot() };
}

function whyGone({ archive }: VaultFacts, { backupId, isWhole }: BackupFacts): string[] {
  return [
    isWhole ? 'no rule keeps it' : 'no rule keeps it, and its chain is broken',
    ...(archive?.holds.has(backupId) ? ['moved to the archive'] : []),
  ];
}

function whyUntouched({ isUnknownFormat, kind, parentId }: DamagedFacts): string[] {
  return [
    isUnknownFormat
      ? 'a newer program wrote it: this one does not judge it'
      : 'its manifest is damaged: what cannot be read is never removed by a rule',
    ...(kind === 'incremental' && parentId === null ? ['what it builds on cannot be read'] : []),
  ];
}

/** By the vault's own clock: that of its newest object. */
function whyWaits(
  { backups, damaged, holds, newestObjectMs }: VaultFacts,
  { backupId, isAtWork, modifiedAtMs }: UnfinishedFacts,
  nowMs: number,
  graceMs: number,
): string[] {
  const ageMs = Math.min(nowMs, newestObjectMs ?? nowMs) - modifiedAtMs;
  const child = [...backups, ...damaged].find(({ parentId }) => parentId === backupId);
  const hold = holds.find(
    ({ untilMs, ...held }) => held.backupId === backupId && (untilMs === null || untilMs > nowMs),
  );
  return [
    ...(isAtWork ? ['it is being written'] : []),
    ...(ageMs < graceMs
      ? [`written to less than ${formatSpan(graceMs)} before the newest object of the vault`]
      : []),
    ...(child === undefined ? [] : [`${shortId(child.backupId)} builds on it: its manifest was lost`]),
    ...(hold === undefined ? [] : [`held: ${hold.reason}; its manifest was lost`]),
  ];
}

function whyStopped(facts: VaultFacts, nowMs: number, trustClock: boolean): Stop | null {
  const { backups, frozen, newestObjectMs, vaultNowMs } = facts;
  if (frozen !== null) return { kind: 'frozen', message: `frozen: ${frozen}` };
  if (trustClock) return null;
  const here = `by this host's clock it is ${timeText(nowMs)}`;
  const future = backups.findLast((backup) => isFuture(backup, nowMs));
  if (future !== undefined) {
    const message = `backup ${future.backupId} was taken at ${timeText(future.createdAtMs)}, and ${here}`;
    return { kind: 'clock', message };
  }
  if (vaultNowMs !== null && Math.abs(vaultNowMs - nowMs) > CLOCK_SLACK_MS) {
    return { kind: 'clock', message: `by the vault's clock it is ${timeText(vaultNowMs)}, and ${here}` };
  }
  if (newestObjectMs === null || newestObjectMs <= nowMs + CLOCK_SLACK_MS) return null;
  return {
    kind: 'clock',
    message: `the newest object of the vault is of ${timeText(newestObjectMs)}, and ${here}`,
  };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

function keepAll(plan: RetentionPlan, reason: string): RetentionPlan {
  const keep = <Item>(decision: Decision<Item>): Decision<Item> =>
    decision.kept ? decision : { ...decision, kept: true, reasons: [reason] };
  return {
    ...plan,
    backups: plan.backups.map(keep),
    unfinished: plan.unfinished.map(keep),
    logs: plan.logs.map(({ folder, objects }) => ({ folder, objects: objects.map(keep) })),
  };
}
