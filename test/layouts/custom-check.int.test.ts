/** What a mapping of the configuration is held against, and whether all types that it takes come back as they were. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { CustomMapping } from '../../src/core/custom-mapping.ts';
import { isBackupError } from '../../src/core/errors.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import { openPostgresStore } from '../../src/stores/postgres/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { addIncremental } from '../harness/chain.ts';
import { backUp } from '../harness/memory-backup.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';
import { restoreNewest } from './restore-newest.ts';

const COLUMNS = {
  id: 'id',
  stream: 'stream',
  version: 'version',
  type: 'type',
  data: 'data',
  metadata: null,
  time: 'time',
};
const MAPPING: CustomMapping = {
  ...{ schema: 'public', table: 'log', columns: COLUMNS, versionBase: 0 },
  ...{ order: [], sequences: [], belongs: [] },
};

interface Given {
  readonly ddl: string;
  readonly rows?: string;
  readonly mapping?: Partial<CustomMapping>;
}

const SOUND = `CREATE TABLE log (id uuid NOT NULL UNIQUE, stream text NOT NULL, version bigint NOT NULL, type text NOT NULL, data jsonb,
  time timestamptz NOT NULL, UNIQUE (stream, version))`;

describe('a layout of the configuration', () => {
  let server: TestPostgres;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server?.stop());

  async function made({ ddl, rows, mapping }: Given): Promise<{ database: string; open: () => EventStore }> {
    const database = await server.createDatabase();
    await server.exec(`${ddl}; ${rows ?? ''}`, database);
    const log = { ...MAPPING, ...mapping };
    return { database, open: () => openPostgresStore(`${server.address(database)}?layout=log`, { log }) };
  }

  async function refusal(given: Given): Promise<string> {
    const { open } = await made(given);
    const store = open();
    const error = await store.inspect().then(
      () => assert.fail('it was taken'),
      (refused: unknown) => refused,
    );
    await store.close();
    assert.ok(isBackupError(error, 'store_unsupported'), String(error));
    return `${error.message} | ${error.hint}`;
  }

  it('is refused in words that name every column that does not fit, and the way out', async () => {
    const said = await refusal({
      ddl: `CREATE TABLE log (id text, stream text NOT NULL, version numeric NOT NULL, data point, type text NOT NULL, made timestamptz,
              time timestamptz GENERATED ALWAYS AS (made) STORED)`,
      mapping: {
        order: ['place'],
        sequences: [{ name: 'ids', column: 'version' }],
        belongs: [
          { name: 'heads', role: 'streams', key: 'id' },
          { name: 'log', role: 'streams', key: 'nothing' },
        ],
      },
    });
    for (const part of [
      '"public"."log" does not fit layouts.log',
      'order: there is no column place',
      'columns.id: column id may be NULL',
      'columns.id: column id is not unique by itself',
      'columns.version: column version is numeric',
      'version takes bigint, integer, smallint',
      'columns.data: column data is point',
      'columns.time: column time may be NULL',
      'columns.time: column time is generated',
      'no unique key says that stream and version name one event',
      'CREATE UNIQUE INDEX ON log (stream, version)',
      'belongs: there is no table heads',
      'belongs: table log has no column nothing',
      'sequences: there is no sequence ids',
    ])
      assert.ok(said.includes(part), `${part}\n${said}`);
  });

  it('is not content with a unique key over some rows only', async () => {
    const ddl = `${SOUND.replace(', UNIQUE (stream, version)', '')}; CREATE UNIQUE INDEX ON log (stream, version) WHERE version > 5`;
    assert.match(await refusal({ ddl }), /no unique key says that stream and version name one event/);
  });

  it('is not told to make an index that no server makes', async () => {
    const ddl = `${SOUND.replace(/ UNIQUE, /, ', ').replace(', UNIQUE (stream, version)', '')} PARTITION BY RANGE (time)`;
    const said = await refusal({ ddl });
    assert.match(said, /log is partitioned by time, and no unique index goes over .*: partition by stream/);
    assert.doesNotMatch(said, /CREATE UNIQUE INDEX/);
  });

  it('says that there is no such table, and looks again', async () => {
    const { database, open } = await made({ ddl: 'CREATE TABLE other ()' });
    const store = open();
    assert.equal((await store.inspect()).state, 'missing');
    await assert.rejects(store.count(), (error) => isBackupError(error, 'not_an_event_store'));
    await server.exec(SOUND, database);
    assert.deepEqual((await store.inspect()).table, '"public"."log"');
    assert.deepEqual(await store.count(), { events: 0, streams: 0 });
    await store.close();
  });

  const rowsOf = (id: string, stream: string, data: string): string =>
    `INSERT INTO log (id, stream, version, type, data, time) SELECT ${id}, ${stream}, n / 3, 'T' || n % 2, ${data},
       '2026-01-01 00:00:00.000001'::timestamp + n * interval '1 s' FROM generate_series(0, 20) AS n`;
  const SHAPES: Record<string, Given> = {
    'ids that are no uuid, and text that is no JSON': {
      ddl: `CREATE TABLE log (id varchar(80) PRIMARY KEY, stream varchar(20) NOT NULL, version smallint NOT NULL, type varchar(9) NOT NULL,
              data text, time timestamptz(3) NOT NULL, more numeric(9, 3)[] DEFAULT '{1.500}', UNIQUE (version, stream))`,
      rows: rowsOf(
        `CASE n % 3 WHEN 0 THEN gen_random_uuid()::text WHEN 1 THEN upper(gen_random_uuid()::text) ELSE 'no ' || n END`,
        `'s/' || n % 3`,
        `(array['{ "a" : 1 }', '', NULL, '{"broken', E'\\n"\\\\u0000" \\t'])[1 + n % 5]`,
      ),
    },
    'bytes, and streams named by uuids': {
      ddl: `CREATE TABLE log (id bigint GENERATED ALWAYS AS IDENTITY UNIQUE, stream uuid NOT NULL, version int NOT NULL, type text NOT NULL,
              data bytea, time timestamp NOT NULL, twice int GENERATED ALWAYS AS (version * 2) STORED, PRIMARY KEY (stream, version))`,
      rows: rowsOf(
        'n + 1',
        `md5((n % 3)::text)::uuid`,
        `CASE WHEN n % 5 > 0 THEN decode(repeat(md5(n::text), n), 'hex') END`,
      ).replace('SELECT', 'OVERRIDING SYSTEM VALUE SELECT'),
    },
    'no ids at all, and parts': {
      ddl: `CREATE DOMAIN amount AS bigint CHECK (VALUE >= 0);
            CREATE TABLE log (stream text, version amount NOT NULL, type text NOT NULL, data json NOT NULL, time timestamptz NOT NULL,
              id text, PRIMARY KEY (stream, version)) PARTITION BY LIST (stream);
            CREATE TABLE log_0 PARTITION OF log FOR VALUES IN ('0'); CREATE TABLE log_rest PARTITION OF log DEFAULT`,
      rows: rowsOf(
        `nullif(n % 4, 0)::text`,
        `(n % 3)::text`,
        `(array['{"a":1,"a":2}', '"\\ud83d"', '"\\ud83d\\ude00"', ' [1, 2.50 ]'])[1 + n % 4]::json`,
      ),
      mapping: { columns: { ...COLUMNS, id: null }, order: ['time', 'version'] },
    },
  };
  for (const [what, given] of Object.entries(SHAPES)) {
    it(`gives back row by row what it took: ${what}`, async () => {
      const [source, target] = [await made(given), await made({ ...given, rows: '' })];
      const vault = memoryVault();
      const store = source.open();
      await backUp(store, vault);
      await server.exec(`UPDATE log SET type = type WHERE version = 6`, source.database);
      await addIncremental(store, vault);
      await store.close();
      await restoreNewest(vault, target.open());
      const all = (database: string) =>
        server.exec('SELECT t::text FROM log AS t ORDER BY stream, version', database);
      assert.equal((await all(target.database)).length, 21);
      assert.deepEqual(await all(target.database), await all(source.database));
    });
  }

  /** A backup of a table with a column `note`, and what a restore into another table says; null: it went in. */
  async function restoreInto(ddl: string, isTold = true): Promise<{ said: string | null; database: string }> {
    const source = await made({
      ddl: SOUND_WITH_NOTE,
      rows: rowsOf('gen_random_uuid()', `'s' || n % 3`, `'{}'`),
    });
    const vault = memoryVault();
    const store = source.open();
    const { columns, ...description } = await store.inspect();
    await backUp(isTold ? store : { ...store, inspect: async () => description }, vault);
    await store.close();
    const target = await made({ ddl });
    const said = await restoreNewest(vault, target.open()).then(
      () => null,
      (error: unknown) => {
        assert.ok(isBackupError(error, 'value_not_storable'), String(error));
        return `${error.message} | ${error.hint}`;
      },
    );
    return { said, database: target.database };
  }

  const SOUND_WITH_NOTE = SOUND.replace('data jsonb', "data jsonb, note text DEFAULT 'as ever'");

  it('is restored only where each column has its place; else nothing is written', async () => {
    const other = async (more: string): Promise<string> =>
      (await restoreInto(SOUND.replace('data jsonb', `data jsonb ${more}`))).said ?? 'it went in';
    assert.match(await other(''), /note \(text\) is missing there \| .*ADD COLUMN note text/);
    assert.match(
      await other(', note varchar(5)'),
      /note is character varying\(5\) there, and text in the backup/,
    );
    assert.match(await other(', note text, must int NOT NULL'), /must \(integer\) must have a value there/);
    const { said, database } = await restoreInto(
      SOUND_WITH_NOTE.replace('note', 'number int NOT NULL DEFAULT 7, note'),
    );
    assert.equal(said, null);
    const rows = await server.exec('SELECT DISTINCT number, note FROM log', database);
    assert.deepEqual(rows, [{ number: 7, note: 'as ever' }]);
  });

  it('loses no column in silence where a backup does not tell which it has', async () => {
    const { said, database } = await restoreInto(SOUND, false);
    assert.match(said ?? '', /"public"."log" has no place for note of an event/);
    const left = await server.exec(
      `SELECT FROM log UNION ALL SELECT FROM pg_namespace WHERE nspname ~ '^eventcore'`,
      database,
    );
    assert.deepEqual(left, []);
  });
});
