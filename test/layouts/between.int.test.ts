/** Backups of stores of others, restored into EventCore's layout: what has a place there, and what is refused. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { StoredEvent } from '../../src/core/event.ts';
import { makeFolder, runHere, withStoreAt } from '../harness/command.ts';
import { drilledBy } from '../harness/drill-world.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';
import { added, consume, openEmmett } from './emmett.ts';
import { installMessageDb, openMessageDb } from './message-db.ts';

describe('a restore into another layout', () => {
  let server: TestPostgres;
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  before(async () => {
    [server, folder] = await Promise.all([startPostgres(), makeFolder()]);
    await fillEmmett(server.address(await server.createDatabase('carts')));
    await fillMessageDb(server, await server.createDatabase('shop'));
    for (const name of ['carts', 'shop']) await succeed(['backup', 'full'], name);
    await withStoreAt(server.address(await server.createDatabase('own')), async (store) => {
      await store.initialise();
      for (const [n, streamId] of ['a-1', 'a-2', 'a-1'].entries())
        await store.append([{ streamId, events: [{ type: 'A', data: `{"n":${1 + n / 2}}` }] }]);
    });
    await succeed(['backup', 'full'], 'own');
  });
  after(async () => {
    await folder.remove();
    await server.stop();
  });

  const run = (words: readonly string[], name: string) =>
    runHere([...words, '--store', server.address(name), '--vault', `${folder.path}/${name}`], {
      env: { PATH: process.env.PATH },
    });
  const succeed = async (words: readonly string[], name: string) => {
    const ran = await run(words, name);
    assert.equal(ran.code, 0, `${words.join(' ')}: ${ran.stdout}${ran.stderr}`);
    return ran;
  };

  it('is refused while it would lose something, names the flag, and leaves nothing behind', async () => {
    const target = `sqlite:${folder.path}/refused.db`;
    const ran = await run(['restore', '--to', target], 'shop');
    assert.equal(ran.code, 9, ran.stderr);
    assert.match(ran.stderr, /no place for data, global_position, delivery-order of a store of message-db/);
    assert.match(ran.stderr, /--allow-loss data,global_position,delivery-order/);
    assert.equal((await run(['restore', '--to', target, '--allow-loss', 'data'], 'shop')).code, 9);
    await withStoreAt(target, async (store) => assert.equal((await store.inspect()).state, 'missing'));
  });

  it('says in a dry run what would be lost, and how much of it', async () => {
    const words = ['restore', '--dry-run', '--json', '--to', `sqlite:${folder.path}/dry.db`];
    const ran = await run([...words, '--allow-loss', 'data'], 'shop');
    assert.equal(ran.code, 9);
    const { lost, refused, notes } = JSON.parse(ran.stdout);
    assert.deepEqual(lost, [
      { field: 'data', kind: 'column', count: 4 },
      { field: 'global_position', kind: 'column', count: 30 },
      { field: 'delivery-order', kind: 'order', count: 30 },
    ]);
    assert.deepEqual(refused, ['global_position', 'delivery-order']);
    assert.match(notes.join('\n'), /another version in eventcore than in message-db: each is one higher/);
    const allowed = await succeed([...words, '--allow-loss', 'all'], 'shop');
    assert.deepEqual(JSON.parse(allowed.stdout).refused, []);
  });

  it('brings message-db into PostgreSQL and SQLite: versions from 1, its metadata, ids and times', async () => {
    const live = await openMessageDb(server, 'shop');
    const rows = (await live.rows()) as MessageRow[];
    await live.close();
    for (const target of [server.address(await server.createDatabase('shop_own')), sqlite('shop')]) {
      await succeed(['restore', '--to', target, '--allow-loss', 'all'], 'shop');
      await withStoreAt(target, async (store) => {
        for (const streamId of ['cart-0', 'cart-1']) {
          const own = rows.filter(({ stream_name }) => stream_name === streamId).map(asOwn);
          const wanted = own.toSorted(([, a], [, b]) => a - b);
          assert.deepEqual((await store.readStream(streamId)).map(comparable), wanted);
        }
        const next = { streamId: 'cart-1', expectedVersion: 10n, events: [{ type: 'Added', data: '{}' }] };
        await store.append([next]);
        await assert.rejects(store.append([next]));
        assert.equal((await store.count()).events, 31);
      });
    }
  });

  it('brings Emmett into EventCore, and names its tables among what is lost', async () => {
    const target = sqlite('carts');
    const fields = [
      ...['global_position', 'message_schema_version', 'transaction_id'],
      ...['emt_streams', 'emt_processors', 'delivery-order'],
    ];
    const most = await run(
      ['restore', '--to', target, '--allow-loss', fields.slice(0, -2).join(',')],
      'carts',
    );
    assert.equal(most.code, 9);
    assert.match(most.stderr, /no place for emt_processors, delivery-order of a store of emmett/);
    const ran = await succeed(
      ['restore', '--json', '--to', target, '--allow-loss', fields.join(',')],
      'carts',
    );
    const { lost } = JSON.parse(ran.stdout);
    assert.deepEqual(lost.map(({ field }: { field: string }) => field).sort(), fields.toSorted());
    await withStoreAt(target, async (store) => {
      const events = await store.readStream('cart-1');
      assert.deepEqual(
        events.map(({ version, data, metadata }) => [version, JSON.parse(data), JSON.parse(metadata!)]),
        [1, 2, 3].map((n) => [BigInt(n), added(n).data, added(n).metadata]),
      );
    });
  });

  it('brings single streams of message-db', async () => {
    const target = sqlite('single');
    const words = ['restore', '--to', target, '--stream', 'cart-2'];
    assert.equal((await run(words, 'shop')).code, 9);
    const ran = await succeed(
      [...words, '--json', '--allow-loss', 'data,global_position,delivery-order'],
      'shop',
    );
    const [stream] = JSON.parse(ran.stdout).streams;
    assert.deepEqual([stream.fromVersion, stream.toVersion], [1, 10]);
  });

  it('brings EventCore into message-db and Emmett, which go on: their own libraries read and append', async () => {
    await installMessageDb(server, await server.createDatabase('as_messages'));
    await succeed(['restore', '--to', server.address('as_messages')], 'own');
    const messages = await openMessageDb(server, 'as_messages');
    assert.equal((await messages.category('a', 1)).length, 3);
    const next = { id: crypto.randomUUID(), stream: 'a-1', type: 'A', data: {}, metadata: {} };
    assert.equal(await messages.write({ ...next, expected: 1 }), 2n);
    await messages.close();

    const address = server.address(await server.createDatabase('as_emmett'));
    const emmett = await openEmmett(address);
    await succeed(['restore', '--to', address], 'own');
    const { events, currentStreamVersion } = await emmett.readStream('a-1');
    assert.deepEqual(
      events.map(({ type, data, metadata }) => [type, data, metadata.streamPosition]),
      [
        ['A', { n: 1 }, 1n],
        ['A', { n: 2 }, 2n],
      ],
    );
    await emmett.appendToStream('a-1', [added(1)], { expectedStreamVersion: currentStreamVersion });
    assert.deepEqual(await consume(emmett, 'all'), ['a-1@1', 'a-2@1', 'a-1@2', 'a-1@3']);
    await emmett.close();
  });

  it('brings message-db into Emmett, and no store of others into one that has no place for its events', async () => {
    const address = server.address(await server.createDatabase('shop_emmett'));
    const emmett = await openEmmett(address);
    await succeed(['restore', '--to', address, '--allow-loss', 'all'], 'shop');
    assert.equal((await emmett.readStream('cart-1')).currentStreamVersion, 10n);
    await emmett.close();
    await server.exec(CASTORE_TABLE, await server.createDatabase('castore'));
    for (const name of ['own', 'shop']) {
      const ran = await run(['restore', '--to', server.address('castore'), '--allow-loss', 'all'], name);
      assert.equal(ran.code, 5);
      assert.match(ran.stderr, /castore in postgres: its tables need what these events do not have/);
    }
  });

  it('is no matter for drills: they prove the backup as it is, versions from 0 too', async () => {
    writeFileSync(`${folder.path}/fold.mjs`, FOLD);
    const config = `${folder.path}/drilled.yaml`;
    writeFileSync(config, 'drill: { checks: [{ module: ./fold.mjs }] }\n');
    for (const [name, target] of [
      ['shop', server.address('postgres')],
      ['carts', `sqlite:${folder.path}`],
    ] as const) {
      const only = ['--only', 'full_restore', '--only', 'partial_restore'];
      const drilled = drilledBy(
        await run(['drill', '--json', '--target', target, '--config', config, ...only], name),
      );
      assert.equal(drilled.code, 0, JSON.stringify(drilled.reasons));
      assert.equal(drilled.states.full_restore, 'passed');
      assert.equal(drilled.states.partial_restore, 'passed');
    }
  });

  it('keeps the live store comparable with its backup', async () => {
    for (const name of ['shop', 'carts']) {
      await succeed(['verify', '--against-store'], name);
      const { stdout } = await succeed(['export', '--to', '-'], name);
      assert.ok(stdout.includes('"cart-1"'));
    }
  });

  function sqlite(name: string): string {
    return `sqlite:${folder.path}/${name}.restored.db`;
  }
});

/** Fails where metadata is anything but what Emmett, or a client of message-db, gave. */
const FOLD = `export const streams = 'cart-';
export const initialState = () => 0;
export function evolve(sum, { data, metadata }) {
  if (metadata !== null && metadata.m === undefined && metadata.by !== 'test') throw new Error('other metadata');
  return sum + (data?.n ?? 0);
}
`;

const CASTORE_TABLE = `CREATE TABLE event (id bigserial PRIMARY KEY, aggregate_name varchar(32) NOT NULL, aggregate_id varchar NOT NULL,
  version bigint NOT NULL, type varchar(64) NOT NULL, data jsonb, metadata jsonb, timestamp timestamptz NOT NULL,
  UNIQUE (aggregate_name, aggregate_id, version))`;

async function fillEmmett(address: string): Promise<void> {
  const live = await openEmmett(address);
  for (let i = 0; i < 4; i += 1) await live.appendToStream(`cart-${i}`, [added(1), added(2), added(3)]);
  await consume(live, 'reader');
  await live.close();
}

async function fillMessageDb(server: TestPostgres, name: string): Promise<void> {
  await installMessageDb(server, name);
  const live = await openMessageDb(server, name);
  for (let i = 0; i < 30; i += 1) {
    const data = i % 9 === 0 ? undefined : { n: i, text: 'Grüße 🙂' };
    const metadata = i % 4 === 0 ? undefined : { m: [i, null, '"'] };
    await live.write({ id: crypto.randomUUID(), stream: `cart-${i % 3}`, type: 'Added', data, metadata });
  }
  await live.close();
}

interface MessageRow {
  readonly id: string;
  readonly stream_name: string;
  readonly position: string;
  readonly time: string;
  readonly data: string | null;
  readonly metadata: string | null;
}

type Comparable = readonly [id: string, version: number, time: string, data: unknown, metadata: unknown];

function asOwn({ id, position, time, data, metadata }: MessageRow): Comparable {
  const at = new Date(`${time}Z`).toISOString();
  return [id, Number(position) + 1, at, JSON.parse(data ?? 'null'), JSON.parse(metadata ?? '{}')];
}

function comparable({ id, version, recordedAt, data, metadata }: StoredEvent): Comparable {
  return [id, Number(version), new Date(recordedAt).toISOString(), JSON.parse(data), JSON.parse(metadata!)];
}
