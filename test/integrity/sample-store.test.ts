import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { BackupError } from '../../src/core/errors.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { newestRestorePoint } from '../../src/format/chain.ts';
import { openChain, type ReadKeys } from '../../src/format/open-bundle.ts';
import { makeFindingList } from '../../src/integrity/finding-list.ts';
import { type Against, sampleBlocks } from '../../src/integrity/sample/blocks.ts';
import { type SampleOptions, sampleStore } from '../../src/integrity/sample/store.ts';
import { beginSweep, type SweepState } from '../../src/policy/sweep.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import type { TestEvent } from '../../src/testing/batches.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { backUpChanges } from '../harness/chain-backup.ts';
import { backUp, fill, objectNames, overwrite, readObject } from '../harness/memory-backup.ts';
import { keysOf, makePerson, makeRing, makeSigner } from '../harness/test-keys.ts';
import { temporaryStore } from '../stores/sqlite/temporary-store.ts';

const NOW_MS = Date.now();
const START = 800_000_000_000_000n;

const EVENTS: readonly TestEvent[] = Array.from({ length: 600 }, (_, i) => ({
  ...{ id: `00000000-0000-7000-8000-${String(i).padStart(12, '0')}`, streamId: `stream-${i % 60}` },
  ...{ version: Math.floor(i / 60) + 1, data: `{"n":${i}}`, metadata: '{"by":"x"}' },
  time: START + BigInt(i) * 1_000_000n,
}));

const OPTIONS: SampleOptions = {
  ...{ sweep: beginSweep(11), percentage: 100, nowMs: NOW_MS, futureToleranceMs: 60_000 },
  requiredMetadata: [],
};

interface Backed {
  readonly store: EventStore;
  readonly vault: Vault;
}

/** A full backup of the first half and an incremental one of the rest. */
async function backedUp(store: EventStore, events = EVENTS): Promise<Backed> {
  const vault = memoryVault();
  await fill(store, events.slice(0, events.length / 2));
  await backUp(store, vault, { chunkBytes: 4096 });
  await fill(store, events);
  await backUpChanges(store, vault);
  return { store, vault };
}

async function sample({ store, vault }: Backed, options: Partial<SampleOptions> = {}) {
  const { chain } = newestRestorePoint(await readCatalog(vault), 'memory:');
  return sampleStore({ store, vault, chain }, { ...OPTIONS, ...options });
}

async function findings(backed: Backed, options: Partial<SampleOptions> = {}) {
  const result = await sample(backed, options);
  assert.deepEqual(result.skipped, {});
  return result.findings
    .map(({ check, streamId, version, events, repair }) => [check, streamId, version, events, repair])
    .sort();
}

/** Looks at blocks, or at all of them. */
async function sampleSome(
  store: EventStore,
  against: Against,
  blocks: readonly number[] | null,
  portionEvents = 1000,
) {
  const snapshot = await store.openSnapshot();
  const plan = await snapshot.planBlocks();
  const list = makeFindingList();
  const result = await sampleBlocks({
    ...{ snapshot, plan, against, findings: list, portionEvents },
    blocks: blocks ?? Array.from({ length: plan.blocks }, (_, i) => i),
    limits: { versionBase: 1, futureAfter: START * 2n, requiredMetadata: [] },
    pace: async () => {},
  });
  return { result, list };
}

const without = (...numbers: number[]): TestEvent[] => EVENTS.filter((_, i) => !numbers.includes(i));
const changed = (number: number, change: Partial<TestEvent>): TestEvent[] =>
  EVENTS.map((event, i) => (i === number ? { ...event, ...change } : event));

const PLACES: Readonly<Record<string, (t: TestContext) => EventStore>> = {
  memory: () => memoryStore(),
  SQLite: (t) => temporaryStore(t).store,
};

for (const [name, make] of Object.entries(PLACES)) {
  describe(`a sample of all of a store in ${name}`, () => {
    it('finds nothing in a sound store, and has held all of it against the backups', async (t) => {
      const result = await sample(await backedUp(make(t)));
      assert.deepEqual(result.findings, []);
      assert.deepEqual([result.eventsChecked, result.compared, result.streams], [600, 600, 60]);
      assert.ok(result.bytesRead > 0 && result.vaultBytesRead > 0);
    });

    it('finds nothing in what was appended since', async (t) => {
      const backed = await backedUp(make(t));
      await backed.store.append([
        { streamId: 'stream-3', events: [{ type: 'T', data: '1' }] },
        { streamId: 'new', events: [{ type: 'T', data: '1' }] },
      ]);
      const result = await sample(backed);
      assert.deepEqual([result.findings, result.eventsChecked, result.compared], [[], 602, 600]);
    });

    it('finds a stream that is gone, a tail that is, and events in the middle', async (t) => {
      const backed = await backedUp(make(t));
      const lost = EVENTS.filter(({ streamId, version }) => {
        if (streamId === 'stream-7') return false;
        if (streamId === 'stream-8') return version < 9;
        return streamId !== 'stream-9' || (version !== 3 && version !== 5);
      });
      await fill(backed.store, lost);
      assert.deepEqual(await findings(backed), [
        ['stream_gap', 'stream-9', '3', 2, 'reinstate_events'],
        ['stream_missing', 'stream-7', '1', 10, 'reinstate_events'],
        ['stream_shortened', 'stream-8', '9', 2, 'reinstate_events'],
      ]);
    });

    it('finds what is gone also behind later appends', async (t) => {
      const backed = await backedUp(make(t));
      await fill(backed.store, without(60 * 4 + 5));
      await backed.store.append([
        {
          streamId: 'stream-5',
          events: [
            { type: 'T', data: '1' },
            { type: 'T', data: '2' },
          ],
        },
      ]);
      assert.deepEqual(await findings(backed), [['stream_gap', 'stream-5', '5', 1, 'reinstate_events']]);
    });

    it('finds an event with other content, whatever of it is another', async (t) => {
      const changes: Partial<TestEvent>[] = [
        { data: '{"n":0}' },
        { metadata: '{"by":"y"}' },
        { type: 'Other' },
        { time: START },
      ];
      for (const number of [17, 590]) {
        for (const change of changes) {
          const backed = await backedUp(make(t));
          await fill(backed.store, changed(number, change));
          const { streamId, version } = EVENTS[number]!;
          assert.deepEqual(await findings(backed), [
            ['event_changed', streamId, String(version), 1, 'put_back_events'],
          ]);
        }
      }
    });

    it('finds another event in the place of one, at the end of its stream in two ways', async (t) => {
      const id = '00000000-0000-7000-8000-ffffffffffff';
      const backed = await backedUp(make(t));
      await fill(backed.store, changed(100, { id }));
      assert.deepEqual(await findings(backed), [['event_replaced', 'stream-40', '2', 1, 'put_back_events']]);
      await fill(backed.store, changed(599, { id }));
      assert.deepEqual(await findings(backed), [
        ['event_replaced', 'stream-59', '10', 1, 'put_back_events'],
        ['head_differs', 'stream-59', '10', 1, null],
      ]);
    });

    it('keeps quiet about a gap that the backup has too, and tells of an event that was put into it', async (t) => {
      const store = make(t);
      const native = without(60 * 3 + 2);
      const backed = await backedUp(store, native.slice(0, 598));
      assert.deepEqual(await findings(backed), []);
      await fill(store, [...native.slice(0, 598), EVENTS[60 * 3 + 2]!]);
      const unknown = ['event_unknown', 'stream-2', '4', 1, null];
      assert.deepEqual(await findings(backed), [unknown, unknown]);
    });

    it('keeps quiet about a gap behind what the backup has', async (t) => {
      const backed = await backedUp(make(t));
      await fill(backed.store, [
        ...EVENTS,
        { ...EVENTS[0]!, id: '00000000-0000-7000-8000-00000000ffff', version: 13 },
      ]);
      assert.deepEqual(await findings(backed), []);
    });

    it('tells of events that cannot be, and not of those that always were so', async (t) => {
      const odd: TestEvent[] = EVENTS.map((event, i) => {
        if (i === 70) return { ...event, data: '{"n":' };
        if (i === 80) return { ...event, type: '' };
        return i === 90 ? { ...event, time: START * 2n } : event;
      });
      const backed = await backedUp(make(t), odd);
      assert.deepEqual(await findings(backed), []);
      const { findings: found, skipped } = await sampleStore(
        { ...backed, vault: null, chain: null },
        OPTIONS,
      );
      assert.deepEqual(
        found.map(({ check, rung, streamId }) => [check, rung, streamId]),
        [
          ['event_payload_malformed', 'blocks', 'stream-10'],
          ['event_fields_empty', 'blocks', 'stream-20'],
          ['event_time_odd', 'blocks', 'stream-30'],
        ],
      );
      assert.deepEqual(skipped, { comparison: 'no vault is configured', streams: 'no vault is configured' });
    });

    it('tells of metadata that the configuration requires, as a risk, also where it was always missing', async (t) => {
      const backed = await backedUp(make(t), changed(5, { metadata: '{"of":{"by":1},"a\\u0062":2}' }));
      assert.deepEqual(await findings(backed), []);
      const { findings: found } = await sample(backed, { requiredMetadata: ['by'] });
      assert.deepEqual(
        found.map(({ check, severity, streamId }) => [check, severity, streamId]),
        [['event_metadata_missing', 'risk', 'stream-5']],
      );
    });
  });
}

describe('a sample of a store', () => {
  it('goes on without the backup where that is damaged, and says so', async () => {
    const backed = await backedUp(memoryStore());
    await fill(backed.store, changed(70, { data: '{"n":' }));
    for (const name of await objectNames(backed.vault)) {
      if (!name.includes('/events-') || name.endsWith('.index')) continue;
      const bytes = await readObject(backed.vault, name);
      bytes[bytes.length - 1]! ^= 1;
      await overwrite(backed.vault, name, bytes);
    }
    const { findings: found, skipped, streams } = await sample(backed);
    assert.match(skipped.comparison!, /checksum/);
    assert.equal(skipped.streams, undefined);
    assert.equal(streams, 60);
    assert.deepEqual(
      found.map(({ check }) => check),
      ['event_payload_malformed'],
    );
  });

  it('says why there is nothing to compare with', async () => {
    const store = memoryStore();
    await fill(store, EVENTS);
    const { skipped, eventsChecked } = await sampleStore(
      { store, vault: memoryVault(), chain: null },
      OPTIONS,
    );
    assert.deepEqual([skipped.comparison, eventsChecked], ['there is no backup of the store yet', 600]);
  });

  it('is paced by what it reads', async () => {
    const backed = await backedUp(memoryStore());
    const { chain } = newestRestorePoint(await readCatalog(backed.vault), 'memory:');
    let bytes = 0;
    const pace = async (read: number): Promise<void> => {
      bytes += read;
    };
    const result = await sampleStore({ ...backed, chain, pace }, OPTIONS);
    assert.equal(bytes, result.bytesRead + result.vaultBytesRead);
  });

  it('ends when it is told to', async () => {
    const backed = await backedUp(memoryStore());
    const stop = new AbortController();
    const pace = async (): Promise<void> => stop.abort();
    const { chain } = newestRestorePoint(await readCatalog(backed.vault), 'memory:');
    await assert.rejects(sampleStore({ ...backed, chain, pace, signal: stop.signal }, OPTIONS), {
      code: 'interrupted',
    });
  });

  it('holds streams against a sealed backup by what the host remembers, and events once there is a key', async () => {
    const store = memoryStore();
    const vault = memoryVault();
    await fill(store, EVENTS);
    const owner = makePerson('owner');
    const host = keysOf(makeRing([owner]), makeSigner());
    await backUp(store, vault, {}, host);
    await fill(
      store,
      without(65).map((event, i) => (i === 200 ? { ...event, data: '0' } : event)),
    );
    const sampleAs = async (keys: ReadKeys | null) => {
      const { chain } = newestRestorePoint(await readCatalog(vault), 'memory:');
      const opened = await openChain(vault, chain, keys, 'nothing');
      return sampleStore({ store, vault, chain: opened }, OPTIONS);
    };
    const checks = async (keys: ReadKeys | null) => (await sampleAs(keys)).findings.map(({ check }) => check);
    assert.deepEqual(await checks(null), []);
    assert.deepEqual(await checks(host), ['stream_gap']);
    assert.deepEqual(await checks(keysOf(makeRing([], [owner]))), ['stream_gap', 'event_changed']);
    const { skipped } = await sampleAs(null);
    assert.match(skipped.comparison!, /is sealed, and no key opens it/);
    assert.match(skipped.streams!, /is sealed, and no key opens it/);
    assert.deepEqual(Object.keys((await sampleAs(host)).skipped), ['comparison']);
  });

  it('holds nothing for clean that could not be compared', async () => {
    const backed = await backedUp(memoryStore());
    await fill(
      backed.store,
      without(65).map((event, i) => (i === 200 ? { ...event, data: '0' } : event)),
    );
    const places = [
      { kind: 'bucket', number: 0 },
      { kind: 'block', number: 6 },
    ];
    const shown = ({ sweep }: { sweep: SweepState }) =>
      sweep.suspects.map((place) => (place.kind === 'bucket' ? { ...place, number: 0 } : place));
    const first = await sample(backed);
    assert.deepEqual(shown(first), places);
    const blind = await sampleStore({ ...backed, chain: null }, { ...OPTIONS, sweep: first.sweep });
    assert.deepEqual([blind.findings, shown(blind)], [[], places]);
    await fill(backed.store, EVENTS);
    const last = await sample(backed, { sweep: blind.sweep });
    assert.deepEqual([last.findings, last.sweep.suspects], [[], []]);
  });

  it('takes a standby that lags for nothing else', async () => {
    const { store, vault } = await backedUp(memoryStore());
    await fill(store, EVENTS.slice(0, 100));
    const message = 'the standby is at 0/1, the last backup saw up to 0/2';
    const lagging: EventStore = {
      ...store,
      openSnapshot: async () => ({
        ...(await store.openSnapshot()),
        planChangesIn: async () => {
          throw new BackupError('store_behind', message);
        },
      }),
    };
    const { findings: found, skipped } = await sample({ store: lagging, vault });
    assert.deepEqual([found, skipped], [[], { comparison: message, streams: message }]);
  });

  it('does not hold payloads against a backup of a store of another kind', async (t) => {
    const { vault } = await backedUp(memoryStore());
    const { store } = temporaryStore(t);
    await fill(
      store,
      without(3).map((event) => ({ ...event, data: `${event.data} ` })),
    );
    const { findings: found, skipped } = await sample({ store, vault });
    assert.deepEqual(
      found.map(({ check, streamId }) => [check, streamId]),
      [['stream_gap', 'stream-3']],
    );
    assert.match(skipped.comparison!, /of a store of another kind, memory/);
  });

  it('keeps its place, and what it found, when the store is lost while a block is read', async () => {
    const { store, vault } = await backedUp(memoryStore());
    await fill(store, changed(1, { data: '0' }));
    const lost: number[] = [];
    const dying: EventStore = {
      ...store,
      openSnapshot: async () => {
        const snapshot = await store.openSnapshot();
        return {
          ...snapshot,
          readRange: (range, options) => {
            if (range.index !== 4 || range.spec === 'all') return snapshot.readRange(range, options);
            lost.push(range.index);
            throw new BackupError('store_unreachable', 'Connection terminated unexpectedly');
          },
        };
      },
    };
    let sweep = beginSweep(3);
    for (const run of [1, 2, 3]) {
      const result = await sample({ store: dying, vault }, { sweep });
      const found = result.findings.map(({ check, place }) => [check, place?.number]);
      const isDying = run < 3;
      assert.equal(result.brokenOff, isDying ? 'Connection terminated unexpectedly' : null);
      assert.equal(result.sweep.blocks.round, isDying ? 0 : 1);
      assert.deepEqual(found, [...(isDying ? [] : [['block_unreadable', 4]]), ['event_changed', 0]]);
      assert.equal(result.eventsChecked, isDying ? 128 : 568);
      ({ sweep } = result);
    }
    assert.deepEqual(lost, [4, 4]);
  });

  it('finds events whose times were all moved, in backups of other times', async () => {
    const { store, vault } = await backedUp(memoryStore());
    await fill(
      store,
      EVENTS.map((event, i) => (i >= 576 ? { ...event, time: START / 2n } : event)),
    );
    const { chain } = newestRestorePoint(await readCatalog(vault), 'memory:');
    const { result, list } = await sampleSome(store, { vault, chain }, [18]);
    assert.deepEqual(result, { events: 24, compared: 24, skipped: null, lost: null });
    assert.deepEqual([...new Set(list.findings.map(({ check }) => check))], ['event_changed']);
    assert.equal(list.findings.length, 24);
  });

  it('compares as much in portions as in one go', async () => {
    const { store, vault } = await backedUp(memoryStore());
    await fill(
      store,
      EVENTS.map((event, i) => (i % 50 === 7 ? { ...event, data: '0' } : event)),
    );
    const { chain } = newestRestorePoint(await readCatalog(vault), 'memory:');
    for (const portionEvents of [1, 7, 128, 599, 600, 10_000]) {
      const { result, list } = await sampleSome(store, { vault, chain }, null, portionEvents);
      assert.deepEqual(result, { events: 600, compared: 600, skipped: null, lost: null });
      assert.equal(list.findings.length, 12);
    }
  });

  it('lists no more findings than somebody can look at, and counts the others', async () => {
    const many: TestEvent[] = Array.from({ length: 3000 }, (_, i) => ({
      ...{
        id: `00000000-0000-7000-8000-${String(i).padStart(12, '0')}`,
        streamId: `stream-${i}`,
        version: 1,
      },
      data: '{}',
    }));
    const backed = await backedUp(memoryStore(), many);
    await fill(
      backed.store,
      many.map((event) => ({ ...event, data: '{"other":1}' })),
    );
    const { findings: found, findingsOmitted, sweep } = await sample(backed);
    assert.deepEqual([found.length, findingsOmitted], [1000, 2000]);
    assert.equal(sweep.suspects.length, Math.ceil(3000 / 32));
  });
});
