/** Every shape of event, through a real vault, between real stores of each kind. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openStore, openVault } from '../../src/cli/wire.ts';
import { isBackupError } from '../../src/core/errors.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { ChunkFormat } from '../../src/core/manifest.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { type RestoreReport, restoreBackup } from '../../src/recovery/restore.ts';
import { makeBatch, type TestEvent } from '../../src/testing/batches.ts';
import { backUp, testClock } from '../harness/memory-backup.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';

const MICROSECOND = 820_000_000_123_457n;
const BEFORE_1970 = -1_500_000_000_000_001n;

/** What both kinds of store can hold, spelt as PostgreSQL's jsonb spells it. */
const sharedEvents: TestEvent[] = [
  {
    streamId: 'numbers',
    version: 1,
    data: '{"a": 9007199254740993, "b": -0.1234567890123456789012345678901234567890}',
  },
  {
    streamId: 'numbers',
    version: 2,
    data: '{"huge": 123456789012345678901234567890.10, "small": 0.0000000000000001}',
  },
  { streamId: 'texts/ünï-😀', version: 1, type: 'Tÿpe', data: '{"text": "😀 \\" \\\\ / \\u0001 \\u2028"}' },
  { streamId: 'times', version: 1, time: MICROSECOND },
  { streamId: 'times', version: 2, time: BEFORE_1970 },
  { streamId: 'times', version: 3, time: 0n },
  { streamId: 'large', version: 1, data: `{"text": "${'0123456789abcdef'.repeat(70_000)}"}` },
  { streamId: 'scalars', version: 1, data: 'null', metadata: 'null' },
  { streamId: 'scalars', version: 2, data: '"text"', metadata: '[]' },
  { streamId: 'scalars', version: 3, data: '[1, 2, {"a": []}]', metadata: '{}' },
  { streamId: ' spaces ', version: 1 },
].map((event) => ({ ...event, id: randomUUID() }));

/** What only SQLite's text columns can hold. */
const sqliteEvents: TestEvent[] = [
  { streamId: 'verbatim', version: 1, data: '{ "spaced" :\t1.0,\n "b":2, "b":3 }' },
  { streamId: 'verbatim', version: 2, data: '{"nul":"\\u0000","half":"\\ud83d"}' },
  { streamId: 'verbatim', version: 3, data: 'no JSON at all', metadata: '' },
  { streamId: 'verbatim', version: 4, id: 'NOT-A-UUID', timeText: 'yesterday', time: -(2n ** 63n) },
  { streamId: Buffer.from([0x62, 0xff]), version: 1, data: Buffer.from([0xc3, 0x28]) },
];

const LONG_STREAM = 100_000;

async function fill(store: EventStore, batches: Iterable<readonly TestEvent[]>): Promise<void> {
  const session = await store.openRestore({ attemptId: randomUUID(), replace: false });
  const writer = await session.openWriter();
  for (const events of batches) await writer.write(makeBatch(events));
  await writer.end();
  await session.finishLoad();
  await session.publish();
}

function* longStream(): Generator<TestEvent[]> {
  for (let first = 1; first <= LONG_STREAM; first += 1000) {
    yield Array.from({ length: 1000 }, (_, i) => ({
      id: randomUUID(),
      streamId: 'long',
      version: first + i,
    }));
  }
}

describe('from store to vault to store', () => {
  let folder: string;
  let postgres: TestPostgres;
  const opened: EventStore[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'eventcore-round-trip-'));
    postgres = await startPostgres();
  });

  after(async () => {
    await Promise.all(opened.map((store) => store.close()));
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function newStore(kind: string): Promise<EventStore> {
    const address =
      kind === 'sqlite'
        ? `sqlite:${join(folder, `${randomUUID()}.db`)}`
        : postgres.address(await postgres.createDatabase());
    const store = await openStore(address);
    opened.push(store);
    return store;
  }

  async function carry(
    from: EventStore,
    to: EventStore,
    format: ChunkFormat = 'columns',
  ): Promise<RestoreReport> {
    const vault = openVault(join(folder, randomUUID()));
    await backUp(from, vault, { format });
    const backup = (await readCatalog(vault)).backups.at(-1)!;
    return restoreBackup({ target: to, vault, clock: testClock }, [backup], {
      replace: false,
      checkpoints: 'keep',
      parallel: 2,
    });
  }

  for (const kind of ['sqlite', 'postgres'] as const) {
    for (const format of ['columns', 'jsonl', 'msgpack'] as const) {
      it(`${kind} gets every shape of event back, byte for byte: ${format}`, async () => {
        const [source, target] = [await newStore(kind), await newStore(kind)];
        await fill(source, [kind === 'sqlite' ? [...sharedEvents, ...sqliteEvents] : sharedEvents]);
        await carry(source, target, format);
        assert.deepEqual(await digestStore(target), await digestStore(source));
      });
    }

    it(`${kind} gets a stream of ${LONG_STREAM} events back, and goes on with it`, async () => {
      const [source, target] = [await newStore(kind), await newStore(kind)];
      await fill(source, longStream());
      await carry(source, target);
      assert.deepEqual(await digestStore(target), await digestStore(source));
      const append = {
        streamId: 'long',
        expectedVersion: BigInt(LONG_STREAM),
        events: [{ type: 'Next', data: '{}' }],
      };
      const { heads } = await target.append([append]);
      assert.equal(heads.get('long'), BigInt(LONG_STREAM + 1));
    });
  }

  it('PostgreSQL to SQLite and back again changes nothing', async () => {
    const [source, between, target] = [
      await newStore('postgres'),
      await newStore('sqlite'),
      await newStore('postgres'),
    ];
    await fill(source, [sharedEvents]);
    await carry(source, between);
    assert.deepEqual(await digestStore(between), await digestStore(source));
    await carry(between, target);
    assert.deepEqual(await digestStore(target), await digestStore(source));
  });

  it('what PostgreSQL cannot hold stops the restore, names the event, and leaves nothing', async () => {
    const unstorable: TestEvent[] = [
      { streamId: 'nul', version: 1, data: '{"text":"\\u0000"}' },
      { streamId: 'half', version: 1, data: '{"text":"\\ud83d"}' },
      { streamId: 'id', version: 1, id: 'not-a-uuid' },
      { streamId: 'broken', version: 1, data: 'no JSON' },
    ];
    for (const event of unstorable) {
      const [source, target] = [await newStore('sqlite'), await newStore('postgres')];
      await fill(source, [[...sharedEvents, { id: randomUUID(), ...event }]]);
      await assert.rejects(carry(source, target), (error) => {
        assert.ok(isBackupError(error, 'value_not_storable'), String(error));
        assert.match(`${error.message} ${JSON.stringify(error.facts)}`, new RegExp(String(event.streamId)));
        return true;
      });
      assert.equal((await target.inspect()).state, 'missing');
    }
  });

  it('consumers keep their positions, and those ahead of the events are named', async () => {
    const [source, target] = [await newStore('postgres'), await newStore('postgres')];
    await fill(source, [sharedEvents]);
    const database = new URL(source.address).pathname.slice(1);
    const ahead = 'ffffffff-ffff-7fff-bfff-ffffffffffff';
    await postgres.exec(
      `INSERT INTO eventcore_subscription_versions VALUES ('behind', '${sharedEvents[0]!.id}'), ('ahead', '${ahead}')`,
      database,
    );
    const report = await carry(source, target);
    const named = report.checkpoints.map(({ name, ahead: isAhead, action }) => [name, isAhead, action]);
    assert.deepEqual(named.sort(), [
      ['ahead', true, 'kept'],
      ['behind', false, 'kept'],
    ]);
  });
});
