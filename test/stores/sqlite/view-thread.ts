/** Joins a view in a thread of its own and says what its range holds, all but the data. */
import { parentPort, workerData } from 'node:worker_threads';
import type { StoreRange } from '../../../src/core/event-store.ts';
import { openSqliteStore } from '../../../src/stores/sqlite/store.ts';
import { type RawEvent, rawEvents } from './temporary-store.ts';

const { address, token, range } = workerData as { address: string; token: string; range: StoreRange };
const store = openSqliteStore(address);
const reader = await store.joinSnapshot(token);
const events: RawEvent[] = [];
for await (const batch of reader.readRange(range, { batchBytes: 65_536 })) events.push(...rawEvents(batch));
await store.close();
parentPort?.postMessage(events.map((event) => ({ ...event, data: null })));
