import { randomUUID } from 'node:crypto';
import { openStore } from '../src/cli/wire.ts';
import type { EventBatch } from '../src/core/event-batch.ts';
import { generateBatches } from '../src/testing/event-generator.ts';
import { generateHistory } from './history/batches.ts';
import { makeChange } from './history/change.ts';

const SEED = 1;
const BATCH_BYTES = 1 << 20;

/** Fills an empty database with the events that everything is measured with, the same ones for the same number. */
export function loadHistory(address: string, events: number): Promise<void> {
  return load(address, generateHistory({ seed: SEED, events, batchBytes: BATCH_BYTES }));
}

/** Fills an empty database with the events of the made-up shop, the same ones for the same number. */
export function loadGenerated(address: string, events: number): Promise<void> {
  return load(address, generateBatches({ seed: SEED, events, batchBytes: BATCH_BYTES }));
}

/** Appends to a store, as an application does: transactions of few events, in many streams, some of them new. */
export async function appendChange(
  address: string,
  { seed, events }: { seed: number; events: number },
): Promise<void> {
  const store = await openStore(address);
  try {
    // An event is as likely as any other: busy streams are busy still.
    const streams = await store.sampleEvents(events);
    for (const appends of makeChange({ seed, events, streams })) await store.append(appends);
  } finally {
    await store.close();
  }
}

async function load(address: string, batches: Iterable<EventBatch>): Promise<void> {
  const store = await openStore(address);
  try {
    const session = await store.openRestore({ attemptId: randomUUID(), replace: false });
    const writer = await session.openWriter();
    for (const batch of batches) await writer.write(batch);
    await writer.end();
    await session.finishLoad();
    await session.publish();
  } finally {
    await store.close();
  }
}
