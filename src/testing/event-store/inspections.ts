import assert from 'node:assert/strict';
import type { SqlRow, StoreInspection } from '../../core/inspection.ts';
import { pause } from '../../core/pause.ts';
import { bucketOf } from '../../core/stream-bucket.ts';
import { type ContractCase, collect, numbered, refuses, type StoreCase } from './fixture.ts';

export const INSPECTION_CASES: readonly ContractCase[] = [
  ['a store is asked in SQL where it has SQL, and gives no inspection elsewhere', opensWhereThereIsSql],
  ['the names of an inspection are those of the tables, columns and indexes', namesThings],
  ['values come as text, and parameters are no part of a statement', givesText],
  ['thousands of rows come page by page, up to a limit, and may be left early', givesPages],
  ['a statement may be asked while another one is under way', asksSeveral],
  ['several statements in one are refused, and none of them is carried out', refusesSeveral],
  ['what writes is refused, and nothing is written', refusesWrites],
  [
    'a statement that fails is refused in the words of the store, and the next one is answered',
    saysWhatFailed,
  ],
  ['a statement ends when its time is over, and the next one is answered', endsInTime],
  ['whoever is slow to take the rows is cut off when the time is over', cutsOffSlowReaders],
  ['a signal ends a statement', endsBySignal],
  ['every stream is in one bucket with all its events, and buckets are about as large', fillsBuckets],
  ['events of streams are found by their names, whatever stands in them', findsStreams],
  ['an inspection sees what is committed while it is open', seesCommits],
];

/** Runs a case on an inspection of a store with events; nothing is to be shown where there is no SQL. */
async function inspecting(
  { store, capabilities }: StoreCase,
  run: (inspection: StoreInspection) => Promise<void>,
  statementTimeoutMs = 60_000,
): Promise<void> {
  if (!capabilities.answersSql) return;
  await store.initialise();
  await store.append([{ streamId: 'a', events: numbered(3) }]);
  const inspection = await store.openInspection({ statementTimeoutMs });
  assert.ok(inspection !== null);
  try {
    await run(inspection);
    assert.deepEqual(await store.count(), { events: 3, streams: 1 });
  } finally {
    await inspection.close();
  }
}

async function opensWhereThereIsSql({ store, capabilities }: StoreCase): Promise<void> {
  await store.initialise();
  const inspection = await store.openInspection({ statementTimeoutMs: 1000 });
  assert.equal(inspection !== null, capabilities.answersSql);
  await inspection?.close();
  await inspection?.close();
}

async function namesThings(context: StoreCase): Promise<void> {
  await inspecting(context, async ({ names, select }) => {
    const { versionBase, layout } = await context.store.inspect();
    assert.deepEqual([names.versionBase, names.layout], [versionBase, layout]);
    const { events, id, stream, version, type, data, metadata, time } = names;
    const columns = [id, stream, version, type, data, metadata, time].join(', ');
    const rows = await collect(select(`SELECT ${columns} FROM ${events} ORDER BY ${version}`));
    assert.deepEqual(
      rows.map((row) => [row[stream.replaceAll('"', '')], row[version.replaceAll('"', '')]]),
      [0, 1, 2].map((n) => ['a', String(versionBase + n)]),
    );
    assert.ok(names.checkpoints !== null && names.snapshots !== null);
    for (const sql of [
      `SELECT ${names.checkpoints.name}, ${names.checkpoints.position} FROM ${names.checkpoints.table}`,
      `SELECT ${names.snapshots.id}, ${names.snapshots.versions ?? 'NULL'} FROM ${names.snapshots.table}`,
    ]) {
      assert.deepEqual(await collect(select(sql)), []);
    }
    assert.equal(names.tables[0], names.eventsName);
    assert.ok(names.indexes.some(({ unique, columns: { length } }) => unique && length === 2));
  });
}

async function givesText(context: StoreCase): Promise<void> {
  await inspecting(context, async ({ names: { dialect }, select }) => {
    const [first, second] = dialect === 'postgres' ? ['$1::text', '$2::bigint'] : ['?1', '?2'];
    const sql = `SELECT 12 AS whole, 1.5 AS part, NULL AS none, ${first} AS said, ${second} AS large`;
    const said = "'; DROP TABLE x; -- é\u{1F600}";
    const parameters = [said, 9_007_199_254_740_993n];
    assert.deepEqual(await asked(select, sql, { parameters }), [
      { whole: '12', part: '1.5', none: null, said, large: '9007199254740993' },
    ]);
  });
}

/** Numbers from 1 on, as rows of one statement. */
const counting = (rows: number) =>
  `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) SELECT i FROM n`;

async function givesPages(context: StoreCase): Promise<void> {
  await inspecting(context, async ({ select }) => {
    const all = await collect(select(counting(2500)));
    assert.deepEqual([all.length, all[0]?.i, all[2499]?.i], [2500, '1', '2500']);
    assert.equal((await collect(select(counting(100)))).length, 100);
    for (const limit of [0, 1, 100, 101, 250]) {
      assert.equal((await collect(select(counting(2500), { limit }))).length, limit);
    }
    for await (const { i } of select(counting(2500))) if (i === '150') break;
    assert.deepEqual(await asked(select, 'SELECT 7 AS n'), [{ n: '7' }]);
  });
}

async function asksSeveral(context: StoreCase): Promise<void> {
  await inspecting(context, async ({ select }) => {
    const sums: string[] = [];
    for await (const { i } of select(counting(3))) {
      for await (const { n } of select(`SELECT ${i} * 10 AS n`)) sums.push(n!);
    }
    assert.deepEqual(sums, ['10', '20', '30']);
  });
}

async function refusesSeveral(context: StoreCase): Promise<void> {
  await inspecting(context, async ({ names: { events }, select }) => {
    for (const behind of [`DELETE FROM ${events}`, `COMMIT; DELETE FROM ${events}; BEGIN`, 'SELECT 2']) {
      await refuses(asked(select, `SELECT 1 AS n; ${behind}`), 'check_refused');
    }
    assert.deepEqual(await asked(select, 'SELECT 1 AS n; -- and no more'), [{ n: '1' }]);
  });
}

async function refusesWrites(context: StoreCase): Promise<void> {
  await inspecting(context, async ({ names: { events, stream }, select }) => {
    for (const sql of [
      `DELETE FROM ${events}`,
      `UPDATE ${events} SET ${stream} = 'b'`,
      `DROP TABLE ${events}`,
      'CREATE TEMP TABLE made (n int)',
      'COMMIT',
      'BEGIN',
      `WITH gone AS (DELETE FROM ${events} RETURNING ${stream}) SELECT * FROM gone`,
    ]) {
      await refuses(asked(select, sql), 'check_refused');
    }
  });
}

async function saysWhatFailed(context: StoreCase): Promise<void> {
  await inspecting(context, async ({ select }) => {
    await refuses(asked(select, 'SELECT nothing_of_that_name'), 'check_refused', /nothing_of_that_name/);
    await refuses(asked(select, 'SELECT FROM WHERE'), 'check_refused');
    await refuses(asked(select, ''), 'check_refused');
    assert.deepEqual(await asked(select, 'SELECT 1 AS n'), [{ n: '1' }]);
  });
}

/** Has no end. */
const ENDLESS = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 - i FROM n) SELECT count(*) FROM n';

async function endsInTime(context: StoreCase): Promise<void> {
  await inspecting(
    context,
    async ({ select }) => {
      await refuses(asked(select, ENDLESS), 'check_timed_out');
      assert.deepEqual(await asked(select, 'SELECT 1 AS n'), [{ n: '1' }]);
    },
    600,
  );
}

async function cutsOffSlowReaders(context: StoreCase): Promise<void> {
  await inspecting(
    context,
    async ({ select }) => {
      const slowly = async (): Promise<void> => {
        for await (const { i } of select(counting(1000))) if (i === '50') await pause(900);
      };
      await refuses(slowly(), 'check_timed_out');
    },
    600,
  );
}

async function endsBySignal(context: StoreCase): Promise<void> {
  await inspecting(context, async ({ select }) => {
    const aborter = new AbortController();
    const ended = refuses(asked(select, ENDLESS, { signal: aborter.signal }), 'interrupted');
    await pause(300);
    aborter.abort();
    await ended;
    await refuses(asked(select, 'SELECT 1', { signal: aborter.signal }), 'interrupted');
    assert.deepEqual(await asked(select, 'SELECT 1 AS n'), [{ n: '1' }]);
  });
}

const BUCKETS = 10;
const STREAMS = 1000;

async function fillsBuckets({ store, capabilities }: StoreCase): Promise<void> {
  if (!capabilities.answersSql) return;
  await store.initialise();
  const appends = Array.from({ length: STREAMS }, (_, i) => ({ streamId: `s-${i}`, events: numbered(2) }));
  await store.append(appends);
  const { names, select, close } = (await store.openInspection({ statementTimeoutMs: 60_000 }))!;
  try {
    const bucketsOf = async (seed: number): Promise<readonly string[]> => {
      const found: string[][] = [];
      for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
        const sql = `SELECT ${names.stream} AS stream, ${names.bucket(seed, BUCKETS)} AS bucket FROM ${names.events}
          WHERE ${names.inBucket({ seed, of: BUCKETS, buckets: [bucket] })} ORDER BY 1`;
        const rows = await asked(select, sql);
        assert.ok(rows.every((row) => row.bucket === String(bucket)));
        // As the streams of a backup are divided.
        const ours = rows.map((row) => bucketOf({ seed, of: BUCKETS }, Buffer.from(row.stream!)));
        assert.ok(ours.every((own) => own === bucket));
        // 100 streams of two events are expected; 50 away is more than five standard deviations.
        assert.ok(rows.length > 100 && rows.length < 300, `${rows.length} events in bucket ${bucket}`);
        found.push(rows.map(({ stream }) => stream!));
      }
      assert.equal(new Set(found.flat()).size, STREAMS);
      assert.equal(found.flat().length, 2 * STREAMS);
      return found[0]!;
    };
    assert.notDeepEqual(await bucketsOf(1), await bucketsOf(2));
    const two = { seed: 1, of: BUCKETS, buckets: [0, 3] };
    const sql = `SELECT DISTINCT ${names.bucket(1, BUCKETS)} AS bucket FROM ${names.events} WHERE ${names.inBucket(two)} ORDER BY 1`;
    assert.deepEqual(await asked(select, sql), [{ bucket: '0' }, { bucket: '3' }]);
  } finally {
    await close();
  }
}

const ODD_NAMES = ["it's", 'a "quoted" one', 'back\\slash', '{a,b}', '', '\u{1F600}', "\\'; SELECT 1"];

async function findsStreams({ store, capabilities }: StoreCase): Promise<void> {
  if (!capabilities.answersSql) return;
  await store.initialise();
  const streams = ODD_NAMES.filter((name) => name !== '');
  await store.append([...streams, 'another'].map((streamId) => ({ streamId, events: numbered(2) })));
  const { names, select, close } = (await store.openInspection({ statementTimeoutMs: 60_000 }))!;
  const found = async (list: readonly string[]): Promise<(string | null)[]> => {
    const sql = `SELECT DISTINCT ${names.stream} AS stream FROM ${names.events} WHERE ${names.inStreams(list)}`;
    return (await asked(select, sql)).map(({ stream }) => stream!).sort();
  };
  assert.deepEqual(await found(ODD_NAMES), [...streams].sort());
  assert.deepEqual(await found([]), []);
  assert.deepEqual(await found(['another', 'none']), ['another']);
  await close();
}

async function seesCommits({ store, open, capabilities }: StoreCase): Promise<void> {
  if (!capabilities.answersSql) return;
  await store.initialise();
  const { names, select, close } = (await open().openInspection({ statementTimeoutMs: 60_000 }))!;
  const sql = `SELECT count(*) AS n FROM ${names.events}`;
  assert.deepEqual(await asked(select, sql), [{ n: '0' }]);
  await store.append([{ streamId: 'a', events: numbered(2) }]);
  assert.deepEqual(await asked(select, sql), [{ n: '2' }]);
  await close();
}

function asked(
  select: StoreInspection['select'],
  sql: string,
  options?: Parameters<StoreInspection['select']>[1],
): Promise<SqlRow[]> {
  return collect(select(sql, options));
}
