import assert from 'node:assert/strict';
import type { NewEvent } from '../../core/event.ts';
import type { EventStore } from '../../core/event-store.ts';
import { type ContractCase, numbered, refuses, type StoreCase } from './fixture.ts';

export const APPEND_CASES: readonly ContractCase[] = [
  ['what was appended is read back as it was given', readsBack],
  ['an event without an id gets a time-ordered UUID, in the order given', makesIds],
  ['an append to several streams numbers each of them by itself', numbersStreams],
  ['an append that names a stream twice goes on where it was', continuesWithinAppend],
  ['an append of 1,500 events is one append', appendsMany],
  ['an append of nothing writes nothing', appendsNothing],
  ['a stream that is where it is expected is appended to', acceptsExpected],
  ['a stream that is elsewhere is a version conflict, and nothing is written', refusesUnexpected],
  ['of 8 appends that race for one version exactly one wins', raceHasOneWinner],
  ['8 appends at the same time leave no gap and lose nothing', racesLeaveNoGap],
  ['JSON comes back as the text that was given, or as equal JSON', keepsJson],
  ['U+0000 is stored exactly, or refused as not storable', treatsNul],
  ['names of every kind keep their characters', keepsNames],
];

/** Of a store that is one: with a transaction over all streams, and one index of ids. */
export const WHOLE_APPEND_CASES: readonly ContractCase[] = [
  ['when one of two streams is elsewhere neither is written', refusesBoth],
  ['an append of no events still checks where the stream is', checksWithoutEvents],
  ['what is no event is refused, and nothing is written', refusesInvalid],
  ['an id that is already there is refused, and nothing is written', refusesKnownId],
];

async function start({ store }: StoreCase): Promise<{ store: EventStore; base: bigint }> {
  await store.initialise();
  return { store, base: BigInt((await store.inspect()).versionBase) };
}

async function readsBack(context: StoreCase): Promise<void> {
  const { store, base } = await start(context);
  const id = '01932f3e-7c00-7a01-8b02-0123456789ab';
  const before = Date.now() - 60_000;
  const { heads } = await store.append([
    {
      streamId: 'account-1',
      events: [
        { id, type: 'Opened', data: '{"owner": "Ann"}', metadata: '{"by": "test"}' },
        { type: 'Closed', data: '[]' },
      ],
    },
  ]);
  assert.deepEqual(heads, new Map([['account-1', base + 1n]]));
  const [first, second, ...rest] = await store.readStream('account-1');
  assert.equal(rest.length, 0);
  const { recordedAt, ...facts } = first!;
  assert.deepEqual(facts, {
    id,
    streamId: 'account-1',
    version: base,
    type: 'Opened',
    data: '{"owner": "Ann"}',
    metadata: '{"by": "test"}',
  });
  assert.match(recordedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  const recordedMs = Date.parse(recordedAt);
  assert.ok(recordedMs > before && recordedMs < Date.now() + 60_000, recordedAt);
  assert.deepEqual([second!.version, second!.data, second!.metadata], [base + 1n, '[]', '{}']);
}

async function makesIds(context: StoreCase): Promise<void> {
  const { store } = await start(context);
  await store.append([{ streamId: 'b', events: numbered(300) }]);
  await store.append([{ streamId: 'a', events: numbered(300) }]);
  const ids = [...(await store.readStream('b')), ...(await store.readStream('a'))].map((event) => event.id);
  assert.equal(new Set(ids).size, 600);
  for (const id of ids)
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.deepEqual(ids, [...ids].sort());
}

async function numbersStreams(context: StoreCase): Promise<void> {
  const { store, base } = await start(context);
  await store.append([{ streamId: 'b', events: numbered(2) }]);
  const { heads } = await store.append([
    { streamId: 'b', events: numbered(1, 3) },
    { streamId: 'a', events: numbered(2, 4) },
  ]);
  assert.deepEqual(
    heads,
    new Map([
      ['b', base + 2n],
      ['a', base + 1n],
    ]),
  );
  assert.deepEqual(await versionsAndData(store, 'a'), [`${base} {"n": 4}`, `${base + 1n} {"n": 5}`]);
  assert.equal((await versionsAndData(store, 'b')).at(-1), `${base + 2n} {"n": 3}`);
}

async function continuesWithinAppend(context: StoreCase): Promise<void> {
  const { store, base } = await start(context);
  const { heads } = await store.append([
    { streamId: 'a', expectedVersion: base - 1n, events: numbered(2) },
    { streamId: 'b', events: numbered(1) },
    { streamId: 'a', expectedVersion: base + 1n, events: numbered(1, 3) },
  ]);
  assert.equal(heads.get('a'), base + 2n);
  assert.deepEqual(await dataOf(store, 'a'), ['{"n": 1}', '{"n": 2}', '{"n": 3}']);
}

async function appendsMany(context: StoreCase): Promise<void> {
  const { store, base } = await start(context);
  const { heads } = await store.append([{ streamId: 'long', events: numbered(1500) }]);
  assert.equal(heads.get('long'), base + 1499n);
  const events = await store.readStream('long', { limit: 2000 });
  assert.deepEqual(
    events.map((event) => event.data),
    numbered(1500).map((event) => event.data),
  );
}

async function appendsNothing(context: StoreCase): Promise<void> {
  const { store } = await start(context);
  assert.equal((await store.append([])).heads.size, 0);
  assert.equal((await store.append([{ streamId: 'a', events: [] }])).heads.size, 0);
  assert.deepEqual(await store.count(), { events: 0, streams: 0 });
}

async function acceptsExpected(context: StoreCase): Promise<void> {
  const { store, base } = await start(context);
  await store.append([{ streamId: 'a', expectedVersion: base - 1n, events: numbered(2) }]);
  await store.append([{ streamId: 'a', expectedVersion: base + 1n, events: numbered(1, 3) }]);
  assert.deepEqual(await dataOf(store, 'a'), ['{"n": 1}', '{"n": 2}', '{"n": 3}']);
}

async function refusesUnexpected(context: StoreCase): Promise<void> {
  const { store, base } = await start(context);
  await store.append([{ streamId: 'a', events: numbered(2) }]);
  for (const expectedVersion of [base - 1n, base, base + 2n]) {
    await refuses(
      store.append([{ streamId: 'a', expectedVersion, events: numbered(1, 9) }]),
      'version_conflict',
      /"a"/,
    );
  }
  await refuses(
    store.append([{ streamId: 'new', expectedVersion: base, events: numbered(1) }]),
    'version_conflict',
    /"new"/,
  );
  assert.deepEqual(await store.count(), { events: 2, streams: 1 });
}

async function refusesBoth(context: StoreCase): Promise<void> {
  const { store, base } = await start(context);
  await store.append([{ streamId: 'a', events: numbered(1) }]);
  await refuses(
    store.append([
      { streamId: 'b', expectedVersion: base - 1n, events: numbered(3) },
      { streamId: 'a', expectedVersion: base + 5n, events: numbered(1) },
    ]),
    'version_conflict',
    /"a"/,
  );
  assert.deepEqual(await store.count(), { events: 1, streams: 1 });
  assert.deepEqual(await store.readStream('b'), []);
}

async function checksWithoutEvents(context: StoreCase): Promise<void> {
  const { store, base } = await start(context);
  await store.append([{ streamId: 'a', events: numbered(1) }]);
  await store.append([{ streamId: 'a', expectedVersion: base, events: [] }]);
  await refuses(
    store.append([
      { streamId: 'b', events: numbered(1) },
      { streamId: 'a', expectedVersion: base + 1n, events: [] },
    ]),
    'version_conflict',
    /"a"/,
  );
  assert.deepEqual(await store.count(), { events: 1, streams: 1 });
}

async function raceHasOneWinner(context: StoreCase): Promise<void> {
  const { store, base } = await start(context);
  const handles = Array.from({ length: 8 }, () => context.open());
  const outcomes = await Promise.allSettled(
    handles.map((handle, i) =>
      handle.append([{ streamId: 'race', expectedVersion: base - 1n, events: numbered(3, i * 10) }]),
    ),
  );
  const won = outcomes.filter((outcome) => outcome.status === 'fulfilled');
  assert.equal(won.length, 1);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') await refuses(Promise.reject(outcome.reason), 'version_conflict');
  }
  assert.equal((await store.readStream('race')).length, 3);
}

async function racesLeaveNoGap(context: StoreCase): Promise<void> {
  const { store, base } = await start(context);
  const handles = Array.from({ length: 8 }, () => context.open());
  await Promise.all(
    handles.map((handle, i) =>
      handle.append([
        { streamId: i % 2 === 0 ? 'left' : 'right', events: numbered(2, i * 10) },
        { streamId: 'shared', events: numbered(2, i * 10) },
      ]),
    ),
  );
  const shared = await store.readStream('shared');
  assert.deepEqual(
    shared.map((event) => event.version),
    Array.from({ length: 16 }, (_, i) => base + BigInt(i)),
  );
  assert.equal(new Set(shared.map((event) => event.data)).size, 16);
  assert.deepEqual(await store.count(), { events: 32, streams: 3 });
}

async function refusesInvalid(context: StoreCase): Promise<void> {
  const { store } = await start(context);
  const sound = { type: 'Tested', data: '{}' };
  const broken: readonly { streamId: string; events: NewEvent[] }[] = [
    { streamId: '', events: [sound] },
    { streamId: 'a', events: [{ ...sound, type: '' }] },
    { streamId: 'a', events: [{ ...sound, id: '' }] },
    { streamId: 'a', events: [{ ...sound, data: '' }] },
    { streamId: 'a', events: [{ ...sound, data: '{"open":' }] },
    { streamId: 'a', events: [{ ...sound, metadata: 'none' }] },
    { streamId: 'a\ud800', events: [sound] },
  ];
  for (const append of broken) {
    await refuses(store.append([{ streamId: 'first', events: [sound] }, append]), 'event_invalid');
  }
  assert.deepEqual(await store.count(), { events: 0, streams: 0 });
}

async function refusesKnownId(context: StoreCase): Promise<void> {
  const { store } = await start(context);
  const id = '01932f3e-7c00-7a01-8b02-0123456789ab';
  const event = { id, type: 'Tested', data: '{}' };
  await store.append([{ streamId: 'a', events: [event] }]);
  await refuses(
    store.append([{ streamId: 'b', events: [...numbered(1), event] }]),
    'event_invalid',
    /01932f3e-7c00-7a01-8b02-0123456789ab/,
  );
  await refuses(
    store.append([{ streamId: 'c', events: [event, { ...event, type: 'Again' }] }]),
    'event_invalid',
  );
  assert.deepEqual(await store.count(), { events: 1, streams: 1 });
}

async function keepsJson(context: StoreCase): Promise<void> {
  const { store } = await start(context);
  const texts = [
    ' { "z" :1.50 , "a":[ 1,2 ],"a":3}\n',
    '"\\u00e9\\n\\ud83d\\ude00 \u{1F600}"',
    '12345678901234567890.000100',
    'null',
    'false',
  ];
  await store.append([
    { streamId: 'a', events: texts.map((data) => ({ type: 'Tested', data, metadata: data })) },
  ]);
  const stored = await store.readStream('a');
  for (const [i, { data, metadata }] of stored.entries()) {
    if (context.capabilities.keepsJsonText) assert.deepEqual([data, metadata], [texts[i], texts[i]]);
    else assert.deepEqual(JSON.parse(data), JSON.parse(texts[i]!));
    assert.equal(metadata, data);
  }
}

async function treatsNul(context: StoreCase): Promise<void> {
  const { store } = await start(context);
  const appends = [
    [{ streamId: 'escaped', events: [{ type: 'Tested', data: '"a\\u0000b"' }] }],
    [{ streamId: 'raw\0name', events: [{ type: 'Tes\0ted', data: '{}' }] }],
  ];
  for (const append of appends) {
    if (context.capabilities.storesNul) await store.append(append);
    else await refuses(store.append(append), 'value_not_storable');
  }
  if (!context.capabilities.storesNul) {
    assert.deepEqual(await store.count(), { events: 0, streams: 0 });
    return;
  }
  assert.deepEqual(await dataOf(store, 'escaped'), ['"a\\u0000b"']);
  assert.equal((await store.readStream('raw\0name'))[0]?.type, 'Tes\0ted');
}

async function keepsNames(context: StoreCase): Promise<void> {
  const { store } = await start(context);
  const names = [
    ' leading and trailing ',
    '\uFEFFbyte order mark',
    '\'quoted\' "twice" `thrice`',
    'tab\tline\nback\\slash',
    'é and e\u0301',
    '\u{1F600}\uFFFD',
    '%_*?',
    'x'.repeat(1500),
  ];
  await store.append(names.map((name) => ({ streamId: name, events: [{ type: name, data: '{}' }] })));
  for (const name of names) {
    const [event] = await store.readStream(name);
    assert.deepEqual([event?.streamId, event?.type], [name, name]);
  }
  assert.deepEqual(await store.count(), { events: names.length, streams: names.length });
}

async function dataOf(store: EventStore, streamId: string): Promise<string[]> {
  return (await store.readStream(streamId)).map((event) => event.data);
}

async function versionsAndData(store: EventStore, streamId: string): Promise<string[]> {
  return (await store.readStream(streamId)).map((event) => `${event.version} ${event.data}`);
}
