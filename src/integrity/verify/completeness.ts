import { isBackupError } from '../../core/errors.ts';
import type { EventStore, StreamHead } from '../../core/event-store.ts';
import type { Manifest } from '../../core/manifest.ts';
import type { Problem } from '../../core/report.ts';
import { compareUtf8 } from '../../core/text-order.ts';
import type { HeadLine } from '../../format/heads.ts';

export interface Completeness {
  /** False when the backup's heads could not be read to their end; a problem then says why. */
  readonly isVerified: boolean;
  /** Events of the live store that the backup does not hold. */
  readonly missingEvents: number;
  /** Events that the backup holds and the live store has no more. */
  readonly problems: readonly Problem[];
}

/** Enough to see what happened. */
const MAX_NAMED = 100;

/**
 * Compares heads (of a backup, or of all its chain) with the live store's, stream by stream in the same order, so memory
 * stays flat. What the store gained since the backup counts as missing; what it lost is a problem.
 */
export async function compareWithStore(
  heads: AsyncIterable<HeadLine>,
  manifest: Manifest,
  store: EventStore,
): Promise<Completeness> {
  const live = store.listStreams()[Symbol.asyncIterator]();
  const problems: Problem[] = [];
  let missing = 0;
  try {
    let current = await live.next();
    for await (const head of readableHeads(heads, manifest, problems)) {
      while (!current.done && compareUtf8(current.value.streamId, head.streamId) < 0) {
        missing += current.value.events;
        current = await live.next();
      }
      const here = !current.done && current.value.streamId === head.streamId ? current.value : null;
      const difference = here === null ? gone(head) : await compareStream(store, here, head);
      missing += difference.gained;
      if (difference.lost !== null && problems.length < MAX_NAMED) problems.push(difference.lost);
      if (here !== null) current = await live.next();
    }
    if (problems.some(({ code }) => code === 'heads_differ')) {
      return { isVerified: false, missingEvents: 0, problems };
    }
    for (; !current.done; current = await live.next()) missing += current.value.events;
    return { isVerified: true, missingEvents: missing, problems };
  } finally {
    // What the listing holds of the store is given back also when it was not read to its end.
    await live.return?.();
  }
}

/** The heads of a backup; where they are damaged they end, and that is one more problem. */
async function* readableHeads(
  heads: AsyncIterable<HeadLine>,
  manifest: Manifest,
  problems: Problem[],
): AsyncGenerator<HeadLine> {
  try {
    yield* heads;
  } catch (error) {
    if (!isBackupError(error, 'damaged')) throw error;
    const file = manifest.files.find(({ role }) => role === 'heads')?.name ?? null;
    const message = `the heads cannot be compared with the store: ${error.message}`;
    problems.push({ code: 'heads_differ', file, chunk: null, streamId: null, version: null, message });
  }
}

interface StreamDifference {
  /** Events that the backup does not hold. */
  readonly gained: number;
  readonly lost: Problem | null;
}

async function compareStream(store: EventStore, here: StreamHead, head: HeadLine): Promise<StreamDifference> {
  const version = Number(here.version);
  const isBehind = version < head.lastVersion;
  // Versions follow one another: where they do not, the events behind the backup's last one are counted.
  let later = isBehind ? 0 : version - head.lastVersion;
  if (later > 0 && here.events - later < head.events) later = await countLater(store, head);
  const kept = here.events - later;
  const lost = Math.max(head.events - kept, isBehind ? 1 : 0);
  const gained = later + Math.max(0, kept - head.events);
  if (lost === 0) return { gained, lost: null };
  const ends = `ends at version ${version} in the store, at ${head.lastVersion} in the backup`;
  const fewer = `has ${kept} events up to version ${head.lastVersion} in the store, ${head.events} in the backup`;
  return { gained, lost: problem(head, `${isBehind ? ends : fewer}: ${countGone(lost)}`) };
}

function gone(head: HeadLine): StreamDifference {
  const text = `is not in the store any more: ${countGone(head.events)}`;
  return { gained: 0, lost: problem(head, text) };
}

const PAGE_EVENTS = 1000;

async function countLater(store: EventStore, { streamId, lastVersion }: HeadLine): Promise<number> {
  let count = 0;
  let fromVersion = BigInt(lastVersion) + 1n;
  for (;;) {
    const page = await store.readStream(streamId, { fromVersion, limit: PAGE_EVENTS });
    count += page.length;
    if (page.length < PAGE_EVENTS) return count;
    fromVersion = page.at(-1)!.version + 1n;
  }
}

function countGone(events: number): string {
  return events === 1 ? '1 event is gone' : `${events} events are gone`;
}

function problem({ streamId, lastVersion }: HeadLine, text: string): Problem {
  const message = `stream ${JSON.stringify(streamId)} ${text}`;
  const version = String(lastVersion);
  return { code: 'store_differs', file: null, chunk: null, streamId, version, message };
}
