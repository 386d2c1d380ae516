import { randomUUID } from 'node:crypto';
import { openStore } from '../src/cli/wire.ts';
import { generateBatches } from '../src/testing/event-generator.ts';

/** Fills an empty database with generated events, the same ones for the same number. */
export async function loadGenerated(address: string, events: number): Promise<void> {
  const store = await openStore(address);
  try {
    const session = await store.openRestore({ attemptId: randomUUID(), replace: false });
    const writer = await session.openWriter();
    for (const batch of generateBatches({ seed: 1, events, batchBytes: 1 << 20 })) await writer.write(batch);
    await writer.end();
    await session.finishLoad();
    await session.publish();
  } finally {
    await store.close();
  }
}
