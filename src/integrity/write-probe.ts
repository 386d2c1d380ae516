import { BackupError, isBackupError } from '../core/errors.ts';
import type { StoredEvent } from '../core/event.ts';
import type { EventStore } from '../core/event-store.ts';

export interface WriteProbe {
  /** A stream that is nobody else's. */
  readonly streamId: string;
  readonly type: string;
}

/** What a probe appended. */
export interface ProbedEvents {
  readonly ids: readonly string[];
  readonly lastVersion: bigint;
}

const PAGE_EVENTS = 1000;

/**
 * A store can be gone on with: an append is taken, numbered and read back, and one that expects another version is refused. Done again it
 * goes on behind what it appended before. Throws `verification_failed`, or what the store throws.
 */
export async function probeWrites(store: EventStore, { streamId, type }: WriteProbe): Promise<ProbedEvents> {
  const base = BigInt((await store.inspect()).versionBase);
  const before = await lastVersion(store, streamId, base);
  const numbers = [1n, 2n].map((step) => before + step);
  const events = numbers.map((version) => ({ type, data: dataOf(version - base + 1n) }));
  await store.append([{ streamId, expectedVersion: before, events }]);
  const read = await store.readStream(streamId, { fromVersion: before + 1n });
  const isRight =
    read.length === 2 &&
    read.every((event, i) => isAppended(event, { type, version: numbers[i]!, n: numbers[i]! - base + 1n }));
  if (!isRight) throw failed('what was appended to the store does not read back');
  await refuseStale(store, { streamId, type }, before);
  return { ids: read.map(({ id }) => id), lastVersion: numbers[1]! };
}

function dataOf(n: bigint): string {
  return `{"n":${n}}`;
}

/** The version before the first one where the stream is new. */
async function lastVersion(store: EventStore, streamId: string, base: bigint): Promise<bigint> {
  for (let last = base - 1n; ; ) {
    const page = await store.readStream(streamId, { fromVersion: last + 1n, limit: PAGE_EVENTS });
    last = page.at(-1)?.version ?? last;
    if (page.length < PAGE_EVENTS) return last;
  }
}

function isAppended(
  event: StoredEvent,
  { type, version, n }: { readonly type: string; readonly version: bigint; readonly n: bigint },
): boolean {
  const { n: found } = JSON.parse(event.data) as { n: number };
  return event.version === version && event.type === type && BigInt(found) === n;
}

async function refuseStale(
  store: EventStore,
  { streamId, type }: WriteProbe,
  expectedVersion: bigint,
): Promise<void> {
  try {
    await store.append([{ streamId, expectedVersion, events: [{ type, data: dataOf(0n) }] }]);
  } catch (error) {
    if (isBackupError(error, 'version_conflict')) return;
    throw error;
  }
  throw failed('the store took an append that expected another version');
}

function failed(message: string): BackupError {
  return new BackupError('verification_failed', message, {
    hint: 'see `eventcore monitor check` for what is wrong with the store',
  });
}
