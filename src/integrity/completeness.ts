import type { EventStore } from '../core/event-store.ts';
import type { Manifest } from '../core/manifest.ts';
import type { Problem } from '../core/report.ts';
import { compareUtf8 } from '../core/text-order.ts';
import type { Vault } from '../core/vault.ts';
import { readHeads } from '../format/line-files.ts';

export interface Completeness {
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
  let current = await live.next();
  for await (const head of readHeads(vault, folder, manifest)) {
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
  while (!current.done) {
    missing += current.value.version - base + 1n;
    current = await live.next();
  }
  return { missingEvents: Number(missing), problems };
}

function lost(streamId: string, here: bigint, backedUp: bigint): Problem {
  const message = `stream ${JSON.stringify(streamId)} ends at version ${here} in the store, at ${backedUp} in the backup`;
  return { code: 'store_differs', file: null, chunk: null, streamId, version: String(backedUp), message };
}
