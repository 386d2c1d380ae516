import { isBackupError } from '../core/errors.ts';
import type { EventStore } from '../core/event-store.ts';
import type { Manifest } from '../core/manifest.ts';
import type { Problem } from '../core/report.ts';
import { compareUtf8 } from '../core/text-order.ts';
import type { Vault } from '../core/vault.ts';
import type { HeadLine } from '../format/heads.ts';
import { readHeads } from '../format/line-files.ts';

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
 * Compares a backup's heads with the live store's, stream by stream in the same order, so memory stays flat.
 * What the store gained since the backup counts as missing; what it lost is a problem.
 */
export async function compareWithStore(
  vault: Vault,
  folder: string,
  manifest: Manifest,
  store: EventStore,
): Promise<Completeness> {
  const live = store.listStreams()[Symbol.asyncIterator]();
  const problems: Problem[] = [];
  let missing = 0n;
  const base = BigInt(manifest.store.versionBase);
  try {
    let current = await live.next();
    for await (const head of readableHeads(vault, folder, manifest, problems)) {
      while (!current.done && compareUtf8(current.value.streamId, head.streamId) < 0) {
        missing += current.value.version - base + 1n;
        current = await live.next();
      }
      const here =
        !current.done && current.value.streamId === head.streamId ? current.value.version : base - 1n;
      const backedUp = BigInt(head.lastVersion);
      if (here > backedUp) missing += here - backedUp;
      if (here < backedUp && problems.length < MAX_NAMED) problems.push(lost(head.streamId, here, backedUp));
      if (!current.done && current.value.streamId === head.streamId) current = await live.next();
    }
    if (problems.some(({ code }) => code === 'heads_differ')) {
      return { isVerified: false, missingEvents: 0, problems };
    }
    while (!current.done) {
      missing += current.value.version - base + 1n;
      current = await live.next();
    }
    return { isVerified: true, missingEvents: Number(missing), problems };
  } finally {
    // What the listing holds of the store is given back also when it was not read to its end.
    await live.return?.();
  }
}

/** The heads of a backup; where they are damaged they end, and that is one more problem. */
async function* readableHeads(
  vault: Vault,
  folder: string,
  manifest: Manifest,
  problems: Problem[],
): AsyncGenerator<HeadLine> {
  try {
    yield* readHeads(vault, folder, manifest);
  } catch (error) {
    if (!isBackupError(error, 'damaged')) throw error;
    const file = manifest.files.find(({ role }) => role === 'heads')?.name ?? null;
    const message = `the heads cannot be compared with the store: ${error.message}`;
    problems.push({ code: 'heads_differ', file, chunk: null, streamId: null, version: null, message });
  }
}

function lost(streamId: string, here: bigint, backedUp: bigint): Problem {
  const message = `stream ${JSON.stringify(streamId)} ends at version ${here} in the store, at ${backedUp} in the backup`;
  return { code: 'store_differs', file: null, chunk: null, streamId, version: String(backedUp), message };
}
