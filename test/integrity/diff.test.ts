import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isBackupError } from '../../src/core/errors.ts';
import { selectRows } from '../../src/core/event-batch.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import { selectStreams } from '../../src/core/stream-selection.ts';
import type { Vault } from '../../src/core/vault.ts';
import { type DiffOptions, diffStore, type StoreDiff } from '../../src/integrity/diff/diff.ts';
import { isDiverged, isEqual } from '../../src/integrity/diff/report.ts';
import { openPast } from '../../src/recovery/past.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { makeBatch, type TestEvent } from '../../src/testing/batches.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { newestChain } from '../harness/chain-backup.ts';
import { editedStores } from '../harness/diff-edits.ts';
import { backUp, fill } from '../harness/memory-backup.ts';
import { temporaryStore } from '../stores/sqlite/temporary-store.ts';

const WITH_EVENTS: Partial<DiffOptions> = { events: { payloads: false } };

async function diffNewest(
  store: EventStore,
  vault: Vault,
  options: Partial<DiffOptions> = {},
  streamIds: readonly string[] | null = null,
): Promise<StoreDiff> {
  const past = await openPast(vault, { chain: await newestChain(vault), log: null }, { streamIds });
  const selection = streamIds === null ? null : selectStreams(streamIds);
  return diffStore(store, past, { selection, totalEvents: 100, limit: 100, events: null, ...options });
}

async function diffOf(
  before: readonly TestEvent[],
  after: readonly TestEvent[],
  options: Partial<DiffOptions> = {},
  store: EventStore = memoryStore(),
): Promise<StoreDiff> {
  const vault = memoryVault();
  await fill(store, before);
  await backUp(store, vault);
  await fill(store, after);
  return diffNewest(store, vault, options);
}

/** A store that holds these events, also where its guards would have refused them. */
async function withoutGuards(events: readonly TestEvent[]): Promise<EventStore> {
  const store = memoryStore();
  await store.initialise();
  return {
    ...store,
    openSnapshot: async () => {
      const snapshot = await store.openSnapshot();
      return {
        ...snapshot,
        countEvents: async () => events.length,
        readRange: async function* () {
          if (events.length > 0) yield makeBatch(events);
        },
      };
    },
  };
}

/** As `diffOf`, of a store without guards. */
async function diffUnguarded(
  before: readonly TestEvent[],
  after: readonly TestEvent[],
  options: Partial<DiffOptions> = {},
): Promise<StoreDiff> {
  const vault = memoryVault();
  await backUp(await withoutGuards(before), vault, { parallel: 1 });
  return diffNewest(await withoutGuards(after), vault, options);
}

/** `stream version kind fields` of each event, sorted. */
function eventsIn({ streams }: StoreDiff): string[] {
  return streams
    .flatMap(({ streamId, events }) =>
      events!.map(({ version, kind, fields }) =>
        [JSON.stringify(streamId), version, kind, kind === 'replaced' ? 'id' : fields.join()].join(' '),
      ),
    )
    .sort();
}

/** What the lists and counts say in all, by kind; each must be the sum of the events that are listed. */
function assertCounts(diff: StoreDiff): void {
  for (const kind of ['missing', 'replaced', 'changed', 'between', 'newer'] as const) {
    const listed = diff.streams.filter((stream) => stream[kind] !== null);
    const events = listed.reduce((sum, stream) => sum + stream[kind]!.events, 0);
    assert.deepEqual(diff.totals[kind], { events, streams: listed.length }, kind);
    const versions = diff.streams.flatMap(({ events: own }) => own!.filter((event) => event.kind === kind));
    assert.equal(versions.length, events, kind);
  }
}

/** A store that tells what was written since, as PostgreSQL does, and a little of what was there before. */
function tellingChanges(store: EventStore, written: readonly TestEvent[]): EventStore {
  return {
    ...store,
    openSnapshot: async () => {
      const snapshot = await store.openSnapshot();
      return {
        ...snapshot,
        showsRewritten: true,
        planChanges: async () => [{ index: 0, spec: 'written' }],
        readRange: async function* (range, options) {
          if (range.spec !== 'written') yield* snapshot.readRange(range, options);
          else if (written.length > 0) yield makeBatch(written);
        },
      };
    },
  };
}

describe('a store that was edited by chance', () => {
  it('shows exactly these edits, however few events there is room for', () =>
    fc.assert(
      fc.asyncProperty(
        editedStores({ doubles: true }),
        fc.integer({ min: 1, max: 20 }),
        async (edited, maxNoted) => {
          const diff = await diffUnguarded(edited.before, edited.after, { ...WITH_EVENTS, maxNoted });
          assert.deepEqual(eventsIn(diff), edited.expected);
          assertCounts(diff);
          const isQuiet = edited.expected.every((one) => /\d (?:newer|between) $/.test(one));
          assert.equal(isDiverged(diff.totals), !isQuiet);
          assert.equal(isEqual(diff.totals), edited.expected.length === 0);
        },
      ),
      { numRuns: 150 },
    ));

  it('shows them too where the store tells what was written', () =>
    fc.assert(
      fc.asyncProperty(editedStores({ doubles: false }), async ({ before, after, written, expected }) => {
        const store = memoryStore();
        const vault = memoryVault();
        await fill(store, before);
        await backUp(store, vault);
        await fill(store, after);
        const seen = [...written, ...after.filter((event) => !written.includes(event)).slice(0, 2)];
        const diff = await diffNewest(tellingChanges(store, seen), vault, WITH_EVENTS);
        assert.deepEqual(eventsIn(diff), expected);
        assertCounts(diff);
      }),
      { numRuns: 150 },
    ));

  it('shows them in SQLite, stream by stream too', (t) => {
    const { store } = temporaryStore(t);
    return fc.assert(
      fc.asyncProperty(editedStores({ doubles: false }), async ({ before, after, expected }) => {
        const vault = memoryVault();
        await fill(store, before);
        await backUp(store, vault);
        await fill(store, after);
        assert.deepEqual(eventsIn(await diffNewest(store, vault, WITH_EVENTS)), expected);
        const names = [...new Set([...before, ...after].map(({ streamId }) => streamId))];
        const [first = ''] = names;
        const own = expected.filter((one) => one.startsWith(`${JSON.stringify(first)} `));
        if (names.length > 0)
          assert.deepEqual(eventsIn(await diffNewest(store, vault, WITH_EVENTS, [first])), own);
      }),
      { numRuns: 25 },
    );
  });
});

const ORDERS: readonly TestEvent[] = Array.from({ length: 40 }, (_, i) => ({
  ...{ id: `00000000-0000-7000-8000-${String(i).padStart(12, '0')}`, streamId: `order-${String(i % 8)}` },
  ...{ version: Math.floor(i / 8) + 1, data: `{"customer":"Mrs. ${i}","secret":"s3cr3t-${i}"}` },
}));

describe('what a diff lists', () => {
  it('are first the streams that lost something, and no more of all than is asked for', async () => {
    const after = [
      ...ORDERS.filter(({ streamId, version }) => streamId !== 'order-7' && version !== 9),
      { streamId: 'order-0', version: 6, id: 'n0' },
      { streamId: 'order-1', version: 0, id: 'n1' },
      { streamId: 'a-new-one', version: 1, id: 'n2' },
    ];
    const all = await diffOf(ORDERS, after);
    assert.deepEqual(
      all.streams.map(({ streamId }) => streamId),
      ['order-7', 'order-1', 'a-new-one', 'order-0'],
    );
    assert.deepEqual(all.streams[0]!.missing, { events: 5, firstVersion: 1, lastVersion: 5 });
    for (const limit of [0, 1, 2, 3, 4, 5]) {
      const some = await diffOf(ORDERS, after, { limit });
      assert.deepEqual(some.streams, all.streams.slice(0, limit));
      assert.equal(some.omitted, Math.max(0, 4 - limit));
      assert.deepEqual(some.totals, all.totals);
    }
  });

  it('are at most twenty events of a stream, of the least versions, and how many more', async () => {
    const long = Array.from(
      { length: 50 },
      (_, i): TestEvent => ({ streamId: 's', version: i + 1, id: `e${i}` }),
    );
    const diff = await diffOf(long, long.slice(45), WITH_EVENTS);
    const [stream] = diff.streams;
    assert.deepEqual(stream!.missing, { events: 45, firstVersion: 1, lastVersion: 45 });
    assert.deepEqual([stream!.events!.length, stream!.eventsOmitted], [20, 25]);
    assert.deepEqual([stream!.events![0]!.version, stream!.events![19]!.version], [1, 20]);
  });

  it('say nothing of payloads but where they part, until they are asked for', async () => {
    const after = ORDERS.map((event, i) =>
      i === 9 ? { ...event, data: '{"customer":"Mr. 9"}' } : event,
    ).slice(1);
    const shut = JSON.stringify(await diffOf(ORDERS, after, WITH_EVENTS));
    assert.doesNotMatch(shut, /Mr|s3cr3t|customer/);
    const { streams } = await diffOf(ORDERS, after, { events: { payloads: true } });
    const [gone, changed] = streams.map(({ events }) => events![0]!);
    assert.equal(gone!.past!.excerpt, '{"customer":"Mrs. 0","secret":"s3cr3t-0"}');
    assert.deepEqual(changed!.data, {
      ...{ pastBytes: 41, liveBytes: 20, firstDifference: 15, comparedBytes: 20 },
      ...{ pastExcerpt: '{"customer":"Mrs. 9","secret":"s3cr3t-9"}', liveExcerpt: '{"customer":"Mr. 9"}' },
    });
  });

  it('are bounded where payloads are huge', async () => {
    const huge = (end: string): TestEvent => ({
      id: 'h',
      streamId: 's',
      version: 1,
      data: `"${'x'.repeat(9 << 20)}${end}"`,
    });
    const { streams } = await diffOf([huge('a')], [huge('b')], { events: { payloads: true } });
    const [event] = streams[0]!.events!;
    assert.deepEqual([event!.kind, event!.fields, event!.data!.firstDifference], ['changed', ['data'], null]);
    assert.ok(JSON.stringify(streams).length < 2000);
  });
});

describe('events that are hard to tell apart', () => {
  const one = { streamId: 's', version: 1 };

  it('are the same when only their UUID is written otherwise, which is said', async () => {
    const id = '0193a6e2-8f31-7c55-9d0a-4b6f1e2a7c3d';
    const { streams } = await diffOf([{ ...one, id }], [{ ...one, id: id.toUpperCase() }], WITH_EVENTS);
    assert.deepEqual(streams[0]!.changedFields, { id: 1 });
    assert.deepEqual(streams[0]!.events![0]!.fields, ['id']);
  });

  it('are compared by their bytes where ids and names are no UTF-8', async () => {
    const streamId = Buffer.from([0x6f, 0xff]);
    const [a, b] = [Buffer.from([0xff, 0x01]), Buffer.from([0xfe, 0x01])];
    const before = [{ id: a, streamId, version: 1 }];
    assert.ok(isEqual((await diffOf(before, before)).totals));
    const diff = await diffUnguarded(before, [{ id: b, streamId, version: 1 }], WITH_EVENTS);
    assert.deepEqual([diff.totals.replaced.events, diff.streams[0]!.streamId], [1, 'base64:b/8=']);
    const [event] = diff.streams[0]!.events!;
    assert.deepEqual(
      [event!.past!.id, event!.live!.id, event!.fields],
      ['base64:/wE=', 'base64:/gE=', ['id']],
    );
  });

  it('are missing in one stream and unknown in the other, with their id, where they were moved', async () => {
    const id = '00000000-0000-7000-8000-000000000001';
    const other = { streamId: 't', version: 1, id: '00000000-0000-7000-8000-000000000002' };
    const before = [{ ...one, id }, other];
    const { streams } = await diffOf(before, [{ streamId: 't', version: 2, id }, other], WITH_EVENTS);
    assert.deepEqual(
      streams.map(({ streamId, events }) => [
        streamId,
        events![0]!.kind,
        (events![0]!.past ?? events![0]!.live)!.id,
      ]),
      [
        ['s', 'missing', id],
        ['t', 'newer', id],
      ],
    );
  });

  it('count each, where one stands twice or another beside it', async () => {
    const [a, b] = [
      { ...one, id: 'a' },
      { ...one, id: 'b' },
    ];
    const doubled = await diffUnguarded([a], [a, a, b]);
    assert.deepEqual([doubled.totals.between.events, isDiverged(doubled.totals)], [2, false]);
    const halved = await diffUnguarded([a, b], [b]);
    assert.deepEqual([halved.totals.missing.events, halved.totals.replaced.events], [1, 0]);
    const other = await diffUnguarded([a, b], [{ ...one, id: 'c' }, b, { ...one, id: 'd' }]);
    assert.deepEqual([other.totals.replaced.events, other.totals.between.events], [1, 1]);
  });
});

describe('named streams', () => {
  it('are looked at alone, and a name that neither side has is refused', async () => {
    const vault = memoryVault();
    const store = memoryStore();
    await fill(store, ORDERS);
    await backUp(store, vault);
    await fill(store, [...ORDERS.slice(8), { streamId: 'new', version: 1, id: 'n' }]);
    const diff = await diffNewest(store, vault, {}, ['order-3', 'new', 'order-3']);
    assert.deepEqual([diff.past, diff.liveEvents], [{ events: 5, streams: 1 }, null]);
    assert.deepEqual([diff.totals.missing.events, diff.totals.newer.events], [1, 1]);
    await assert.rejects(diffNewest(store, vault, {}, ['order-3', 'order-33']), (error) => {
      assert.ok(isBackupError(error, 'stream_not_found'));
      assert.equal(error.facts.streamId, 'order-33');
      return true;
    });
  });
});

describe('a stream of a hundred thousand events', () => {
  const long = Array.from({ length: 100_000 }, (_, i): TestEvent => {
    return { id: `00000000-0000-7000-8000-${String(i).padStart(12, '0')}`, streamId: 'long', version: i + 1 };
  });
  it('shows the few that differ, whether there is room for all of them or not', async (t) => {
    const { store, connect } = temporaryStore(t);
    const vault = memoryVault();
    await fill(store, long);
    await backUp(store, vault);
    const db = connect();
    const triggers = db.prepare(`SELECT name FROM sqlite_master WHERE type = 'trigger'`).all();
    for (const { name } of triggers) db.exec(`DROP TRIGGER ${name}`);
    db.exec(`DELETE FROM eventcore_events WHERE stream_version IN (50000) OR stream_version BETWEEN 70000 AND 70010;
      UPDATE eventcore_events SET event_type = 'Other' WHERE stream_version = 99999;
      INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data)
        VALUES ('more', 'long', 100001, 'Added', '{}')`);
    for (const maxNoted of [1 << 20, 512]) {
      const { totals, streams } = await diffNewest(store, vault, { maxNoted });
      const { missing, changed, newer } = streams[0]!;
      assert.deepEqual(missing, { events: 12, firstVersion: 50_000, lastVersion: 70_010 });
      assert.deepEqual(changed, { events: 1, firstVersion: 99_999, lastVersion: 99_999 });
      assert.deepEqual([newer!.events, totals.missing.events, totals.replaced.events], [1, 12, 0]);
    }
  });
});

describe('a diff that is ended, or finds what cannot be', () => {
  it('stops when it is told to, and leaves the store free', async (t) => {
    const { store, connect } = temporaryStore(t);
    const vault = memoryVault();
    await fill(store, ORDERS);
    await backUp(store, vault);
    await fill(store, ORDERS.slice(1));
    const stop = new AbortController();
    const onStep = (step: string): void => {
      if (step === 'comparing events') stop.abort();
    };
    await assert.rejects(diffNewest(store, vault, { onStep, signal: stop.signal }), (error) =>
      isBackupError(error, 'interrupted'),
    );
    connect().exec('DROP TABLE eventcore_events');
  });

  it('does not take events for missing that the heads of the backup name and its files lack', async () => {
    const vault = memoryVault();
    const store = memoryStore();
    await fill(store, ORDERS);
    await backUp(store, vault);
    const past = await openPast(vault, { chain: await newestChain(vault), log: null }, { streamIds: null });
    const lacking: typeof past = {
      ...past,
      read: (names, take) =>
        past.read(names, (batch) => take(selectRows(batch, [...Array(batch.count - 1).keys()]))),
    };
    const options = { selection: null, totalEvents: 40, limit: 20, events: null };
    for (const maxNoted of [1000, 2]) {
      await assert.rejects(diffStore(store, lacking, { ...options, maxNoted }), (error) =>
        isBackupError(error, 'damaged'),
      );
    }
  });
});
