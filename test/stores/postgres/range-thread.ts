/** Joins a snapshot in a thread of its own and says which events its range holds. */
import { parentPort, workerData } from 'node:worker_threads';
import type { StoreRange } from '../../../src/core/event-store.ts';
import { openPostgresStore } from '../../../src/stores/postgres/store.ts';
import { readRows } from './seeding.ts';

const { address, token, range } = workerData as { address: string; token: string; range: StoreRange };
const store = openPostgresStore(address);
const reader = await store.joinSnapshot(token);
const rows = await readRows(reader, [range]);
await reader.close();
await store.close();
parentPort?.postMessage(rows.map((row) => row.id));
