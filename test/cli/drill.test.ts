import assert from 'node:assert/strict';
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { CANARY, DRILL_TESTS } from '../../src/core/drill.ts';
import type { Check } from '../../src/doctor/check.ts';
import { digestAt } from '../harness/command.ts';
import { type DrillWorld, flipBit, makeDrillWorld, REGIONS } from '../harness/drill-world.ts';

interface Listed {
  readonly total: number;
  readonly lastPassedAt: string | null;
  readonly drills: readonly {
    readonly drillId: string;
    readonly problem: string | null;
    readonly overallSuccess: boolean;
  }[];
}

describe('eventcore drill', () => {
  let world: DrillWorld;
  before(async () => {
    world = await makeDrillWorld();
  });
  after(() => world.remove());

  const json = async <Document>(words: readonly string[], code = 0): Promise<Document> => {
    const ran = await world.run([...words, '--json']);
    assert.equal(ran.code, code, ran.stdout + ran.stderr);
    return JSON.parse(ran.stdout) as Document;
  };
  const list = (code = 0) => json<Listed>(['drill', 'list'], code);
  const drillsCheck = async (): Promise<Check> => {
    const { checks } = JSON.parse((await world.run(['doctor', '--json'])).stdout) as { checks: Check[] };
    return checks.find(({ name }) => name === 'drills')!;
  };

  it('passes where all is well, writes nothing but evidence, and leaves store and backups as they are', async () => {
    assert.equal((await drillsCheck()).verdict, 'skipped');
    assert.match((await world.run(['drill', 'list'])).stdout, /No drill was made yet/);
    assert.equal((await world.run(['drill', 'show'])).code, 3);
    const objects = globSync('{vault,near}/**', { cwd: world.path });
    const digest = await digestAt(world.store);
    const ran = await world.run(['drill', '--target', `sqlite:${world.path}`]);
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    assert.match(ran.stdout, /^Drill passed, in /);
    for (const name of [...DRILL_TESTS, CANARY]) assert.match(ran.stdout, new RegExp(`${name} +passed`));
    const added = globSync('{vault,near}/**', { cwd: world.path }).filter((name) => !objects.includes(name));
    assert.deepEqual(added.map((name) => name.replace(/\d{8}T\d{9}Z-[0-9a-f-]{36}/, 'X')).sort(), [
      'vault/drills',
      'vault/drills/X.html',
      'vault/drills/X.json',
    ]);
    assert.equal(await digestAt(world.store), digest);
  });

  it('lists what was measured, and why a test did not run', async () => {
    const { drills } = await json<{ drills: Record<string, unknown>[] }>(['drill', 'list']);
    const [{ fullRestoreMs, recoverableAgeMs, eventsAtRisk, ...drill }] = drills as [Record<string, unknown>];
    assert.ok(Number(fullRestoreMs) > 0);
    assert.ok(Number(recoverableAgeMs) > 0 && Number(drill.durationMs) > 0);
    assert.deepEqual([eventsAtRisk, drill.objectives, drill.reasons], [0, [], {}]);
  });

  it('is due again when its time has come, and not before', async () => {
    world.configure(`${REGIONS}drill: { full_restore_test_frequency: 7d }\n`);
    const second = await world.drill();
    assert.equal(second.states.full_restore, 'not_due');
    assert.match(second.reasons.full_restore!, /one passed less than a day ago/);
    assert.equal(second.code, 0);
    const forced = await world.drill(['--full', '--only', 'full_restore']);
    assert.deepEqual(forced.states, { full_restore: 'passed', negative_canary: 'passed' });
    const nothing = await world.drill(['--only', 'full_restore']);
    assert.deepEqual([nothing.code, nothing.overallSuccess, nothing.failed], [4, false, []]);
  });

  it('lists and shows what past drills proved, and that it was not changed', async () => {
    const { total, drills, lastPassedAt } = await list();
    assert.equal(total, 4);
    assert.deepEqual(
      drills.map(({ overallSuccess, problem }) => [overallSuccess, problem]),
      [
        [false, null],
        [true, null],
        [true, null],
        [true, null],
      ],
    );
    assert.ok(lastPassedAt !== null);
    const shown = await json<Record<string, unknown>>(['drill', 'show', drills[1]!.drillId.slice(0, 12)]);
    assert.deepEqual([shown.previousState, shown.reportWhole, shown.problems], ['follows', true, []]);
    const text = (await world.run(['drill', 'show', drills[3]!.drillId])).stdout;
    assert.match(text, /it is the first one of this vault/);
    assert.match(text, /signature +unsigned/);
    assert.equal((await world.run(['drill', 'show', 'ffffffff'])).code, 3);
    assert.match((await world.run(['drill', 'list', '--limit', '2'])).stdout, /and 2 drills before/);
  });

  it('tells evidence that was changed, removed, or whose report was', async () => {
    const { drills } = await list();
    const [newest, forced] = drills;
    const fileOf = (id: string, kind: string): string => world.file('vault', `drills/*-${id}.${kind}`);
    const damaged = fileOf(forced!.drillId, 'json');
    const bytes = readFileSync(damaged);
    rmSync(damaged);
    writeFileSync(damaged, bytes.toString().replace('"passed"', '"failed"'));
    const after = await list(4);
    assert.deepEqual(
      after.drills.map(({ problem }) => problem !== null),
      [true, true, false, false],
    );
    assert.match(after.drills[1]!.problem!, /does not have its checksum/);
    assert.match(after.drills[0]!.problem!, /is not what it was/);
    rmSync(damaged);
    assert.match((await world.run(['drill', 'show', newest!.drillId])).stdout, /which it follows, is gone/);
    writeFileSync(damaged, bytes);
    assert.equal((await list()).drills.length, 4);
    writeFileSync(fileOf(newest!.drillId, 'html'), 'all is well');
    const shown = await world.run(['drill', 'show']);
    assert.equal(shown.code, 4);
    assert.match(shown.stdout, /is not the report that was written with it/);
  });

  it('has the doctor say when the last one that passed is too old, and when the newest failed', async () => {
    assert.match((await drillsCheck()).message, /the newest one failed/);
    assert.equal((await world.drill()).code, 0);
    assert.equal((await drillsCheck()).verdict, 'good');
    world.configure(`${REGIONS}objectives: { drilled_within: 1s }\n`);
    await new Promise((resolve) => setTimeout(resolve, 1100));
    const late = await drillsCheck();
    assert.deepEqual([late.verdict, late.code], ['bad', 'verification_failed']);
    assert.match(late.message, /the policy says drilled_within 1s/);
    world.configure(REGIONS);
  });

  it('keeps what a failed test had restored, where that is wanted, and sweeps it never', async () => {
    world.configure(`${REGIONS}drill: { checks: [{ name: no, sql: "SELECT 1", expect: 2 }] }\n`);
    const drilled = await world.drill(['--only', 'full_restore', '--keep-on-failure', '--full']);
    assert.deepEqual(drilled.failed, ['full_restore']);
    const kept = drilled.notes.find((note) => note.startsWith('kept of full_restore'))!;
    const address = kept.slice(kept.indexOf('sqlite:'));
    assert.equal(await digestAt(address), await digestOfNewestBackup(world));
    world.configure(REGIONS);
    await world.drill(['--only', 'backup_verification']);
    assert.equal(globSync('eventcore-kept-drill-*', { cwd: world.path }).length, 1);
    rmSync(join(world.path, globSync('eventcore-kept-drill-*', { cwd: world.path })[0]!), {
      recursive: true,
    });
  });

  it('restores the backup that is named, the oldest, or any', async () => {
    const ids = globSync('vault/backups/*', { cwd: world.path }).map(
      (name) => /backup-([0-9a-f-]{36})/.exec(name)![1]!,
    );
    const restoredBy = async (...words: string[]): Promise<string> => {
      const { measurements } = await world.drill(['--only', 'full_restore', '--full', ...words]);
      return measurements.restores[0]!.backupId;
    };
    for (const id of ids) assert.equal(await restoredBy('--backup', id.slice(0, 8)), id);
    const oldest = await restoredBy('--select', 'oldest');
    assert.notEqual(oldest, await restoredBy());
    assert.ok(ids.includes(await restoredBy('--select', 'random')));
  });

  it('drills what another region has, and leaves its evidence there', async () => {
    const drilled = await world.drill(['--region', 'near', '--only', 'cross_region_restore', '--full']);
    assert.equal(drilled.code, 0);
    assert.deepEqual(
      drilled.measurements.restores.map(({ region }) => region),
      ['here'],
    );
    assert.equal(globSync('near/drills/*.json', { cwd: world.path }).length, 1);
  });

  it('compares with no store where that is lost, and drills the vault all the same', async () => {
    const lost = await world.drill(['--store', 'sqlite:/nowhere/at-all.db', '--only', 'partial_restore']);
    assert.equal(lost.code, 0);
    assert.match(lost.stderr, /nothing is compared with it/);
  });

  it('folds streams of both stores to state, and compares it', async () => {
    const fold = `export const initialState = { cents: 0 };
export const streams = /^order-1/;
export const evolve = (state, { data }) => ({ cents: state.cents + data.cents });\n`;
    writeFileSync(join(world.path, 'fold.mjs'), fold);
    world.configure(`${REGIONS}drill: { checks: [{ module: fold.mjs }] }\n`);
    assert.equal((await world.drill(['--only', 'full_restore', '--full'])).code, 0);
    world.configure(`${REGIONS}drill: { checks: [{ module: missing.mjs }] }\n`);
    const missing = await world.drill(['--only', 'full_restore', '--full']);
    assert.match(missing.reasons.full_restore!, /missing\.mjs cannot fold .*cannot be loaded/);
    world.configure(REGIONS);
  });

  it('never touches the store itself, and says what a target is', async () => {
    const refused = async (target: string, reason: RegExp): Promise<void> => {
      const ran = await world.run(['drill', '--target', target]);
      assert.equal(ran.code, 2, ran.stderr);
      assert.match(ran.stderr, reason);
      assert.match(ran.stderr, /\nhint: /);
    };
    await refused(world.store, /is the configured store: no drill touches it/);
    await refused('sqlite:./nowhere', /is no folder in which a drill could make its files/);
    await refused('mysql://x/y', /not the address of a store/);
  });

  it('refuses words and settings that it does not know, with those that it does', async () => {
    const flags: [readonly string[], RegExp][] = [
      [['--only', 'nothing'], /Tests are backup_creation, /],
      [['--sample', '101'], /from 0 to 100/],
      [['--select', 'best'], /newest, random, oldest/],
      [['--deadline', 'soon'], /span of time/],
    ];
    for (const [words, reason] of flags) {
      const ran = await world.run(['drill', ...words]);
      assert.equal(ran.code, 2);
      assert.match(ran.stderr, reason);
    }
    const settings: [string, RegExp][] = [
      [
        'drill: { frequency: 1d }',
        /unknown key `drill.frequency`\nhint: allowed in `drill`: test_frequency, full/,
      ],
      ['drill: { sample_restore_percentage: 200 }', /drill\.sample_restore_percentage/],
      ['drill: { heartbeat_url: "file:///etc/passwd" }', /an address of http or https/],
      ['drill: { checks: [{ name: a, sql: "SELECT 1" }] }', /expected name, sql and expect, or module/],
      ['objectives: { rtos: 1h }', /allowed in `objectives`: rpo, region_rpo, rto, drilled_within/],
    ];
    for (const [section, reason] of settings) {
      world.configure(section.startsWith('objectives') ? `${REGIONS}${section}\n` : `${section}\n`);
      const ran = await world.run(['drill']);
      assert.equal(ran.code, 2, section);
      assert.match(ran.stderr, reason);
    }
    world.configure(REGIONS);
  });

  it('ends with 3 where the backup that was named is not there, and with 4 where none is', async () => {
    mkdirSync(join(world.path, 'nothing'));
    const vault = ['--vault', join(world.path, 'nothing')];
    const of = (...words: string[]) => world.run(['drill', '--only', 'full_restore', ...vault, ...words]);
    const none = await of();
    assert.equal(none.code, 4, none.stdout + none.stderr);
    assert.match(none.stdout, /^Drill failed: .*\n(.*\n)+ +full_restore +failed .* no backup in file:/);
    const quiet = await of('--quiet', '--json');
    assert.deepEqual(
      [quiet.code, JSON.parse(quiet.stderr).error?.code ?? quiet.stderr],
      [4, 'verification_failed'],
    );
    const unknown = await world.run(['drill', '--only', 'full_restore', '--backup', 'ffff']);
    assert.equal(unknown.code, 3, unknown.stdout + unknown.stderr);
    // What failed otherwise besides is a proof that failed.
    const damaged = world.copy();
    try {
      flipBit(damaged.file('vault', 'log/**/*.log'));
      const both = ['--only', 'point_in_time_recovery', '--only', 'full_restore', '--backup', 'ffff'];
      const ran = await damaged.run(['drill', ...both]);
      assert.equal(ran.code, 4, ran.stdout + ran.stderr);
    } finally {
      damaged.remove();
    }
  });
});

async function digestOfNewestBackup(world: DrillWorld): Promise<string> {
  const target = `sqlite:${join(world.path, 'newest.db')}`;
  const backup = /incremental-backup-([0-9a-f-]{36})/.exec(
    world.file('vault', 'backups/incremental-*/manifest.json'),
  )![1]!;
  await world.succeed(['restore', '--to', target, '--backup', backup]);
  return digestAt(target);
}
