import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { archive } from '../../src/capture/archiver.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import { timeFromUnixMs } from '../../src/core/time.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { openSqliteStore } from '../../src/stores/sqlite/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { addIncremental } from '../harness/chain.ts';
import { makeFolder } from '../harness/command.ts';
import { recover } from '../harness/log-model.ts';
import { backUp, testClock } from '../harness/memory-backup.ts';

async function capture(store: EventStore, vault: Vault): Promise<void> {
  await archive(
    { store, vault, clock: testClock },
    {
      ...{ format: 'jsonl', compression: 'none', level: null, flushMs: 5, idleMs: 10 },
      ...{ software: 'test', outage: { policy: 'hold' }, once: true },
    },
  );
}

interface State {
  readonly time: bigint;
  readonly digest: string;
}

/** The state of a store, and an instant of it: commits before and after lie at least some milliseconds away. */
async function stateOf(store: EventStore): Promise<State> {
  await sleep(4);
  const time = timeFromUnixMs(Date.now());
  await sleep(4);
  return { time, digest: (await digestStore(store)).digest };
}

/** `vault`: the log is brought up to date for each state, as SQLite tells commits apart only by when they are seen. */
async function grow(store: EventStore, rounds: number, type: string, vault?: Vault): Promise<State[]> {
  const states: State[] = [];
  for (let i = 0; i < rounds; i += 1) {
    const events = [{ type, data: `{"i":${i}}` }];
    await store.append([
      { streamId: `s-${i % 3}`, events: [...events, ...events] },
      { streamId: 'all', events },
    ]);
    if (vault !== undefined) await capture(store, vault);
    states.push(await stateOf(store));
  }
  return states;
}

async function assertRecovers(vault: Vault, states: readonly State[]): Promise<void> {
  for (const [i, { time, digest }] of states.entries()) {
    const { store, plan } = await recover(vault, { kind: 'time', time });
    assert.equal((await digestStore(store)).digest, digest, `state ${i}: ${plan.reasons.join('; ')}`);
  }
}

for (const kind of ['memory', 'sqlite'] as const) {
  describe(`a log that a feed of ${kind} gave`, () => {
    async function withStore(work: (store: EventStore) => Promise<void>): Promise<void> {
      const folder = await makeFolder();
      const store =
        kind === 'memory' ? memoryStore() : openSqliteStore(`sqlite:${join(folder.path, 'events.db')}`);
      try {
        await store.initialise();
        await work(store);
      } finally {
        await store.close();
        await folder.remove();
      }
    }

    it('carries a chain of backups on to each state that the store had', async () => {
      await withStore(async (store) => {
        const vault = memoryVault();
        await grow(store, 2, 'Early');
        await capture(store, vault);
        const before = await grow(store, 2, 'Before');
        await backUp(store, vault);
        const states = [await stateOf(store), ...(await grow(store, 3, 'One', vault))];
        states.push(...(await grow(store, 2, 'Two', vault)));
        await addIncremental(store, vault);
        states.push(...(await grow(store, 2, 'Three', vault)));
        // Of a store in which nothing was committed since, rows say nothing that is later than the last of them.
        await assertRecovers(vault, states.slice(0, -1));
        const { store: latest, report } = await recover(vault, { kind: 'latest' });
        assert.equal((await digestStore(latest)).digest, states.at(-1)!.digest);
        assert.equal(report.recovery!.versionsSkipped, 0);
        await assert.rejects(recover(vault, { kind: 'time', time: before[0]!.time }), /no restore point/);
      });
    });

    it('is not mistaken for the log of the same store before it was taken back', async () => {
      await withStore(async (store) => {
        const vault = memoryVault();
        await grow(store, 1, 'Early');
        await capture(store, vault);
        await backUp(store, vault);
        const states = await grow(store, 4, 'First', vault);
        await backUp(store, vault);
        states.push(...(await grow(store, 2, 'More', vault)));
        const back = states[1]!;
        const session = await recoverInPlace(store, vault, back.time);
        assert.equal(session, back.digest);
        await sleep(kind === 'sqlite' ? 1100 : 0);
        await capture(store, vault);
        await backUp(store, vault);
        const again = await grow(store, 5, 'Second', vault);
        assert.ok((await readLogCatalog(vault)).length > 1, 'positions come again in another timeline');
        await assertRecovers(vault, [...states.slice(0, -1), ...again.slice(0, -1)]);
      });
    });
  });
}

async function recoverInPlace(store: EventStore, vault: Vault, time: bigint): Promise<string> {
  const { store: restored } = await recover(vault, { kind: 'time', time });
  const snapshot = await restored.openSnapshot();
  const session = await store.openRestore({ attemptId: testClock.uuid(), replace: true });
  const writer = await session.openWriter();
  for await (const batch of snapshot.readRange({ index: 0, spec: 'all' }, { batchBytes: 1 << 20 })) {
    await writer.write(batch);
  }
  await writer.end();
  await session.finishLoad();
  await session.publish();
  return (await digestStore(store)).digest;
}
