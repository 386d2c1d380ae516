import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { checksSchema, type UserCheck } from '../../../src/cli/config/check-schema.ts';
import { loadUserChecks } from '../../../src/cli/user-checks.ts';
import type { EventStore } from '../../../src/core/event-store.ts';
import type { SqlNames } from '../../../src/core/inspection.ts';
import { BUILT_IN_CHECKS } from '../../../src/integrity/checks/built-in.ts';
import type { CheckDefinition, CheckQuestion, CheckSettings } from '../../../src/integrity/checks/check.ts';
import { CHECKSUM_FAILURES } from '../../../src/integrity/checks/checksum-failures.ts';
import { moduleCheck, sqlCheck } from '../../../src/integrity/checks/custom.ts';
import { runChecks } from '../../../src/integrity/checks/run.ts';
import { openSqliteStore } from '../../../src/stores/sqlite/store.ts';
import { ask } from './asking.ts';

let folder: string;
let store: EventStore;
before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'eventcore-user-checks-'));
  store = openSqliteStore(`sqlite:${path.join(folder, 'events.db')}`);
  await store.initialise();
  const events = Array.from({ length: 5 }, () => ({ type: 'Tested', data: '{"total":-1}' }));
  await store.append([{ streamId: 'a', events }]);
});
after(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

const NEGATIVE = `SELECT stream_id, stream_version AS version, event_id, 'the total is negative' AS message, event_data
  FROM eventcore_events WHERE json_extract(event_data, '$.total') < 0`;

/** Checks made of modules with these texts. */
async function load(...texts: readonly string[]): Promise<readonly CheckDefinition[]> {
  const list = texts.map((text, i): UserCheck => {
    const file = path.join(folder, `check ${Math.random()}-${i}.mjs`);
    writeFileSync(file, text);
    return { module: path.basename(file) };
  });
  return loadUserChecks(list, folder);
}

const SOUND = `export const check = { name: 'evens', proves: 'All versions are even.', severity: 'damage', every: 'run', rung: 'catalog',
  questions: (names, { sample }) => [{
    sql: \`SELECT \${names.version} AS v FROM \${names.events} WHERE \${sample === null ? '1 = 1' : names.inBucket(sample)}\`,
    answer: ({ v }) => v % 2 === 0 ? null : { message: \`version \${v} is odd\`, version: v, streamId: 7, events: 'many',
      repair: 'rebuild_index', statements: [{ sql: 'DROP TABLE eventcore_events', reason: 'x', before: null }] },
  }] };`;

describe('a check of a user', () => {
  it('that is a statement finds what its rows say', async () => {
    const results = await ask(store, {
      checks: [sqlCheck({ name: 'negative', sql: NEGATIVE, severity: 'damage' })],
    });
    const { state, findings, rows } = results.get('negative')!;
    assert.deepEqual([state, findings.length, rows], ['found', 5, 5]);
    const { eventId, ...first } = findings[0]!;
    assert.match(eventId!, /^[0-9a-f-]{36}$/);
    assert.deepEqual(first, {
      ...{
        check: 'negative',
        rung: 'custom',
        severity: 'damage',
        streamId: 'a',
        version: '1',
        object: null,
        events: 1,
      },
      ...{ place: null, message: 'the total is negative', repair: null, statements: [] },
    });
  });

  it('needs no columns of any name, and is a risk where it does not say what it is', async () => {
    const results = await ask(store, { checks: [sqlCheck({ name: 'any', sql: 'SELECT 1' })] });
    const [found] = results.get('any')!.findings;
    assert.deepEqual(
      [found!.message, found!.severity, found!.events],
      ['the statement gives a row', 'risk', 0],
    );
  });

  it('that gives row after row is stopped, and what is not kept is counted', async () => {
    const endless =
      'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS message FROM n';
    const { findings, findingsOmitted, rows } = (
      await ask(store, { checks: [sqlCheck({ name: 'many', sql: endless })] })
    ).get('many')!;
    assert.deepEqual([findings.length, findingsOmitted, rows], [1000, 9000, 10_000]);
  });

  it('that fails, takes too long or writes has failed, is no damage, and stops no other', async () => {
    const checks = [
      sqlCheck({ name: 'wrong', sql: 'SELECT nothing_there' }),
      sqlCheck({
        name: 'slow',
        sql: 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 - i FROM n) SELECT count(*) FROM n',
      }),
      sqlCheck({ name: 'writes', sql: 'DELETE FROM eventcore_events' }),
      sqlCheck({ name: 'fine', sql: 'SELECT 1 WHERE 1 = 0' }),
    ];
    const results = await ask(store, { checks, statementTimeoutMs: 1000 });
    const states = [...results.values()].map(({ name, state, findings }) => [name, state, findings.length]);
    assert.deepEqual(states, [
      ['wrong', 'failed', 0],
      ['slow', 'failed', 0],
      ['writes', 'failed', 0],
      ['fine', 'passed', 0],
    ]);
    assert.match(results.get('wrong')!.reason!, /nothing_there/);
    assert.match(results.get('slow')!.reason!, /not done after 1000 ms/);
    assert.deepEqual(await store.count(), { events: 5, streams: 1 });
  });

  it('that is a module finds what it says, in fields that hold what they should, and repairs nothing', async () => {
    const results = await ask(store, { checks: await load(SOUND) });
    const { state, findings } = results.get('evens')!;
    assert.deepEqual([state, findings.length], ['found', 3]);
    const { check, rung, severity, streamId, version, events, repair, statements } = findings[0]!;
    assert.deepEqual([check, rung, severity], ['evens', 'custom', 'damage']);
    assert.deepEqual([streamId, version, events, repair, statements], ['7', '1', 0, null, []]);
  });

  it('that is a module with a fault has failed, and says what it is', async () => {
    const faults: readonly (readonly [string, RegExp])[] = [
      ['export const check = {', /cannot be loaded/],
      ['throw new Error("not today")', /not today/],
      ['export const other = 1;', /exports no `check`/],
      ["export const check = { name: 'No!' };", /its name/],
      ["export const check = { name: 'a' };", /what it proves/],
      ["export const check = { name: 'b', proves: 'x', severity: 'bad' };", /severity/],
      ["export const check = { name: 'c', proves: 'x', every: 'day' };", /every/],
      ["export const check = { name: 'd', proves: 'x' };", /no function `questions`/],
      [
        "export const check = { name: 'e', proves: 'x', questions: () => { throw new Error('no mood'); } };",
        /no mood/,
      ],
      ["export const check = { name: 'f', proves: 'x', questions: () => 7 };", /not a function|iterable/],
      [
        "export const check = { name: 'g', proves: 'x', questions: () => [{ sql: 'SELECT 1', answer: () => { throw 'text'; } }] };",
        /^text$/,
      ],
      [
        "const q = { sql: 'SELECT 1', answer: () => q }; export const check = { name: 'h', proves: 'x', questions: () => [q] };",
        /more than 3 questions/,
      ],
      [
        `export const check = { name: 'i', proves: 'x', questions: () => [{ answer: () => null,
          sql: 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT i FROM n', answer: () => ({ sql: 'SELECT 1', answer: () => null }) }] };`,
        /more than 1000 questions/,
      ],
      [
        "export const check = { name: 'guards', proves: 'x', questions: () => [] };",
        /there is a check guards already/,
      ],
    ];
    const results = [...(await ask(store, { checks: await load(...faults.map(([text]) => text)) })).values()];
    for (const [i, [text, reason]] of faults.entries()) {
      assert.equal(results[i]!.state, 'failed', text);
      assert.match(results[i]!.reason!, reason);
    }
    assert.match((await loadUserChecks([{ module: 'nowhere.mjs' }], folder))[0]!.name, /^module_nowhere$/);
  });

  it('may skip itself, with the reason', async () => {
    const checks = await load(
      "export const check = { name: 'not_here', proves: 'x', questions: () => 'this store has no invoices' };",
      "export const check = { name: 'nor_here', proves: 'x', questions: () => [{ sql: 'SELECT 1', answer: () => ({ skipped: 'none yet' }) }] };",
    );
    const results = [...(await ask(store, { checks })).values()].map(({ state, reason }) => [state, reason]);
    assert.deepEqual(results, [
      ['skipped', 'this store has no invoices'],
      ['skipped', 'none yet'],
    ]);
  });

  it('is told by its shape where it is none', () => {
    for (const given of [null, undefined, 'x', 7, []]) assert.equal(typeof moduleCheck(given), 'string');
  });
});

describe('the list of checks in a configuration', () => {
  it('takes statements and modules, each name once', () => {
    const list = [
      { name: 'a_1', sql: 'SELECT 1', severity: 'damage', every: 'sweep' },
      { module: './check.mjs' },
    ];
    assert.deepEqual(checksSchema.parse(list), list);
    for (const wrong of [
      [{ name: 'A', sql: 'SELECT 1' }],
      [{ name: 'a', sql: ' ' }],
      [{ name: 'guards', sql: 'SELECT 1' }],
      [
        { name: 'a', sql: 'SELECT 1' },
        { name: 'a', sql: 'SELECT 2' },
      ],
      [{ name: 'a', sql: 'SELECT 1', severity: 'bad' }],
      [{ name: 'a', sql: 'SELECT 1', module: './x.mjs' }],
      [{}],
    ]) {
      assert.equal(checksSchema.safeParse(wrong).success, false, JSON.stringify(wrong));
    }
  });
});

describe('a run of checks', () => {
  it('asks what costs least first, waits where it is told to, and stops by a signal', async () => {
    const named = (name: string, every: 'run' | 'sweep', rung: CheckDefinition['rung']): CheckDefinition => ({
      ...{ name, every, rung, severity: 'risk', proves: '', repaired: '' },
      questions: (_, { sample }) => [
        { sql: 'SELECT 1 AS n', answer: () => ({ message: String(sample?.of ?? 'all') }) },
      ],
    });
    const checks = [
      ...[named('d', 'sweep', 'catalog'), named('c', 'run', 'custom'), named('b', 'run', 'streams')],
      named('a', 'run', 'catalog'),
    ];
    const inspection = (await store.openInspection({ statementTimeoutMs: 10_000 }))!;
    const settings = {
      sample: { seed: 1, of: 9, buckets: [] },
      clockToleranceMs: 0,
      requiredMetadata: [],
      known: () => null,
    };
    let paces = 0;
    const pace = async () => {
      paces += 1;
    };
    const report = await runChecks(inspection, checks, { settings, pace });
    assert.deepEqual(
      report.checks.map(({ name, findings }) => [name, findings[0]!.message]),
      [
        ['a', '9'],
        ['b', '9'],
        ['c', '9'],
        // Once in each sweep, so of all of the store.
        ['d', 'all'],
      ],
    );
    // Once more for the streams of the sample.
    assert.equal(paces, 5);
    const aborted = runChecks(inspection, checks, { settings, signal: AbortSignal.abort() });
    await assert.rejects(aborted, { code: 'interrupted' });
    await inspection.close();
  });

  it('tells pages with a wrong checksum as the server counted them', async () => {
    const [question] = CHECKSUM_FAILURES.questions(
      { dialect: 'postgres' } as SqlNames,
      {} as CheckSettings,
    ) as CheckQuestion[];
    const found = question!.answer({ name: 'shop', failures: '3', last: '2026-02-28 12:00:00+00' });
    assert.deepEqual(found, {
      object: 'shop',
      message:
        '3 pages had a wrong checksum in shop, the last one at 2026-02-28 12:00:00+00: the disk changes data',
    });
  });

  it('knows each built-in check by one name, with what it proves', () => {
    const names = BUILT_IN_CHECKS.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    for (const { name, proves, repaired } of BUILT_IN_CHECKS) {
      assert.match(name, /^[a-z][a-z0-9_]*$/);
      assert.match(proves, /^[A-Z].*\.$/);
      assert.ok(repaired.length > 10);
    }
  });
});
