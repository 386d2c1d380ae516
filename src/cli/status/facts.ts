import { BackupError } from '../../core/errors.ts';
import {
  MOST_STATUS_BACKUPS,
  type StatusBackup,
  type StatusLog,
  type StatusMonitor,
  type StatusProblem,
  type StatusWindow,
  type StoreStatus,
} from '../../core/status.ts';
import { formatTime, timeFromUnixMs } from '../../core/time.ts';
import type { Vault } from '../../core/vault.ts';
import { type Catalog, readCatalog } from '../../format/catalog.ts';
import { type LogTimeline, readLogCatalog } from '../../format/log-catalog.ts';
import type { MonitorReport } from '../../format/monitor-report.ts';
import { type MonitorRecord, readMonitorRecord } from '../../integrity/monitor/records.ts';
import { coveredShare, readSweep, type SweepRound } from '../../policy/sweep.ts';
import { verificationAge, verificationStatus } from '../../policy/verification-age.ts';
import { unitsOf, type VerifiedMemory } from '../../policy/verified-memory.ts';
import { type LogSurvey, surveyLogs } from '../../recovery/survey.ts';
import { newestInstant, newestSpan, type SpanFacts } from '../../recovery/windows.ts';
import { redactAddress } from '../address.ts';
import type { Settings } from '../config/config.ts';
import { type DrillFacts, drillStatus, readDrillFacts } from '../drill/facts.ts';
import { type ListedBackup, listBackups } from '../render/chains.ts';
import { requireMemory } from '../verify/verified.ts';
import { openStore } from '../wire.ts';
import { type LogLag, measureLag } from './log-lag.ts';
import { damageProblems, type Part, readPart } from './parts.ts';
import { promisesOf } from './promises.ts';
import { readRegions } from './regions.ts';

export interface StatusSources {
  readonly settings: Settings;
  /** Open. */
  readonly vault: Vault;
  readonly signal: AbortSignal;
  readonly nowMs: number;
}

/**
 * What is known of how well a store is protected, with reads that are bounded: listings, manifests, ends of logs, the newest records. No key
 * is needed and nothing is written. Throws as the vault does where its backups and logs cannot be read; whatever else fails is a problem in
 * the answer.
 */
export async function readStatus(sources: StatusSources): Promise<StoreStatus> {
  const { settings, vault, signal, nowMs } = sources;
  const [catalog, timelines] = await Promise.all([readCatalog(vault), readLogCatalog(vault)]);
  const survey = await surveyLogs(vault, catalog, timelines);
  const newestPoint = newestInstant(survey.windows);
  const [log, memory, drills, monitor, regions] = await Promise.all([
    readLag(settings.store, newestSpan(survey.spans), { signal, nowMs }),
    readPart('verification', signal, () => requireMemory(vault, nowMs)),
    readPart('drills', signal, () => readDrillFacts(vault, settings)),
    readPart('monitor', signal, () => readMonitorRecord(vault)),
    readRegions(settings, { vault, catalog, newestPoint }, signal),
  ]);
  const listed = listBackups(catalog, memory.value ?? new Map());
  const parts: readonly Part<unknown>[] = [log, memory, drills, monitor, regions];
  return {
    ...{ at: textOf(nowMs), store: settings.store === null ? null : redactAddress(settings.store) },
    ...{ vault: vault.address, newestPoint, windows: newestWindows(survey.windows) },
    gaps: survey.gaps.slice(-MOST_STATUS_BACKUPS).map(({ from, message }) => ({ from, reason: message })),
    backups: listed.slice(-MOST_STATUS_BACKUPS).map(backupStatus),
    ...sizesOf(catalog),
    ...{ log: log.value, regions: regions.value, monitor: monitorStatus(monitor.value?.report ?? null) },
    verification: verificationOf(memory.value, { catalog, timelines, nowMs }),
    ...drillsOf(drills.value),
    promises: promisesOf(settings),
    problems: [
      ...damageOf(catalog, listed, survey),
      ...unreadRecords(drills.value, monitor.value),
      ...parts.flatMap(({ problems }) => problems),
    ],
  };
}

/** Null where no store is named, it has no log yet, or does not tell. A store that hangs is left. */
async function readLag(
  address: string | null,
  last: SpanFacts | null,
  { signal, nowMs }: Pick<StatusSources, 'signal' | 'nowMs'>,
): Promise<Part<StatusLog | null>> {
  if (address === null) return { value: null, problems: [] };
  const store = await openStore(address);
  try {
    return await readPart('store', signal, async () => {
      // Whether it answers is worth knowing where there is no log, too.
      const { state } = await store.inspect();
      if (state === 'missing') throw noStore(store.address);
      const lag = last === null ? null : await measureLag(store, last, { nowMs, counts: false });
      return lag === null ? null : logStatus(lag);
    });
  } finally {
    await store.close();
  }
}

function noStore(address: string): BackupError {
  return new BackupError('not_an_event_store', `no event store in ${address}`, {
    hint: 'check the address and its ?schema=; `eventcore doctor` looks closer',
  });
}

function logStatus({ seconds, bytes, retainedBytes, spareBytes, isRead }: LogLag): StatusLog {
  return { lagSeconds: seconds, lagBytes: bytes, retainedBytes, spareBytes, isCaptured: isRead };
}

function textOf(unixMs: number): string {
  return formatTime(timeFromUnixMs(unixMs), 3);
}

/** The oldest one says since when, the newest ones are looked at. */
function newestWindows(windows: LogSurvey['windows']): StatusWindow[] {
  const few =
    windows.length <= MOST_STATUS_BACKUPS
      ? windows
      : [...windows.slice(0, 1), ...windows.slice(1 - MOST_STATUS_BACKUPS)];
  return few.map(({ source, from, to }) => ({ source, from, to }));
}

function backupStatus({ entry: { manifest }, broken, verified }: ListedBackup): StatusBackup {
  const { backupId, kind, finishedAt, durationMs, sizeBytes, sealed, chain } = manifest;
  const { verifiedAtMs, isSound } = verified;
  return {
    ...{ backupId, kind, chainId: broken === null ? (chain?.baseId ?? backupId) : null },
    ...{
      stateAt: manifest.createdAt,
      finishedAt,
      durationMs,
      events: manifest.totalEvents,
      sizeBytes,
      sealed,
    },
    ...{ verifiedAt: verifiedAtMs === null ? null : textOf(verifiedAtMs), isSound },
  };
}

function sizesOf({ backups }: Catalog): Pick<StoreStatus, 'backupCount' | 'backupBytes'> {
  const bytes = backups.reduce(
    (sum, { manifest, manifestBytes }) => sum + manifest.sizeBytes + manifestBytes,
    0,
  );
  return { backupCount: backups.length, backupBytes: bytes };
}

interface VaultFacts {
  readonly catalog: Catalog;
  readonly timelines: readonly LogTimeline[];
  readonly nowMs: number;
}

/** Null where nobody may look at what was verified. */
function verificationOf(
  memory: VerifiedMemory | null,
  { catalog, timelines, nowMs }: VaultFacts,
): StoreStatus['verification'] {
  if (memory === null) return null;
  return verificationStatus(verificationAge(unitsOf(memory, catalog.backups, timelines), nowMs));
}

function drillsOf(facts: DrillFacts | null): Pick<StoreStatus, 'drill' | 'lastPassedDrillAt'> {
  const passedAtMs = facts?.lastPassedAtMs ?? null;
  return {
    drill: facts === null ? null : drillStatus(facts),
    lastPassedDrillAt: passedAtMs === null ? null : textOf(passedAtMs),
  };
}

function monitorStatus(report: MonitorReport | null): StatusMonitor | null {
  if (report === null) return null;
  const sweep = readSweep(report.sweep);
  const open = (wanted: string): number => report.open.filter(({ severity }) => severity === wanted).length;
  return {
    at: report.startedAt,
    coverage: sweep === null ? null : coverageOf(sweep.blocks),
    ...{ openCritical: open('critical'), openWarning: open('warning') },
  };
}

/** Of the round that is under way; between two of them all has been looked at. */
function coverageOf(round: SweepRound): number {
  return round.startedAt === null && round.finishedAt !== null ? 1 : coveredShare(round);
}

const OTHER_COPY = 'take it from another copy of this vault; `eventcore verify` says what is wrong';

function damageOf(catalog: Catalog, listed: readonly ListedBackup[], survey: LogSurvey): StatusProblem[] {
  const untrusted = catalog.damaged.map(({ backupId, message }) => `backup ${backupId}: ${message}`);
  const broken = listed.flatMap(({ entry, broken: why }) =>
    why === null ? [] : [`backup ${entry.manifest.backupId} cannot be used: ${why.message}`],
  );
  return [
    ...damageProblems('vault', [...untrusted, ...broken], OTHER_COPY),
    ...damageProblems('log', survey.problems, OTHER_COPY),
  ];
}

/** Records that are there and cannot be believed; older ones are told of instead. */
function unreadRecords(drills: DrillFacts | null, monitor: MonitorRecord | null): StatusProblem[] {
  const newest = drills?.newest ?? null;
  const evidence = newest === null || newest.problem === null ? [] : [`${newest.name}: ${newest.problem}`];
  return [
    ...damageProblems('drills', evidence, '`eventcore drill list` says which evidence can be believed'),
    ...damageProblems('monitor', monitor?.warnings ?? [], null),
  ];
}
