import { parentPort, workerData } from 'node:worker_threads';
import { put } from '../../../src/testing/vault/fixture.ts';
import { memoryVault } from '../../../src/vaults/memory/vault.ts';
import type { RateBudget } from '../../../src/vaults/wrappers/rate.ts';
import { throttleVault } from '../../../src/vaults/wrappers/throttle.ts';

/** Writes and reads at once, as a backup does that checks itself, and counts what passes from a time on, when the first burst is over. */
const { budget, fromMs, forMs } = workerData as { budget: RateBudget; fromMs: number; forMs: number };
const inner = memoryVault();
const bytes = new Uint8Array(100_000);
await put(inner, 'source', bytes);
const vault = throttleVault(inner, { budget });

const from = performance.now() + fromMs;
const until = from + forMs;
const passed = { up: 0, down: 0 };

function count(way: 'up' | 'down'): void {
  const now = performance.now();
  if (now >= from && now < until) passed[way] += bytes.length;
}

async function write(): Promise<void> {
  while (performance.now() < until) {
    const writer = await vault.createObject('target');
    await writer.write(bytes);
    count('up');
    await writer.abort();
  }
}

async function read(): Promise<void> {
  while (performance.now() < until) {
    await vault.readRange('source', 0, bytes.length);
    count('down');
  }
}

await Promise.all([write(), read()]);
parentPort?.postMessage(passed);
