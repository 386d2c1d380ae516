import type { EventStore } from '../core/event-store.ts';
import { addToContentDigest, contentDigestText, makeContentDigest } from '../format/content-digest.ts';

const BATCH_BYTES = 1 << 20;

/**
 * A digest over every column of every event of a store, independent of their order. Reads the whole store; equal
 * digests prove that two stores hold the same events.
 */
export async function digestStore(store: EventStore): Promise<{ events: number; digest: string }> {
  const snapshot = await store.openSnapshot();
  try {
    const content = makeContentDigest();
    for (const range of await snapshot.planRanges(1)) {
      for await (const batch of snapshot.readRange(range, { batchBytes: BATCH_BYTES })) {
        addToContentDigest(content, batch);
      }
    }
    return { events: content.events, digest: contentDigestText(content) };
  } finally {
    await snapshot.close();
  }
}
