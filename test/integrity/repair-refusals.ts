import assert from 'node:assert/strict';
import { decodeRepairRecord, REPAIRS_PREFIX } from '../../src/format/repair-record.ts';
import { planRepair } from '../../src/integrity/repair/repair.ts';
import { restoreBackup } from '../../src/recovery/restore.ts';
import { numbered } from '../../src/testing/event-store/fixture.ts';
import { readAll, readCompanions } from '../../src/testing/event-store/restoring.ts';
import { newestChain } from '../harness/chain-backup.ts';
import { backUp, readObject, testClock } from '../harness/memory-backup.ts';
import { apply, backedUpStore, found, keptRows, plan, portsOf, type RepairPlace } from './repair-cases.ts';

type Case = readonly [string, (place: RepairPlace) => Promise<void>];

export const REFUSALS: readonly Case[] = [
  ['another event in the place of one is not overwritten, nor is anything added beside it', keepsOthers],
  ['the second of two rows is taken away when it has the same content, and kept aside', removesCopies],
  [
    'copies, the unique index that they kept from being, and what is missing are put right in one go',
    rebuilds,
  ],
  ['a plan changes nothing at all in the store or the vault', plansOnly],
  ['events that no backup has are not touched, and a gap among them is refused', leavesOnlyLive],
  ['what is not allowed is refused, and with it what it is tied to', keepsToWhatIsAllowed],
  ['a checkpoint that is not ahead any more once events are back stays as it is', leavesCheckpoints],
  ['a statement that fails leaves the others standing, and what was there is kept', runsStatements],
  ['the vault has word of a repair before and after it, without names or payloads', recordsInVault],
  ['appends to a stream that is repaired at the same time are neither lost nor overwritten', keepsAppends],
  ['two repairs at once: one of them does it', onlyOne],
  ['what was kept aside is in no backup, and stays when the store is cleared or replaced', staysAside],
];

const OTHER = '01932f3e-7c00-7a01-8b02-00000000beef';

async function keepsOthers({ store, exec }: RepairPlace): Promise<void> {
  const vault = await backedUpStore(store);
  await exec(`DELETE FROM eventcore_events WHERE stream_id = 'b' AND stream_version IN (2, 4);
    UPDATE eventcore_events SET event_type = 'Broken' WHERE stream_id = 'b' AND stream_version = 5;
    INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data)
      VALUES ('${OTHER}', 'b', 2, 'Mine', '{}')`);
  const before = await readAll(store);
  const ports = await portsOf(store, vault);
  const planned = await plan(ports, [found('b', 'reinstate_events')]);
  assert.deepEqual(
    planned.refusals.map(({ code, kind, version, events }) => [code, kind, version, events]),
    [
      ['diverged', 'reinstate_events', '4', 1],
      ['diverged', 'put_back_events', '2', 1],
    ],
  );
  assert.deepEqual(
    planned.steps.map(({ kind }) => kind),
    ['put_back_events'],
  );
  const result = await apply(ports, planned);
  assert.equal(result.steps[0]!.outcome, 'repaired');
  const after = await readAll(store);
  const isFive = ({ streamId, version }: { streamId: unknown; version: number }) =>
    streamId === 'b' && version === 5;
  assert.deepEqual(
    after,
    before.map((event) => (isFive(event) ? { ...event, type: 'Tested' } : event)),
  );
}

async function removesCopies({ store, exec }: RepairPlace): Promise<void> {
  const vault = await backedUpStore(store);
  const before = await readAll(store);
  const indexes = ['eventcore_events_stream_version_idx', 'idx_eventcore_events_stream_version'];
  await exec(`${indexes.map((name) => `DROP INDEX IF EXISTS ${name};`).join('')}
    INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data, metadata, created_at)
      SELECT '${OTHER}', stream_id, stream_version, event_type, event_data, metadata, created_at FROM eventcore_events
       WHERE stream_id = 'a' AND stream_version = 3`);
  const ports = await portsOf(store, vault);
  const planned = await plan(ports, [found('a', 'remove_copies', { version: '3' })]);
  assert.deepEqual(
    planned.steps.map(({ kind }) => kind),
    ['remove_copies'],
  );
  const result = await apply(ports, planned);
  assert.deepEqual(
    result.steps.map(({ outcome }) => outcome),
    ['repaired'],
  );
  assert.deepEqual(await readAll(store), before);
  assert.deepEqual(await keptRows(exec, result.repairId), [['remove_copies', 'a', '3']]);
}

async function rebuilds({ store, exec, dump }: RepairPlace): Promise<void> {
  const vault = await backedUpStore(store);
  const sound = await readAll(store);
  const isPostgres = store.address.startsWith('postgres');
  const name = isPostgres ? 'eventcore_events_stream_version_idx' : 'idx_eventcore_events_stream_version';
  const table = isPostgres ? 'public.eventcore_events' : 'eventcore_events';
  await exec(`DROP INDEX ${name};
    INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data, metadata, created_at)
      SELECT '${OTHER}', stream_id, stream_version, event_type, event_data, metadata, created_at FROM eventcore_events
       WHERE stream_id = 'a' AND stream_version = 3;
    DELETE FROM eventcore_events WHERE stream_id = 'a' AND stream_version = 5`);
  const sql = `CREATE UNIQUE INDEX ${name} ON ${table} (stream_id, stream_version)`;
  const index = {
    finding: found('', 'rebuild_index', { streamId: null, object: name }),
    statements: [{ sql, reason: 'it is missing', before: null }],
  };
  const copies = { finding: found('a', 'remove_copies'), statements: [] };
  const ports = await portsOf(store, vault);
  const planned = await planRepair(ports, { found: [index, copies], allowed: 'all' });
  const kinds = ['remove_copies', 'rebuild_index', 'reinstate_events'];
  assert.deepEqual(
    planned.steps.map(({ kind }) => kind),
    kinds,
  );
  const result = await apply(ports, planned);
  assert.deepEqual(
    result.steps.map(({ outcome }) => outcome),
    kinds.map(() => 'repaired'),
  );
  assert.deepEqual(await readAll(store), sound);
  assert.ok(JSON.stringify(await dump()).includes(name), 'the index is there');
  // Where the index cannot be built, nothing is added.
  await exec(`DELETE FROM eventcore_events WHERE stream_id = 'a' AND stream_version = 5`);
  const again = await planRepair(ports, { found: [index, copies], allowed: 'all' });
  assert.deepEqual(
    (await apply(ports, again)).steps.map(({ outcome }) => outcome === 'repaired'),
    [false, false],
  );
}

async function plansOnly({ store, exec, dump }: RepairPlace): Promise<void> {
  const vault = await backedUpStore(store);
  await exec(`DELETE FROM eventcore_events WHERE stream_id = 'a' AND stream_version = 4;
    UPDATE eventcore_events SET event_type = 'Broken' WHERE stream_id = 'b' AND stream_version = 5`);
  const before = await dump();
  const objects = await namesIn(vault);
  const findings = [found('a', 'reinstate_events'), found('b', 'put_back_events')];
  const planned = await plan(await portsOf(store, vault), findings);
  assert.deepEqual(
    planned.steps.map(({ kind }) => kind),
    ['put_back_events', 'reinstate_events'],
  );
  assert.deepEqual(await dump(), before);
  assert.deepEqual(await namesIn(vault), objects);
}

async function namesIn(vault: Awaited<ReturnType<typeof backedUpStore>>): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of vault.list('')) names.push(name);
  return names;
}

async function leavesOnlyLive({ store, exec }: RepairPlace): Promise<void> {
  const vault = await backedUpStore(store);
  await exec(`DELETE FROM eventcore_events WHERE stream_id = 'a' AND stream_version = 11`);
  const before = await readAll(store);
  const ports = await portsOf(store, vault);
  const findings = [found('a', 'reinstate_events', { version: '11' }), found('new', 'put_back_events')];
  const planned = await plan(ports, findings);
  assert.deepEqual(
    planned.refusals.map(({ code, streamId }) => [code, streamId]),
    [
      ['not_backed_up', 'a'],
      ['not_backed_up', 'new'],
    ],
  );
  assert.deepEqual([planned.steps, planned.onlyLive], [[], 2]);
  assert.deepEqual(await apply(ports, planned), { repairId: null, steps: [], unrecorded: null });
  assert.deepEqual(await readAll(store), before);
}

async function keepsToWhatIsAllowed({ store, exec }: RepairPlace): Promise<void> {
  const vault = await backedUpStore(store);
  await exec(`DELETE FROM eventcore_events WHERE stream_id = 'a' AND stream_version = 4;
    UPDATE eventcore_events SET event_type = 'Broken' WHERE stream_id = 'b' AND stream_version = 5`);
  const findings = [found('a', 'reinstate_events'), found('b', 'put_back_events')];
  const planned = await plan(await portsOf(store, vault), findings, { allowed: ['reinstate_events'] });
  assert.deepEqual(
    planned.steps.map(({ kind }) => kind),
    ['reinstate_events'],
  );
  assert.deepEqual(
    planned.refusals.map(({ code, kind, streamId }) => [code, kind, streamId]),
    [['not_allowed', 'put_back_events', 'b']],
  );
}

async function leavesCheckpoints({ store, exec }: RepairPlace): Promise<void> {
  const vault = await backedUpStore(store);
  const events = await readAll(store);
  const last = events.filter(({ streamId }) => streamId === 'c').at(-1)!;
  await exec(`DELETE FROM eventcore_events WHERE event_id = '${String(last.id)}';
    INSERT INTO eventcore_subscription_versions (subscription_name, last_position) VALUES ('c', '${String(last.id)}')`);
  const clamp = {
    finding: found('', 'clamp_checkpoint', { streamId: null, object: 'c' }),
    statements: [{ sql: 'DELETE FROM eventcore_subscription_versions', reason: 'it is ahead', before: null }],
  };
  const missing = { finding: found('c', 'reinstate_events'), statements: [] };
  const ports = await portsOf(store, vault);
  const planned = await planRepair(ports, { found: [clamp, missing], allowed: 'all' });
  const result = await apply(ports, planned);
  assert.deepEqual(
    result.steps.map(({ outcome }) => outcome),
    ['repaired', 'repaired'],
  );
  assert.deepEqual(await readAll(store), events);
  assert.equal((await exec('SELECT * FROM eventcore_subscription_versions')).length, 1);
}

async function runsStatements({ store, exec }: RepairPlace): Promise<void> {
  const vault = await backedUpStore(store);
  await exec(`INSERT INTO eventcore_subscription_versions (subscription_name, last_position)
    VALUES ('ahead', 'ffffffff-0000-7000-8000-000000000000')`);
  const ports = await portsOf(store, vault);
  const clamp = found('', 'clamp_checkpoint', { streamId: null, object: 'ahead' });
  const broken = found('', 'advance_sequence', { streamId: null, object: 'nothing' });
  const where = `WHERE subscription_name = 'ahead'`;
  const statement = {
    sql: `UPDATE eventcore_subscription_versions SET last_position = '${OTHER}' ${where}`,
    reason: 'it is ahead',
    before: { sql: `SELECT subscription_name, last_position FROM eventcore_subscription_versions ${where}` },
  };
  const named = (sql: string): string =>
    sql.replaceAll(
      'eventcore_subscription_versions',
      ports.store.address.startsWith('postgres')
        ? 'public.eventcore_subscription_versions'
        : 'eventcore_subscription_versions',
    );
  const planned = await planRepair(ports, {
    allowed: 'all',
    found: [
      {
        finding: clamp,
        statements: [
          { ...statement, sql: named(statement.sql), before: { sql: named(statement.before.sql) } },
        ],
      },
      {
        finding: broken,
        // The first of them does much, and has done nothing when the second one fails.
        statements: ['DELETE FROM eventcore_subscription_versions', 'SELECT no_such_function()'].map(
          (sql) => ({
            ...{ sql: named(sql), reason: 'made up', before: null },
          }),
        ),
      },
    ],
  });
  const result = await apply(ports, planned);
  assert.deepEqual(
    result.steps.map(({ step, outcome }) => [step.kind, outcome === 'repaired']),
    [
      ['advance_sequence', false],
      ['clamp_checkpoint', true],
    ],
  );
  const [row] = await exec('SELECT last_position FROM eventcore_subscription_versions');
  assert.equal(row!.last_position, OTHER);
  const [kept] = await exec('SELECT kind, row_before FROM eventcore_repairs');
  assert.equal(kept!.kind, 'clamp_checkpoint');
  const before = typeof kept!.row_before === 'string' ? JSON.parse(kept!.row_before) : kept!.row_before;
  assert.equal(before.last_position, 'ffffffff-0000-7000-8000-000000000000');
}

async function recordsInVault({ store, exec }: RepairPlace): Promise<void> {
  const vault = await backedUpStore(store);
  await exec(`DELETE FROM eventcore_events WHERE stream_id = 'a' AND stream_version = 4`);
  const ports = await portsOf(store, vault);
  const { repairId } = await apply(ports, await plan(ports, [found('a', 'reinstate_events')]));
  assert.deepEqual((await plan(ports, [])).unfinished, []);
  const names = (await namesIn(vault)).filter((name) => name.startsWith(REPAIRS_PREFIX));
  assert.equal(names.length, 2);
  const records = await Promise.all(
    names.map(async (name) => decodeRepairRecord(await readObject(vault, name))),
  );
  assert.deepEqual(
    records.map((record) => [record?.state, record?.repairId, record?.steps]),
    [
      ['done', repairId, [{ kind: 'reinstate_events', count: 1, outcome: 'repaired' }]],
      ['intended', repairId, [{ kind: 'reinstate_events', count: 1 }]],
    ],
  );
}

async function keepsAppends({ store, exec }: RepairPlace): Promise<void> {
  const vault = await backedUpStore(store);
  const before = (await readAll(store)).filter(({ streamId }) => streamId === 'b');
  await exec(`UPDATE eventcore_events SET event_type = 'Broken' WHERE stream_id = 'b' AND stream_version = 5;
    DELETE FROM eventcore_events WHERE stream_id = 'b' AND stream_version = 2`);
  const ports = await portsOf(store, vault);
  const planned = await plan(ports, [found('b', 'put_back_events')]);
  const appending = Array.from({ length: 5 }, (_, i) =>
    store.append([{ streamId: 'b', events: numbered(1, 100 + i) }]).then(
      () => 1,
      () => 0,
    ),
  );
  const result = await apply(ports, planned);
  const appended = (await Promise.all(appending)).reduce<number>((sum, one) => sum + one, 0);
  assert.deepEqual(
    result.steps.map(({ outcome }) => outcome),
    ['repaired', 'repaired'],
  );
  const after = (await readAll(store)).filter(({ streamId }) => streamId === 'b');
  assert.deepEqual(after.slice(0, before.length), before);
  assert.deepEqual(
    after.map(({ version }) => version),
    Array.from({ length: before.length + appended }, (_, i) => i + 1),
  );
}

async function onlyOne({ store, exec }: RepairPlace): Promise<void> {
  const vault = await backedUpStore(store);
  const before = await readAll(store);
  await exec(
    `UPDATE eventcore_events SET event_type = 'Broken' WHERE stream_id = 'b' AND stream_version = 5`,
  );
  const ports = await portsOf(store, vault);
  const planned = await plan(ports, [found('b', 'put_back_events')]);
  const session = await store.openRepair({ repairId: crypto.randomUUID() });
  const refused = await apply(ports, planned);
  await session.discard();
  assert.deepEqual(
    refused.steps.map(({ outcome }) => outcome),
    ['refused'],
  );
  // Whoever let go is not in the way of who comes next, however soon.
  for (let i = 0; i < 20; i += 1) await (await store.openRepair({ repairId: crypto.randomUUID() })).discard();
  assert.deepEqual(
    (await apply(ports, planned)).steps.map(({ outcome }) => outcome),
    ['repaired'],
  );
  assert.deepEqual(await readAll(store), before);
}

async function staysAside({ store, exec }: RepairPlace): Promise<void> {
  const vault = await backedUpStore(store);
  await exec(
    `UPDATE eventcore_events SET event_type = 'Broken' WHERE stream_id = 'b' AND stream_version = 5`,
  );
  const ports = await portsOf(store, vault);
  const { repairId } = await apply(ports, await plan(ports, [found('b', 'put_back_events')]));
  const kept = [['put_back_events', 'b', '5']];
  const events = await readAll(store);
  assert.deepEqual(await readCompanions(store), []);
  const full = await backUp(store, vault);
  assert.ok(full.manifest.files.every(({ role }) => role !== 'companions'));
  await restoreBackup({ target: store, vault, clock: testClock }, await newestChain(vault), {
    ...{ replace: true, checkpoints: 'keep', parallel: 1 },
  });
  assert.deepEqual(await readAll(store), events);
  assert.deepEqual(await keptRows(exec, repairId), kept);
  await store.clear();
  assert.deepEqual(await keptRows(exec, repairId), kept);
}
