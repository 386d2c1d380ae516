/** The units, as systemd itself reads them; and their commands, as the command line does. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { assertCommands, namedCommands } from '../harness/named-commands.ts';

const FOLDER = join(import.meta.dirname, '../../deploy/systemd');
const UNITS = globSync('*.{service,timer}', { cwd: FOLDER }).sort();
/** Of systemd's own scale, from 0 to 10: a service without any of this has 9.6. */
const WORST_EXPOSURE = 2;
const PROGRAM = '/usr/local/bin/eventcore';

const read = (name: string): string => readFileSync(join(FOLDER, name), 'utf8');
const valuesOf = (text: string, key: string): string[] =>
  [...text.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value]) => value!);

function analyze(words: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', words, {
    ...{ encoding: 'utf8', env: { ...process.env, ...env } },
  });
  return { status, said: `${stdout}${stderr}`.trim() };
}

const skip = analyze(['--version']).status === 0 ? false : 'there is no systemd-analyze here';

describe('the units, to systemd', { skip }, () => {
  let place: string;
  before(() => {
    place = mkdtempSync(join(tmpdir(), 'eventcore-units-'));
    cpSync(FOLDER, place, { recursive: true });
    for (const name of globSync('*.service', { cwd: place })) {
      // systemd wants a program that is there.
      writeFileSync(join(place, name), read(name).replaceAll(PROGRAM, process.execPath));
    }
    mkdirSync(join(place, 'eventcore.service.d'));
    cpSync(join(place, 'credentials.conf'), join(place, 'eventcore.service.d/credentials.conf'));
  });
  after(() => rmSync(place, { recursive: true, force: true }));

  const verify = (...names: string[]) => {
    const paths = names.map((name) => join(place, name));
    return analyze(['verify', '--man=no', ...paths], { SYSTEMD_UNIT_PATH: `${place}:` });
  };

  it('are sound, with their drop-ins', () => {
    assert.deepEqual(verify(...UNITS), { status: 0, said: '' });
  });

  it('leave a service hardly anything that it could do', () => {
    for (const name of UNITS.filter((unit) => unit.endsWith('.service'))) {
      const words = [
        'security',
        '--offline=true',
        '--no-pager',
        `--threshold=${WORST_EXPOSURE * 10}`,
        join(place, name),
      ];
      const { status, said } = analyze(words, { SYSTEMD_UNIT_PATH: `${place}:` });
      assert.equal(status, 0, `${name}: ${said.split('\n').at(-1)}`);
    }
  });

  it('with a mistake in them are refused', () => {
    writeFileSync(
      join(place, 'eventcore-wrong.service'),
      read('eventcore.service').replace('UMask=', 'UMsk='),
    );
    assert.match(verify('eventcore-wrong.service').said, /Unknown key (?:name )?'UMsk'/);
  });

  it('begin at times that exist', () => {
    for (const name of UNITS.filter((unit) => unit.endsWith('.timer'))) {
      const [calendar] = valuesOf(read(name), 'OnCalendar');
      assert.equal(analyze(['calendar', calendar!]).status, 0, `${name}: ${calendar}`);
    }
  });
});

describe('the units', () => {
  it('give all services the same limits', () => {
    const limits = (name: string): string[] =>
      read(name).split('# What it may do')[1]!.split('[Install]')[0]!.trim().split('\n');
    assert.deepEqual(limits('eventcore-.service.d/hardening.conf'), limits('eventcore.service'));
  });

  it('run commands that there are', async () => {
    const lines = UNITS.flatMap((name) => valuesOf(read(name), 'ExecStart'));
    assert.ok(lines.every((line) => line.startsWith(`${PROGRAM} `)));
    const commands = lines.map((line) => `    eventcore ${line.slice(PROGRAM.length + 1)}`);
    await assertCommands(namedCommands(commands.join('\n')));
  });

  it('have a service for each timer', () => {
    for (const name of UNITS.filter((unit) => unit.endsWith('.timer'))) {
      assert.ok(UNITS.includes(name.replace('.timer', '.service')), name);
    }
  });
});
