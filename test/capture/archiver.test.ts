import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ArchiveNote, type ArchiveOptions, archive, type Outage } from '../../src/capture/archiver.ts';
import type { ArchiveStatus } from '../../src/capture/status.ts';
import { BackupError, isBackupError } from '../../src/core/errors.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { readLogBlocks } from '../../src/format/log-reader.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { faultyVault } from '../harness/faulty-vault.ts';
import { testClock } from '../harness/memory-backup.ts';

const HOLD: Outage = { policy: 'hold' };

async function openStore(): Promise<EventStore> {
  const store = memoryStore();
  await store.initialise();
  return store;
}

/** Appends `count` events to a stream, one transaction each, from the version that it has. */
async function appendMany(store: EventStore, streamId: string, count: number, data = '{"n":1}'): Promise<void> {
  for (let i = 0; i < count; i += 1) await store.append([{ streamId, events: [{ type: 'Noted', data }] }]);
}

function run(
  store: EventStore,
  vault: Vault,
  options: Partial<ArchiveOptions> = {},
  ports: { baseWanted?: (reason: string) => Promise<void> } = {},
): Promise<ArchiveStatus> {
  return archive(
    { store, vault, clock: testClock, ...ports },
    {
      ...{ format: 'jsonl', compression: 'none', level: null, flushMs: 20, idleMs: 50 },
      ...{ outage: HOLD, once: true, ...options },
    },
  );
}

/** Ids of the events of a vault's log, in its order; the log must be one unbroken, sound one. */
async function archivedIds(vault: Vault, spans = 1): Promise<string[]> {
  const [timeline, ...others] = await readLogCatalog(vault);
  assert.deepEqual(others, []);
  assert.deepEqual(timeline!.problems, []);
  assert.equal(timeline!.spans.length, spans);
  const ids: string[] = [];
  for (const span of timeline!.spans) {
    for await (const block of readLogBlocks(vault, span.files)) {
      const events = await block.events();
      for (let row = 0; row < (events?.count ?? 0); row += 1) {
        const start = events!.id.starts[row]!;
        ids.push(Buffer.from(events!.bytes.subarray(start, start + events!.id.lengths[row]!)).toString('hex'));
      }
    }
  }
  return ids;
}

async function storedIds(store: EventStore): Promise<string[]> {
  const ids: string[] = [];
  for await (const event of store.readSince('1970-01-01T00:00:00Z')) ids.push(event.id.replaceAll('-', ''));
  return ids.sort();
}

/** Runs until `isEnough`, then stops it as Ctrl-C does. */
async function runUntil(
  store: EventStore,
  vault: Vault,
  isEnough: (status: ArchiveStatus) => boolean,
  options: Partial<ArchiveOptions> = {},
): Promise<ArchiveStatus> {
  const stop = new AbortController();
  let last: ArchiveStatus | null = null;
  const running = run(store, vault, {
    ...options,
    ...{ once: false, signal: stop.signal },
    onStatus: (status) => {
      last = status;
      if (isEnough(status)) stop.abort();
    },
  });
  await assert.rejects(running, (error) => isBackupError(error, 'interrupted'));
  return last!;
}

describe('an archiver', () => {
  it('takes what was committed since the log began, each event once, and goes on where the log ends', async () => {
    const store = await openStore();
    const vault = memoryVault();
    await run(store, vault);
    await appendMany(store, 'first', 5);
    const status = await runUntil(store, vault, ({ events }) => events >= 5);
    assert.equal(status.events, 5);
    assert.equal(status.transactions, 5);
    await appendMany(store, 'second', 3);
    await runUntil(store, vault, ({ events }) => events >= 3);
    assert.deepEqual((await archivedIds(vault)).sort(), await storedIds(store));
  });
});
