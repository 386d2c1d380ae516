import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { allContenders, chooseContenders, missingProgram } from '../../bench/contenders/all.ts';
import { NEW_EVENTS, shell, WORKS } from '../../bench/contenders/contender.ts';
import { measure } from '../../bench/measure.ts';
import { readOptions } from '../../bench/options.ts';

const all = allContenders('/nowhere');

describe('contenders', () => {
  it('have names of their own, inputs that there are, and one baseline a work at most', () => {
    const names = all.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length);
    for (const { input } of all) assert.ok(input === undefined || names.includes(input), input);
    const baselinesOf = (work: string) => all.filter((one) => one.work === work && one.role === 'baseline');
    for (const work of WORKS) assert.ok(baselinesOf(work).length <= 1, work);
    // Nothing else takes an incremental backup of a SQLite store, or restores one stream.
    const alone = WORKS.filter((work) => baselinesOf(work).length === 0);
    assert.deepEqual(alone, ['restore of one stream', 'SQLite: incremental backup']);
  });

  it('are chosen by parts of their names, or by the whole name', () => {
    const names = (parts: string[]) => chooseContenders(all, parts).map(({ name }) => name);
    assert.deepEqual(names(['pg_DUMP']), ['pg_dump -Fc', 'pg_dump -Fc -Z1', 'pg_dump -Fd -j2']);
    assert.deepEqual(names(['=backup', '=verify']), ['backup', 'verify']);
    assert.equal(names([]).length, all.length);
    assert.throws(() => names(['pg_dumb']), /no contender is called pg_dumb; there are: backup;/);
  });

  it('find as much new as each other when they take an incremental backup, or nothing', () => {
    const incremental = all.filter(({ work }) => work.endsWith('incremental backup'));
    for (const { name, newEvents } of incremental) {
      assert.equal(newEvents, name.endsWith('nothing new') ? undefined : NEW_EVENTS, name);
    }
    const others = all.filter((one) => !incremental.includes(one));
    assert.deepEqual(
      others.filter(({ newEvents }) => newEvents !== undefined),
      [],
    );
  });

  it('miss a program of their own, or one of what they work on', () => {
    const missing = (name: string) => missingProgram(chooseContenders(all, [`=${name}`])[0]!, all);
    assert.equal(missing('backup'), null);
    assert.equal(missing('pg_dump -Fc'), '/nowhere/pg_dump');
    assert.equal(missing('pg_restore -j2'), '/nowhere/pg_restore');
    const needsDump = { ...chooseContenders(all, ['=pg_restore -j2'])[0]!, needs: [] };
    assert.equal(missingProgram(needsDump, all), '/nowhere/pg_dump');
  });
});

describe('measuring', () => {
  // By its own clock: on a busy machine it gets less of a second than a second.
  const spin = 'while (process.cpuUsage().user < 300_000);';
  const hold = `const held = Buffer.alloc(60 << 20, 1); setTimeout(() => held, 400);`;

  it('counts the time of a command and of its children, and their memory together', async () => {
    const line = '"$1" -e "$2" & "$1" -e "$3" & "$1" -e "$3" & wait';
    const measured = await measure(shell(line, [process.execPath, spin, hold]), null);
    assert.ok(measured.wallSeconds >= 0.4, `${measured.wallSeconds} s`);
    assert.ok(measured.clientCpuSeconds >= 0.25, `${measured.clientCpuSeconds} s of CPU`);
    assert.ok(measured.peakMiB >= 150, `${measured.peakMiB} MiB`);
    assert.equal(measured.serverCpuSeconds, 0);
  });

  it('fails with what was printed when a command fails, anywhere in a pipeline', async () => {
    await assert.rejects(measure(shell('echo lost >&2; exit 3', []), null), /ended with 3: lost/);
    await assert.rejects(measure(shell('false | true', []), null), /ended with 1/);
    await assert.rejects(measure({ program: '/nowhere/at-all', args: [] }, null), /ENOENT/);
  });
});

describe('the options of the benchmark', () => {
  it('have defaults, and names with spaces between them', () => {
    assert.deepEqual(readOptions([]), {
      ...{ events: 1_000_000, runs: 3, only: [], json: null, publish: false, check: false, profile: null },
    });
    const { only, events } = readOptions(['--events', '10M', '--only', 'backup', 'verify']);
    assert.deepEqual({ only, events }, { only: ['backup', 'verify'], events: 10_000_000 });
  });

  it('refuse what is no number, and what is no option', () => {
    assert.throws(() => readOptions(['--events', 'many']), /many is no number of events/);
    assert.throws(() => readOptions(['2M']), /what is 2M/);
    assert.throws(() => readOptions(['--evnets', '2M']));
  });
});
