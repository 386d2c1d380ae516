import { parentPort, workerData } from 'node:worker_threads';
import { put } from '../../../src/testing/vault/fixture.ts';
import { memoryVault } from '../../../src/vaults/memory/vault.ts';
import type { RateBudget } from '../../../src/vaults/wrappers/rate.ts';
import { throttleVault } from '../../../src/vaults/wrappers/throttle.ts';

/** Writes and reads at once, as a backup does that checks itself, and counts what passes in a span that all threads have in common. */
const { budget, from, until } = workerData as { budget: RateBudget; from: number; until: number };
const inner = memoryVault();
const bytes = new Uint8Array(100_000);
await put(inner, 'source', bytes);
const vault = throttleVault(inner, { budget });

const passed = { up: 0, down: 0 };

function count(way: 'up' | 'down'): void {
  const now = Date.now();
  if (now >= from && now < until) passed[way] += bytes.length;
}

async function write(): Promise<void> {
  while (Date.now() < until) {
    const writer = await vault.createObject('target');
    await writer.write(bytes);
    count('up');
    await writer.abort();
  }
}

async function read(): Promise<void> {
  while (Date.now() < until) {
    await vault.readRange('source', 0, bytes.length);
    count('down');
  }
}

await Promise.all([write(), read()]);
parentPort?.postMessage(passed);
