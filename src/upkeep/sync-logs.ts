import { isBackupError, throwIfAborted } from '../core/errors.ts';
import { isFrozen } from '../format/keep-marks.ts';
import { parseKeyRecordName } from '../format/key-record.ts';
import { type LogFile, type LogTimeline, type QuietMark, readLogCatalog } from '../format/log-catalog.ts';
import { checkLogFiles } from '../format/log-digests.ts';
import { gapFileName, LOG_PREFIX, parseLogName } from '../format/log-name.ts';
import { quietFile } from '../format/log-quiet.ts';
import { planCompaction, planMarkRemovals } from '../policy/compaction.ts';
import { copyChecked } from './copy-checked.ts';
import { checkObject, logCheck, type MakeCheck, recordCheck } from './object-check.ts';
import type { CopiedObjects } from './sync-bundle.ts';
import { note, type SyncRun } from './sync-run.ts';

export interface LogOutcome extends CopiedObjects {
  /** Files that a longer one holds as well. */
  removed: number;
}

/** A file of the log, in the order of which the target gets them. */
interface Waiting {
  readonly name: string;
  readonly make: MakeCheck;
}

/**
 * Copies what the logs of the target lack: keys before what they seal, marks of gaps before what is behind them, and files in their
 * order, so that wherever it ends the target's log has no hole that the source's has not. Joined files are copied too, and what
 * they cover goes later.
 */
export async function syncLogs(run: SyncRun): Promise<LogOutcome> {
  const outcome: LogOutcome = { objects: 0, bytes: 0, removed: 0 };
  // What a compaction has joined since it was listed is there in another file: so it is listed again.
  for (let looks = 0; looks < MOST_LOOKS; looks += 1) {
    let isGone = false;
    for (const timeline of await readLogCatalog(run.source)) {
      isGone = !(await syncTimeline(run, timeline, outcome)) || isGone;
    }
    if (!isGone) break;
  }
  outcome.removed = await removeCovered(run);
  return outcome;
}

const MOST_LOOKS = 3;

/** False when something was no longer there: what is behind it waits. */
async function syncTimeline(run: SyncRun, timeline: LogTimeline, outcome: LogOutcome): Promise<boolean> {
  const { folder, gaps } = timeline;
  const names = [
    ...(await keyRecordNames(run, folder)),
    ...gaps.map(({ from, to }) => folder + gapFileName(from, to)),
  ].filter((name) => !run.there.has(name) && run.keepsLogObject(name));
  const waiting: Waiting[] = [
    ...names.map((name) => ({ name, make: recordCheck })),
    ...missingFiles(run, timeline).map(({ name, to }) => ({ name, make: () => logCheck(to) })),
    ...newMarks(run, timeline).map(({ name, at }) => ({ name, make: () => logCheck(at) })),
  ];
  for (const next of waiting) if (!(await copyNext(run, folder, next, outcome))) return false;
  return true;
}

/** The newest that says up to when nothing more was committed: older ones say less. */
function newMarks({ there, keepsLogObject }: SyncRun, { spans, quiet }: LogTimeline): QuietMark[] {
  const end = spans.at(-1)?.to;
  const marks = quiet.filter(({ at }) => at === end).toSorted((a, b) => (a.asOf < b.asOf ? -1 : 1));
  return marks.slice(-1).filter(({ name }) => !there.has(name) && keepsLogObject(name));
}

async function keyRecordNames({ source }: SyncRun, folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of source.list(`${folder}key-`)) {
    if (parseKeyRecordName(name.slice(folder.length)) !== null) names.push(name);
  }
  return names;
}

/** Files that the target has neither itself nor in a longer one, and would keep. */
export function missingFiles({ there, keepsLogObject }: SyncRun, { folder, spans }: LogTimeline): LogFile[] {
  const covers = coverageOf(there.keys(), folder);
  return spans.flatMap(({ files }) => files.filter((file) => !covers(file) && keepsLogObject(file.name)));
}

/** Whether the target has a file, or a longer one that holds it. */
function coverageOf(
  names: Iterable<string>,
  folder: string,
): (file: Pick<LogFile, 'name' | 'from' | 'to'>) => boolean {
  const there = new Set<string>();
  const ranges: { readonly from: bigint; readonly to: bigint }[] = [];
  for (const name of names) {
    const parsed = name.startsWith(folder) ? parseLogName(name) : null;
    if (parsed?.kind !== 'log') continue;
    there.add(name);
    ranges.push(parsed);
  }
  ranges.sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : a.to > b.to ? -1 : 1));
  const longest = ranges.reduce<{ from: bigint; to: bigint }[]>((kept, range) => {
    if (kept.length === 0 || range.to > kept.at(-1)!.to) kept.push(range);
    return kept;
  }, []);
  return ({ name, from, to }) => {
    if (there.has(name)) return true;
    // The file with which a log begins holds no commit, and no other one holds it.
    if (from === to) return false;
    const place = longest.findLastIndex((range) => range.from <= from);
    return place !== -1 && longest[place]!.to >= to;
  };
}

/** False when the source has it no more. What is damaged is noted, and what is behind it is of use all the same. */
async function copyNext(
  run: SyncRun,
  folder: string,
  { name, make }: Waiting,
  outcome: LogOutcome,
): Promise<boolean> {
  const { source, target, there, readBack, onBytes, signal } = run;
  throwIfAborted(signal);
  const copied = await copyChecked(source, target, name, make, { readBack, onBytes, signal });
  if (copied.state === 'missing') return false;
  if (copied.state === 'unsound') note(run, folder, name, 'source', copied.reason);
  if (copied.state === 'copied') {
    there.set(name, copied.sizeBytes);
    outcome.objects += 1;
    outcome.bytes += copied.sizeBytes;
  }
  if (copied.state === 'present') {
    // Another run copies the same.
    const found = await checkObject(target, name, make, signal);
    if (found.state === 'unsound') note(run, folder, name, 'target', found.reason);
  }
  return true;
}

/** By the same rule as where the log is written: once the joined file has been there for a while, and is sound. */
async function removeCovered(run: SyncRun): Promise<number> {
  const isPlanned = (await removalsIn(run)).length > 0;
  if (!isPlanned || (await isFrozen(run.target))) return 0;
  try {
    return await run.underLease(async (lease, signal) => {
      let removed = 0;
      for (const { covering, files } of await removalsIn(run)) {
        if (covering !== null) await checkLogFiles(run.target, [covering], signal);
        for (const { name } of files) {
          throwIfAborted(signal);
          lease.assertHeld();
          await run.target.removeObject(name);
          run.there.delete(name);
          removed += 1;
        }
      }
      return removed;
    });
  } catch (error) {
    if (!isBackupError(error, 'lease_held', 'damaged', 'store_unsupported')) throw error;
    note(run, LOG_PREFIX, null, 'target', `files that longer ones hold stay: ${error.message}`);
    return 0;
  }
}

interface Removal {
  /** What says the same, and must be sound; null where the log itself went on. */
  readonly covering: LogFile | null;
  readonly files: readonly { readonly name: string }[];
}

async function removalsIn({ target, clock }: SyncRun): Promise<Removal[]> {
  const nowMs = clock.now();
  const timelines = await readLogCatalog(target);
  return timelines.flatMap((timeline) => [
    ...planCompaction(timeline, nowMs).removals,
    ...planMarkRemovals(timeline, nowMs).map(({ newer, marks }) => ({
      covering: newer === null ? null : quietFile(newer),
      files: marks,
    })),
  ]);
}
