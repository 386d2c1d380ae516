import assert from 'node:assert/strict';
import { test } from 'node:test';
import { archive } from '../../src/capture/archiver.ts';
import { openStore } from '../../src/cli/wire.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { testClock } from '../harness/memory-backup.ts';
import { startPostgres } from '../harness/postgres.ts';

const PATIENCE_MS = 60_000;

test('an archiver that catches up ends, though the store had no log before and is never quiet', async (t) => {
  const server = await startPostgres();
  t.after(server.stop);
  const address = server.address(await server.createDatabase());
  const [store, writer] = [await openStore(address), await openStore(address)];
  await store.initialise();
  const state = { isOver: false, written: 0 };
  const writing = (async () => {
    for (; !state.isOver; state.written += 1) {
      await writer.append([
        { streamId: `busy-${state.written % 5}`, events: [{ type: 'Busy', data: '{}' }] },
      ]);
    }
  })();
  try {
    const { events } = await archive(
      { store, vault: memoryVault(), clock: testClock },
      {
        ...{ format: 'jsonl', compression: 'none', level: null, flushMs: 1000, idleMs: 5000, once: true },
        ...{ software: 'test', outage: { policy: 'hold' }, signal: AbortSignal.timeout(PATIENCE_MS) },
      },
    );
    assert.ok(events < state.written);
  } finally {
    state.isOver = true;
    await writing;
    await Promise.all([store.close(), writer.close()]);
  }
});
