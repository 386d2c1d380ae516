import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Finding } from '../../src/core/finding.ts';
import { makeFolder } from '../harness/command.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';
import type { Damage } from './damage.ts';
import { EVENT_DAMAGE } from './store/events.ts';
import { monitor, type Run, reasonsOf, summarise } from './store/look.ts';
import { POSTGRES_CATALOG_DAMAGE } from './store/postgres-catalog.ts';
import { POSTGRES_FILE_DAMAGE } from './store/postgres-files.ts';
import {
  makePostgresOriginal,
  makeSqliteOriginal,
  type StoreOriginal,
  type StoreSpecimen,
} from './store/specimen.ts';
import { SQLITE_DAMAGE } from './store/sqlite.ts';
import { type StoreState, stateOf } from './store/state.ts';

describe('the laboratory of damaged stores', { concurrency: false }, () => {
  let folder: string;
  let remove: () => Promise<void>;
  let server: TestPostgres;
  let postgres: StoreOriginal;
  let sqlite: StoreOriginal;

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    server = await startPostgres({ withoutChecksums: true });
    postgres = await makePostgresOriginal(server, { folder: join(folder, 'postgres') });
    sqlite = await makeSqliteOriginal({ folder: join(folder, 'sqlite') });
  });
  after(async () => {
    await server.stop();
    await remove();
  });

  const kinds = [...EVENT_DAMAGE, ...POSTGRES_CATALOG_DAMAGE, ...POSTGRES_FILE_DAMAGE];
  describe('PostgreSQL', () => examine(kinds, () => postgres));
  describe('SQLite', () => examine([...EVENT_DAMAGE, ...SQLITE_DAMAGE], () => sqlite));
});

function examine(kinds: readonly Damage<StoreSpecimen>[], original: () => StoreOriginal): void {
  it('nothing is found in a store that is well, whatever gaps it always had', async () => {
    const run = await monitor(await original().copy(), '--all');
    assert.deepEqual([run.findings, run.skipped], [[], []]);
  });

  for (const damage of kinds) it(damage.name, async () => examineOne(await original().copy(), damage));
}

/** What one repair brings to light, the next one puts right. */
const MOST_REPAIRS = 2;

async function examineOne(specimen: StoreSpecimen, { does, expect }: Damage<StoreSpecimen>): Promise<void> {
  const before = await stateOf(specimen);
  const words = await does(specimen);
  const damaged = await tryState(specimen);
  const run = await monitor(specimen, '--all', '--repair', '--apply');
  const { mayAlso } = expect;
  const others = run.findings.filter(({ check }) => !expect.reports.includes(check));
  const isExpected = ({ check, message }: Finding): boolean => mayAlso?.test(`${check}: ${message}`) === true;
  assert.deepEqual(
    others.filter((finding) => !isExpected(finding)),
    [],
    shown(run),
  );
  const missing = expect.reports.filter((report) => !summarise(run).includes(report));
  assert.deepEqual(missing, [], shown(run));
  assert.equal(run.findings.find(({ check }) => check === expect.reports[0])?.rung, expect.rung, shown(run));
  const said = JSON.stringify(run.findings);
  for (const word of words) assert.ok(said.includes(word), `${word} is not named: ${said}`);
  if (expect.repair.outcome === 'repaired') return assertRepaired(specimen, run, before, expect.differs);
  assert.ok(expect.repair.outcome === 'refused');
  assert.match(reasonsOf(run), expect.repair.reason);
  if (expect.repair.butDoes !== undefined) return;
  assert.deepEqual(await tryState(specimen), damaged, 'a refusal changes nothing');
}

async function assertRepaired(
  specimen: StoreSpecimen,
  first: Run,
  before: StoreState,
  differs: string | undefined,
): Promise<void> {
  let last = first;
  for (let repairs = 1; (last.after ?? last).findings.length > 0 && repairs < MOST_REPAIRS; repairs += 1)
    last = await monitor(specimen, '--all', '--repair', '--apply');
  assert.deepEqual((last.after ?? last).findings, [], shown(last));
  if (differs === undefined) assert.deepEqual(await stateOf(specimen), before, shown(last));
}

/** A store that cannot be read is not to be compared. */
async function tryState(specimen: StoreSpecimen): Promise<StoreState | null> {
  try {
    return await stateOf(specimen);
  } catch {
    return null;
  }
}

function shown({ findings, skipped, repair, after: behind }: Run): string {
  const lines = (found: Run['findings']): string[] =>
    found.map(({ check, streamId, version, object, repair: kind, message }) =>
      [check, streamId, version, object, kind, message].join(' | '),
    );
  const steps = repair?.done?.map(({ kind, outcome, reason }) => `${kind} ${outcome} ${reason}`) ?? [];
  const refusals = repair?.refusals.map(({ code, reason }) => `${code} ${reason}`) ?? [];
  const parts = [
    lines(findings),
    skipped,
    steps,
    refusals,
    behind === undefined ? [] : lines(behind.findings),
  ];
  return parts.map((part) => part.slice(0, 12).join('\n')).join('\n--\n');
}
