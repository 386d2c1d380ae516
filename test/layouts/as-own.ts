import assert from 'node:assert/strict';
import type { EventStore } from '../../src/core/event-store.ts';
import type { Vault } from '../../src/core/vault.ts';
import { restoreBackup } from '../../src/recovery/restore.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { inOrder, readAll } from '../../src/testing/event-store/restoring.ts';
import { newestChain } from '../harness/chain-backup.ts';
import { testClock } from '../harness/memory-backup.ts';

/**
 * The newest backup of a store of others, restored into EventCore's layout: each event is there with its id, stream, type, data and time, its own
 * metadata, and a version that counts from 1. All else was named as lost.
 */
export async function assertBecomesOwn(source: EventStore, vault: Vault): Promise<void> {
  const target = memoryStore();
  const options = { replace: false, checkpoints: 'keep', parallel: 1, allowLoss: 'all' } as const;
  const chain = await newestChain(vault);
  const report = await restoreBackup({ target, vault, clock: testClock }, chain, options);
  const shift = 1 - chain.at(-1)!.manifest.store.versionBase;
  const events = (await readAll(source)).map((event) => {
    const { metadata = {}, columns = {} } = JSON.parse(String(event.metadata));
    return { event: { ...event, metadata, version: event.version + shift }, columns };
  });
  const lost = report.lost.filter(({ kind }) => kind === 'column').map(({ field }) => field);
  assert.deepEqual(lost, lostColumns(events.map(({ columns }) => columns)));
  assert.deepEqual(
    (await readAll(target)).map((event) => ({ ...event, metadata: JSON.parse(String(event.metadata)) })),
    inOrder(events.map(({ event }) => event)),
  );
}

/** What some event has a value in, or has null in where others have what the event says otherwise. */
function lostColumns(events: readonly Readonly<Record<string, unknown>>[]): string[] {
  const names = [...new Set(events.flatMap((columns) => Object.keys(columns)))];
  return names.filter((name) => events.some((columns) => columns[name] != null || !(name in columns))).sort();
}
