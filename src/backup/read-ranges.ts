import { hereFirst, inOrder, runLimited } from '../core/concurrency.ts';
import type { StoreRange, StoreSnapshot } from '../core/event-store.ts';
import type { Progress } from '../core/report.ts';
import type { FullBackupOptions, FullBackupPorts } from './full.ts';
import { type Gathered, gather, makeGathered } from './gather.ts';
import { backUpRanges, type RangeHooks, type RangeJob, type RangeResult } from './range.ts';

/** Adds events and bytes to what is done, and tells it. */
export type AddProgress = (events: number, bytes: number) => void;

export function progressOver(
  estimate: { readonly events: number | null; readonly bytes: number | null },
  onProgress: ((progress: Progress) => void) | undefined,
): AddProgress {
  const done = { events: 0, bytes: 0 };
  return (events, bytes) => {
    done.events += events;
    done.bytes += bytes;
    onProgress?.({ ...done, totalEvents: estimate.events, totalBytes: estimate.bytes });
  };
}

/** Writes an event file for each range; a range's index and one is its number. */
export async function readRanges(
  ports: FullBackupPorts,
  options: FullBackupOptions,
  snapshot: StoreSnapshot,
  ranges: readonly StoreRange[],
  {
    onProgress,
    ...common
  }: Pick<RangeJob, 'folder' | 'limits' | 'seal'> & { readonly onProgress: AddProgress },
): Promise<Gathered> {
  const { format, compression, level, chunkBytes } = options;
  const gathered = makeGathered();
  const take = inOrder<RangeResult>((result) => gather(gathered, result));
  // Of passes there are few, each of which looks through the whole table: too few for many machines.
  const planned = ports.readsHere === false ? null : await snapshot.planPasses?.(ranges, options.parallel);
  const passes = planned ?? null;
  const reads = passes ?? ranges.map((range) => [range]);
  const run = rangeReader(ports, snapshot, reads.length);
  const how = { ...common, isPass: passes !== null, format, compression, level, chunkBytes };
  const readOne = async (place: number, signal: AbortSignal): Promise<void> => {
    take(place, await run({ ...how, ranges: reads[place]! }, { onProgress, signal }));
  };
  const limit = snapshot.token === null ? 1 : options.parallel;
  await runLimited([...reads.keys()], limit, readOne, options.signal);
  return gathered;
}

type RunJob = (job: RangeJob, hooks: RangeHooks) => Promise<RangeResult>;

function rangeReader(
  { vault, runRange, readsHere = true }: FullBackupPorts,
  snapshot: StoreSnapshot,
  reads: number,
): RunJob {
  const { token } = snapshot;
  // All of a small store is read sooner than a thread for it has started.
  const isShared = token !== null && runRange !== undefined && reads > 1;
  const compressIn = isShared ? 'inline' : 'pool';
  const here: RunJob = (job, hooks) => backUpRanges({ reader: snapshot, vault, compressIn }, job, hooks);
  if (!isShared) return here;
  const elsewhere: RunJob = (job, hooks) => runRange(token, job, hooks);
  // This thread reads too where it has nothing else to do: all that is needed is loaded here.
  return snapshot.servesJoined || !readsHere ? elsewhere : hereFirst(here, elsewhere);
}
