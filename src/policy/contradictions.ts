import type {
  ArchiveTier,
  PrimaryRegion,
  RegionPolicy,
  ReplicaRegion,
  Schedule,
} from '../core/region-policy.ts';
import type { RetentionRule } from '../core/retention-rule.ts';
import { DAY_MS, formatSpan } from './duration.ts';
import { findOverlaps, readLock } from './places.ts';
import { saysOfBackups } from './retention-rules.ts';
import { greatestIntervalMs } from './schedule.ts';

/** What does not fit together in a policy. An error would lose what the policy is there to keep; a warning is worth a look. */
export interface PolicyFinding {
  readonly level: 'error' | 'warning';
  readonly code: PolicyFindingCode;
  /** With the numbers that contradict each other. */
  readonly message: string;
  readonly hint: string;
}

export type PolicyFindingCode =
  | 'region_twice'
  | 'storage_overlaps'
  | 'archive_too_late'
  | 'archive_on_last_day'
  | 'archive_too_short'
  | 'expires_before_sync'
  | 'replica_runs_empty'
  | 'rpo_not_given'
  | 'region_rpo_not_given'
  | 'lock_outlasts_retention'
  | 'lock_too_short';

/** All contradictions of a policy, errors first. Schedules are taken as they are in the year from `nowMs`. */
export function findContradictions(policy: RegionPolicy, nowMs: number): PolicyFinding[] {
  const { primary, replicas, archive } = policy;
  const primaryMs = intervalOf(primary.schedule, nowMs);
  const syncs = replicas.map((replica) => ({ replica, syncMs: intervalOf(replica.syncSchedule, nowMs) }));
  const findings = [
    ...checkNames(policy),
    ...findOverlaps(policy).map(
      (message): PolicyFinding => ({
        ...{ level: 'error', code: 'storage_overlaps', message },
        hint: 'give each region a bucket, a prefix or a directory of its own: a loss of one must not be a loss of both',
      }),
    ),
    ...(archive === null ? [] : checkArchive(policy, archive, primaryMs)),
    ...syncs.flatMap(({ replica, syncMs }) => checkSync(policy, replica, primaryMs, syncMs)),
    ...checkObjectives(policy, primaryMs, syncs),
    ...checkLocks(policy, primaryMs),
  ];
  return findings.sort((a, b) => rank(a) - rank(b));
}

function rank({ level }: PolicyFinding): number {
  return level === 'error' ? 0 : 1;
}

function intervalOf(schedule: Schedule | null, nowMs: number): number | null {
  return schedule === null ? null : greatestIntervalMs(schedule, nowMs);
}

/**
 * After how long nothing of a restore point is kept any more, minimum redundancy aside; null where that cannot be said: counts
 * of restore points mean a time only where a schedule says how far apart they are.
 */
export function longestKeptMs(rule: RetentionRule | null, intervalMs: number | null): number | null {
  if (rule === null || !saysOfBackups(rule)) return Number.POSITIVE_INFINITY;
  if (rule.last !== undefined && intervalMs === null) return null;
  return Math.max(
    rule.withinMs ?? 0,
    (rule.last ?? 0) * (intervalMs ?? 0),
    (rule.daily ?? 0) * DAY_MS,
    (rule.weekly ?? 0) * 7 * DAY_MS,
    (rule.monthly ?? 0) * 30 * DAY_MS,
    (rule.yearly ?? 0) * 365 * DAY_MS,
  );
}

/** As `longestKeptMs`, for a region of a policy; null also where nothing is ever removed. */
export function keptInRegionMs(
  { primary }: RegionPolicy,
  { retention }: { readonly retention: RetentionRule | null },
  nowMs: number,
): number | null {
  if (retention === null || !saysOfBackups(retention)) return null;
  return longestKeptMs(retention, intervalOf(primary.schedule, nowMs));
}

function checkNames({ primary, replicas, archive }: RegionPolicy): PolicyFinding[] {
  const names = [primary, ...replicas, ...(archive === null ? [] : [archive])].map(({ region }) => region);
  const twice = new Set(names.filter((name, i) => names.indexOf(name) !== i));
  return [...twice].map((name) => ({
    ...{ level: 'error', code: 'region_twice', message: `two regions have the name ${name}` },
    hint: 'give each region a name of its own: commands and reports name them',
  }));
}

type Sync = { readonly replica: ReplicaRegion; readonly syncMs: number | null };

/** A chain can be archived from any region that still has it on the day that it is old enough. */
function checkArchive(
  { primary, replicas }: RegionPolicy,
  archive: ArchiveTier,
  primaryMs: number | null,
): PolicyFinding[] {
  const afterMs = archive.afterDays * DAY_MS;
  const after = `archive.after_days is ${archive.afterDays}`;
  const findings: PolicyFinding[] = [];
  const archiveMs = longestKeptMs(archive.retention, primaryMs);
  if (archiveMs !== null && archiveMs <= afterMs) {
    findings.push({
      ...{ level: 'error', code: 'archive_too_short' },
      message: `${after}, and the archive keeps ${formatSpan(archiveMs)}: what comes there is removed at once`,
      hint: 'let archive.retention be longer than archive.after_days; both count from when a backup was taken',
    });
  }
  return [...findings, ...checkArchiveSource([primary, ...replicas], archive, primaryMs)];
}

/** What is archived comes from the region that still has it (`archiveSources`), and `prune` there waits for that. */
function checkArchiveSource(
  regions: readonly (PrimaryRegion | ReplicaRegion)[],
  { afterDays }: ArchiveTier,
  primaryMs: number | null,
): PolicyFinding[] {
  const afterMs = afterDays * DAY_MS;
  const after = `archive.after_days is ${afterDays}`;
  const kept = regions.flatMap(({ region, retention }) => {
    const keptMs = longestKeptMs(retention, primaryMs);
    return keptMs === null ? [] : [{ region, keptMs }];
  });
  if (kept.length < regions.length) return [];
  const longest = kept.reduce((a, b) => (b.keptMs > a.keptMs ? b : a));
  const where = `${longest.region} keeps ${formatSpan(longest.keptMs)}`;
  if (longest.keptMs > afterMs) return [];
  if (longest.keptMs === afterMs) {
    return [
      {
        ...{ level: 'warning', code: 'archive_on_last_day' },
        message: `${after}, and ${where}: copies expire on the day on which they are to be archived`,
        hint: `keep some days longer, as ${afterDays + 7}d: only \`eventcore prune\` waits for the archive, a rule of the bucket does not`,
      },
    ];
  }
  return [
    {
      ...{ level: 'error', code: 'archive_too_late' },
      message: `${after}, but no region keeps backups for so long (${where}): nothing would ever be archived`,
      hint: `let archive.after_days be less than ${Math.floor(longest.keptMs / DAY_MS)}, or let one region keep longer than ${afterDays}d`,
    },
  ];
}

function checkSync(
  { primary }: RegionPolicy,
  replica: ReplicaRegion,
  primaryMs: number | null,
  syncMs: number | null,
): PolicyFinding[] {
  if (syncMs === null) return [];
  const findings: PolicyFinding[] = [];
  const { region } = replica;
  const primaryKeptMs = longestKeptMs(primary.retention, primaryMs);
  if (primaryKeptMs !== null && primaryKeptMs < syncMs) {
    findings.push({
      ...{ level: 'error', code: 'expires_before_sync' },
      message: `${primary.region} keeps ${formatSpan(primaryKeptMs)}, but up to ${formatSpan(syncMs)} pass between two syncs of ${region}: backups expire before they are copied`,
      hint: `let primary.retention be longer than ${formatSpan(syncMs)}, or sync ${region} more often`,
    });
  }
  const replicaKeptMs = longestKeptMs(replica.retention, primaryMs);
  const refilledMs = syncMs + (primaryMs ?? 0);
  if (replicaKeptMs !== null && replicaKeptMs < refilledMs) {
    findings.push({
      ...{ level: 'warning', code: 'replica_runs_empty' },
      message: `${region} keeps ${formatSpan(replicaKeptMs)}, but its newest backup can be ${formatSpan(refilledMs)} old before the next comes: all that it has may be expired`,
      hint: `let the retention of ${region} be longer than ${formatSpan(refilledMs)}; else only minimum_redundancy keeps something there`,
    });
  }
  return findings;
}

/** A promise that cannot be kept is no danger to what is kept: a warning, so that backups go on. */
function checkObjectives(
  { primary, objectives }: RegionPolicy,
  primaryMs: number | null,
  syncs: readonly Sync[],
): PolicyFinding[] {
  const { rpoMs, regionRpoMs } = objectives ?? {};
  const findings: PolicyFinding[] = [];
  if (rpoMs !== undefined && primaryMs !== null && rpoMs < primaryMs) {
    findings.push({
      ...{ level: 'warning', code: 'rpo_not_given' },
      message: `objectives.rpo is ${formatSpan(rpoMs)}, but up to ${formatSpan(primaryMs)} pass between two backups of ${primary.region}`,
      hint: 'keep `eventcore archive` running, which captures each commit, or take backups more often',
    });
  }
  const known = syncs.flatMap(({ replica, syncMs }) => (syncMs === null ? [] : [{ replica, syncMs }]));
  const best = known.reduce<(typeof known)[number] | null>(
    (least, sync) => (least === null || sync.syncMs < least.syncMs ? sync : least),
    null,
  );
  if (regionRpoMs === undefined || best === null) return findings;
  const { replica, syncMs } = best;
  const withoutLogMs = syncMs + (primaryMs ?? 0);
  if (regionRpoMs >= withoutLogMs) return findings;
  const isGivenByLog = regionRpoMs >= syncMs;
  const parts =
    primaryMs === null
      ? `${formatSpan(syncMs)} pass between two syncs`
      : `a loss of ${primary.region} can lose ${formatSpan(withoutLogMs)} (${formatSpan(primaryMs)} between two backups, and ${formatSpan(syncMs)} between two syncs)`;
  findings.push({
    ...{ level: 'warning', code: 'region_rpo_not_given' },
    message: `objectives.region_rpo is ${formatSpan(regionRpoMs)}, but with ${replica.region} ${parts}`,
    hint: isGivenByLog
      ? 'keep `eventcore archive` running: each sync copies the change log as well'
      : `sync ${replica.region} more often than every ${formatSpan(regionRpoMs)}`,
  });
  return findings;
}

/** A lock says how long nothing can be removed, retention when it is. */
function checkLocks({ primary, replicas, archive }: RegionPolicy, primaryMs: number | null): PolicyFinding[] {
  const regions = [primary, ...replicas, ...(archive === null ? [] : [archive])];
  return regions.flatMap(({ region, storage, retention }): PolicyFinding[] => {
    const lock = readLock(storage);
    const keptMs = longestKeptMs(retention, primaryMs);
    if (lock === null || keptMs === null) return [];
    const lockMs = lock.days * DAY_MS;
    if (lockMs > keptMs) {
      return [
        {
          ...{ level: 'warning', code: 'lock_outlasts_retention' },
          message: `${region} keeps ${formatSpan(keptMs)}, but its objects are locked for ${lock.days}d: until then nothing there can be removed`,
          hint: 'let lockDays be no longer than the retention, or expect to pay for what is kept longer',
        },
      ];
    }
    // No lock lasts as long as what is never removed.
    if (lockMs === keptMs || keptMs === Number.POSITIVE_INFINITY) return [];
    return [
      {
        ...{ level: 'warning', code: 'lock_too_short' },
        message: `${region} keeps ${formatSpan(keptMs)}, but its objects are locked (${lock.mode}) for ${lock.days}d only: after that whoever has the rights can remove them`,
        hint: 'let lockDays be as long as the retention, or let another region hold what must outlast an attack',
      },
    ];
  });
}
