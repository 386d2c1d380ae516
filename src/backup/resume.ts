import { hereFirst, inOrder, runLimited } from '../core/concurrency.ts';
import { hasDifferences, makeDifferences } from '../core/differences.ts';
import { isBackupError } from '../core/errors.ts';
import type { EventBatch } from '../core/event-batch.ts';
import type { StoreDescription, StoreRange, StoreSnapshot } from '../core/event-store.ts';
import { dropKnown } from '../core/known-rows.ts';
import { makeStreamTable, mergeTable, type StreamTable, streamFacts } from '../core/stream-table.ts';
import { formatTime, timeFromUnixMs } from '../core/time.ts';
import { type Attempt, attemptName, encodeAttempt } from '../format/attempt-codec.ts';
import { writeObject } from '../format/data-file-writer.ts';
import { makeKnownEvents } from '../format/known-events.ts';
import {
  atWork,
  type FoundAttempt,
  isOfStore,
  type KeptPart,
  lookAgain,
  planRest,
  type Rest,
} from './attempts.ts';
import { removeAttempt } from './failures.ts';
import { finish, giveUp, limitsAt, type Target, writeRest } from './finish.ts';
import type {
  FullBackupOptions,
  FullBackupReport,
  ResumedReport,
  ResumingPorts,
  WrittenFiles,
} from './full.ts';
import { type Gathered, gather, makeGathered } from './gather.ts';
import { type KeptFileJob, readKeptFile } from './kept-file.ts';
import { backUpRanges, type RangeHooks, type RangeJob, type RangeResult } from './range.ts';
import { type AddProgress, progressOver, readRanges } from './read-ranges.ts';

export type ResumeOutcome =
  | { readonly kind: 'taken'; readonly report: Omit<FullBackupReport, 'leftoversRemoved' | 'notes'> }
  /** The attempt was thrown away. */
  | { readonly kind: 'anew'; readonly reason: string }
  /** Nothing was touched. */
  | { readonly kind: 'none'; readonly reason: string };

/**
 * Goes on with an attempt that another run left. Event files that it finished are kept; parts that it did not finish are read
 * in a new view of the store, and of the parts that are kept what the view of their run could not see. That this is all, and
 * each event once, is proven by the store's own count; where it is not so, the attempt is given up.
 */
export async function resumeBackup(
  ports: ResumingPorts,
  options: FullBackupOptions,
  source: StoreDescription,
  candidates: readonly FoundAttempt[],
): Promise<ResumeOutcome> {
  const { store, vault, clock } = ports;
  const snapshot = await store.openSnapshot();
  try {
    const startedAtMs = clock.now();
    const ofStore = candidates.find(
      ({ runs }) => runs !== null && isOfStore(runs[0].cursor, snapshot.cursor),
    );
    if (ofStore === undefined) return { kind: 'none', reason: 'it is an attempt to back up another store' };
    const claimed = await claim(ports, ofStore, snapshot, startedAtMs);
    if (claimed === null) return { kind: 'none', reason: 'another run was faster to take it up' };
    const { folder, backupId } = ofStore;
    const target: Target = { folder, backupId, source, seal: null };
    options.onBegin?.(backupId);
    atWork.add(backupId);
    try {
      const read = await readOn({ ports, options, snapshot, target, startedAtMs, ...claimed });
      if (typeof read === 'string') {
        await removeAttempt(vault, folder);
        return { kind: 'anew', reason: read };
      }
      const done = await finish(ports, options, target, read.written, claimed.runs.length);
      return { kind: 'taken', report: { ...done, resumed: read.resumed } };
    } catch (error) {
      throw await giveUp(vault, target, error);
    } finally {
      atWork.delete(backupId);
    }
  } finally {
    await snapshot.close();
  }
}

interface Claimed {
  readonly runs: NonNullable<FoundAttempt['runs']>;
  readonly names: FoundAttempt['names'];
  readonly rest: Rest;
}

/**
 * Writes the attempt of this run, whose name only one run can take; null when that was another one. Between the look at the
 * folder and this write another run may have taken the attempt up and finished it: so it is looked at again.
 */
async function claim(
  { vault, writers }: ResumingPorts,
  found: FoundAttempt,
  snapshot: StoreSnapshot,
  startedAtMs: number,
): Promise<Claimed | null> {
  const rest = planRest(found.runs!, found.names);
  const number = found.runs!.length + 1;
  const name = found.folder + attemptName(number);
  const attempt: Attempt = {
    ...found.runs![0],
    number,
    startedAt: formatTime(timeFromUnixMs(startedAtMs), 3),
    writer: writers.self,
    cursor: await snapshot.settledCursor(),
    reads: rest.missing,
  };
  try {
    await writeObject(vault, name, encodeAttempt(attempt));
  } catch (error) {
    if (isBackupError(error, 'vault_object_exists')) return null;
    throw error;
  }
  const now = await lookAgain(vault, found);
  if (now?.runs?.length === number) return { runs: now.runs, names: now.names, rest };
  await vault.removeObject(name);
  return null;
}

interface Run extends Claimed {
  readonly ports: ResumingPorts;
  readonly options: FullBackupOptions;
  readonly snapshot: StoreSnapshot;
  readonly target: Target;
  readonly startedAtMs: number;
}

type Place = Pick<RangeJob, 'folder' | 'limits' | 'seal'> & { readonly onProgress: AddProgress };

/** Reads all that is not kept, or says why the attempt is of no use. */
async function readOn(run: Run): Promise<{ written: WrittenFiles; resumed: ResumedReport } | string> {
  const { ports, options, snapshot, target, startedAtMs, rest } = run;
  const { folder, source } = target;
  const reason = await planChanges(snapshot, rest.kept);
  if (typeof reason === 'string') return reason;
  await removeOthers(run);
  const onProgress = progressOver(await snapshot.estimate(), options.onProgress);
  const place: Place = { folder, limits: limitsAt(startedAtMs, source), seal: null, onProgress };
  options.onStep?.('checking what was finished');
  const { kept, parts, missing, nextFile } = await readKept(run, place);
  const {
    files: { length: filesKept },
    facts: { events: eventsKept },
  } = kept;
  options.onStep?.('reading events');
  const ranges = missing.map(({ file, spec }) => ({ index: file - 1, spec }));
  const read = await readRanges(ports, options, snapshot, ranges, place);
  const changes = await planChanges(snapshot, parts);
  if (typeof changes === 'string') return changes;
  const added = await readAdded(run, place, kept, changes, nextFile);
  if (typeof added === 'string') return added;
  gather(kept, read);
  const eventsAdded = added.facts.events;
  gather(kept, added);
  const fault = findFault(kept, await snapshot.countEvents());
  if (fault !== null) return fault;
  kept.files.sort((a, b) => (a.name < b.name ? -1 : 1));
  const written = { ...(await writeRest(ports, options, target, snapshot, kept)), startedAtMs };
  const attemptStartedAt = run.runs[0].startedAt;
  return { written, resumed: { attemptStartedAt, filesKept, eventsKept, eventsAdded } };
}

/** Together they must be what the store counts; an event that moved from one part into another is there twice. */
function findFault({ facts, table }: Gathered, count: number): string | null {
  let doubled = 0;
  for (let index = 0; index < table.count; index += 1) doubled += streamFacts(table, index).duplicates;
  if (doubled > 0)
    return `${doubled} events were found twice: rows were changed, or a stream has a version twice`;
  if (facts.events === count) return null;
  return `the store has ${count} events and ${facts.events} were found: rows were changed or removed`;
}

/** Ranges of what the kept parts do not hold of themselves, or why that is not to be had. */
async function planChanges(
  snapshot: StoreSnapshot,
  parts: readonly KeptPart[],
): Promise<StoreRange[] | string> {
  const ranges: StoreRange[] = [];
  for (const run of new Set(parts.map((part) => part.run))) {
    const own = parts.filter((part) => part.run === run);
    const changes = await snapshot.planChangesIn(
      run.cursor,
      own.map(({ part, spec }) => ({ index: part, spec })),
    );
    if (typeof changes === 'string') return changes;
    ranges.push(...changes);
  }
  return ranges;
}

/** What dead runs left half-done, or wrote of what is written anew. */
async function removeOthers({ ports: { vault }, target: { folder }, runs, names, rest }: Run): Promise<void> {
  const keeps = new Set(runs.map(({ number }) => attemptName(number)));
  for (const part of rest.kept) for (const name of part.names) keeps.add(name);
  for (const name of names) if (!keeps.has(name)) await vault.removeObject(folder + name);
}

/** Looks through the finished files. One that is damaged is removed, and its part is read again. */
async function readKept(run: Run, { folder, limits, onProgress }: Place) {
  const { ports, options, rest } = run;
  const { vault, runKept } = ports;
  const kept = makeGathered();
  const parts: KeptPart[] = [];
  const missing = [...rest.missing];
  let { nextFile } = rest;
  const damaged: KeptPart[] = [];
  const take = inOrder<{ part: KeptPart; result: RangeResult }>(({ part, result }) => {
    if (result.files.length === 0) {
      damaged.push(part);
      missing.push({ part: part.part, spec: part.spec, file: nextFile++ });
    } else {
      parts.push(part);
      gather(kept, result);
    }
  });
  const here = (job: KeptFileJob, hooks: RangeHooks) => readKeptFile(vault, job, hooks);
  const read = runKept === undefined ? here : hereFirst(here, runKept);
  const readOne = async (place: number, signal: AbortSignal): Promise<void> => {
    const part = rest.kept[place]!;
    const { format, compression } = part.run;
    const [name] = part.names;
    // Who cannot open a sealed bundle cannot take it up, so none is.
    const job: KeptFileJob = { folder, name, format, compression, seal: null, limits };
    const result = await read(job, { onProgress, signal });
    take(place, { part, result });
  };
  await runLimited([...rest.kept.keys()], options.parallel, readOne, options.signal);
  for (const part of damaged) {
    for (const name of part.names) await vault.removeObject(folder + name);
  }
  return { kept, parts, missing, nextFile };
}

/**
 * Writes what the kept parts do not hold of themselves into one more file. What they do hold must be the same events: one that
 * was changed would otherwise pass for the one that was kept.
 */
async function readAdded(
  { ports: { vault }, options, snapshot, target }: Run,
  { folder, limits, seal, onProgress }: Place,
  kept: Gathered,
  ranges: readonly StoreRange[],
  file: number,
): Promise<RangeResult | string> {
  const { format, compression, level, chunkBytes, signal } = options;
  const { backupId } = target;
  const differences = makeDifferences();
  const bundle = {
    folder,
    manifest: { backupId, sealed: false, format, compression, files: [...kept.files] },
  };
  const known = makeKnownEvents(vault, [bundle], differences, { signal });
  const fresh = dropKnown(readAll(snapshot, ranges, options), searchable(kept.table), known.take);
  const own = { ranges: [{ index: file - 1, spec: 'changes' }], isPass: false };
  const job: RangeJob = { folder, limits, seal, ...own, format, compression, level, chunkBytes };
  const reader = { readRange: () => fresh, close: async () => {} };
  const result = await backUpRanges({ reader, vault, compressIn: 'pool' }, job, { onProgress, signal });
  const inexact = await known.compare();
  if (inexact !== null) return inexact;
  if (!hasDifferences(differences.report())) return result;
  const { lost, changed, diverged } = differences.report().events;
  return `${lost + changed + diverged} events that were kept are otherwise in the store now`;
}

/** A table that came from another thread finds no streams until something is added to it. */
function searchable(table: StreamTable): StreamTable {
  if (table.slots.length === 0) mergeTable(table, makeStreamTable());
  return table;
}

async function* readAll(
  snapshot: StoreSnapshot,
  ranges: readonly StoreRange[],
  { chunkBytes, signal }: FullBackupOptions,
): AsyncGenerator<EventBatch> {
  const options = { batchBytes: chunkBytes, ...(signal === undefined ? {} : { signal }) };
  const [pass] = (await snapshot.planPasses?.(ranges, 1)) ?? [];
  if (pass === undefined || snapshot.readPass === undefined) {
    for (const range of ranges) yield* snapshot.readRange(range, options);
    return;
  }
  for await (const { batch } of snapshot.readPass(pass, options)) yield batch;
}
