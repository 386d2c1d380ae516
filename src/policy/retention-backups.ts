import type { RetentionRule } from '../core/retention-rule.ts';
import { type BackupFacts, isFuture, isUsable, shortId, type VaultFacts } from './retention-facts.ts';
import { type Keep, keepByRule, saysOfBackups } from './retention-rules.ts';

export interface LogBases {
  readonly backups: readonly BackupFacts[];
  /** Of the window that they begin. */
  readonly name: string;
}

/** Every backup that stays, by its id, with all reasons. */
export function keepBackups(
  facts: VaultFacts,
  rule: RetentionRule,
  nowMs: number,
  bases: LogBases,
): ReadonlyMap<string, readonly string[]> {
  const kept = new Map<string, string[]>();
  const keep: Keep = (backupId, reason) => {
    const reasons = kept.get(backupId) ?? [];
    if (!reasons.includes(reason)) kept.set(backupId, [...reasons, reason]);
  };
  const { backups } = facts;
  const newestFirst = backups.toReversed().filter((backup) => !isFuture(backup, nowMs));
  const usable = newestFirst.filter((backup) => isUsable(backup, nowMs));
  if (usable.length === 0)
    for (const { backupId } of backups) keep(backupId, 'no backup is known to be whole');
  const unjudged = newestFirst.filter((backup) => isUsable({ ...backup, verified: null }, nowMs));
  keepAsRuled({ newestFirst, unjudged, usable }, rule, nowMs, keep);
  keepSafe({ unjudged, usable }, rule, keep);
  for (const { backupId } of bases.backups) keep(backupId, `base of ${bases.name}`);
  // The next incremental backup builds on it, and may be under way.
  const newest = backups.at(-1);
  if (newest !== undefined) keep(newest.backupId, 'the newest backup: the next one builds on it');
  keepHeld(facts, nowMs, keep);
  keepForArchive(facts, nowMs, kept, keep);
  keepParents(facts, kept, keep);
  return kept;
}

interface Ranks {
  /** All. */
  readonly newestFirst: readonly BackupFacts[];
  /** What could be used if no verification had found anything. */
  readonly unjudged: readonly BackupFacts[];
  readonly usable: readonly BackupFacts[];
}

/**
 * Counts are of backups that can be restored. One whose chain is broken, or that was found unsound, stays where it would if that were
 * not so, since the missing link may be found and the damage mended; it takes no other one's place.
 */
function keepAsRuled(
  { newestFirst, unjudged, usable }: Ranks,
  rule: RetentionRule,
  nowMs: number,
  keep: Keep,
): void {
  if (!saysOfBackups(rule)) {
    for (const { backupId } of newestFirst) keep(backupId, 'the rule says nothing of backups');
    return;
  }
  const sinceMs = Math.min(nowMs, newestFirst[0]?.createdAtMs ?? nowMs);
  keepByRule(usable, rule, sinceMs, keep);
  const canBeUsed = new Set(usable.map(({ backupId }) => backupId));
  for (const backups of [unjudged, newestFirst]) {
    keepByRule(backups, rule, sinceMs, (backupId, reason) => {
      if (!canBeUsed.has(backupId)) keep(backupId, `${reason}, if it could be used`);
    });
  }
}

/** What stays whatever else is said: so many whole chains, and what was proven to be sound. */
function keepSafe(
  { unjudged, usable }: Pick<Ranks, 'unjudged' | 'usable'>,
  { minimumRedundancy = 1 }: RetentionRule,
  keep: Keep,
): void {
  const count = Math.max(1, minimumRedundancy);
  const chains = `minimum redundancy: ${count === 1 ? 'the newest whole chain' : `one of the newest ${count} whole chains`}`;
  for (const { backupId } of newestOfChains(usable, count)) keep(backupId, chains);
  const canBeUsed = new Set(usable);
  for (const backup of newestOfChains(unjudged, count)) {
    if (!canBeUsed.has(backup)) keep(backup.backupId, `${chains}, if it could be used`);
  }
  const verified = usable.find((backup) => backup.verified === true);
  if (verified !== undefined) keep(verified.backupId, 'the last verified backup');
}

function newestOfChains(newestFirst: readonly BackupFacts[], count: number): BackupFacts[] {
  const chains = [...Map.groupBy(newestFirst, ({ baseId }) => baseId).values()];
  return chains.slice(0, count).map(([newest]) => newest!);
}

function keepHeld({ backups, holds }: VaultFacts, nowMs: number, keep: Keep): void {
  for (const { backupId, reason, untilMs } of holds) {
    if (untilMs !== null && untilMs <= nowMs) continue;
    if (backups.some((backup) => backup.backupId === backupId)) keep(backupId, `held: ${reason}`);
  }
  for (const backup of backups) {
    if (isFuture(backup, nowMs)) keep(backup.backupId, "from the future, by this host's clock");
  }
}

/** What belongs into the archive goes only once it is there. */
function keepForArchive(
  { backups, archive }: VaultFacts,
  nowMs: number,
  kept: ReadonlyMap<string, unknown>,
  keep: Keep,
): void {
  if (archive === null) return;
  const sinceMs = Math.min(nowMs, backups.at(-1)?.createdAtMs ?? nowMs);
  for (const chain of Map.groupBy(backups, ({ baseId }) => baseId).values()) {
    if (chain.at(-1)!.createdAtMs > sinceMs - archive.afterMs) continue;
    for (const { backupId } of chain) {
      if (!kept.has(backupId) && !archive.holds.has(backupId)) keep(backupId, 'not in the archive yet');
    }
  }
}

/**
 * Where a link is not there, all of the chain stays: what is beyond the hole, only the lost manifest would say, and another
 * copy of the vault may have it.
 */
function keepParents({ backups, damaged }: VaultFacts, kept: ReadonlyMap<string, unknown>, keep: Keep): void {
  const byId = new Map(backups.map((backup) => [backup.backupId, backup]));
  const chains = Map.groupBy(backups, ({ baseId }) => baseId);
  for (const { backupId, parentId } of damaged) {
    if (parentId !== null && byId.has(parentId))
      keep(parentId, `${shortId(backupId)}, which cannot be read, seems to build on it`);
  }
  const waiting = [...kept.keys()];
  const seen = new Set(waiting);
  const follow = (backupId: string, reason: string): void => {
    keep(backupId, reason);
    if (seen.has(backupId)) return;
    seen.add(backupId);
    waiting.push(backupId);
  };
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const backup = byId.get(id);
    if (backup === undefined || backup.parentId === null) continue;
    if (byId.has(backup.parentId)) {
      follow(backup.parentId, `parent of ${shortId(id)}, which is kept`);
      continue;
    }
    for (const { backupId } of chains.get(backup.baseId)!) {
      if (backupId === id) continue;
      follow(
        backupId,
        `${shortId(id)}, which is kept, builds on one that is not here, and so perhaps on this`,
      );
    }
  }
}
