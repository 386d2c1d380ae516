import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  fillStore,
  makeFolder,
  type Ran,
  type RunHereOptions,
  runHere,
  withStoreAt,
} from '../harness/command.ts';

const ESCAPE = '\u001b';

describe('what the command prints', () => {
  let folder: string;
  let remove: () => Promise<void>;
  const places = ['--store', 'sqlite:events.db', '--vault', 'vault'];
  const eventcore = (words: readonly string[], options?: RunHereOptions): Promise<Ran> =>
    runHere([...words, ...places], options);

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    process.chdir(folder);
    await fillStore(`sqlite:${folder}/events.db`, 1000);
    const ran = await eventcore(['backup', 'full']);
    assert.equal(ran.code, 0, ran.stderr);
  });
  after(() => {
    process.chdir('/');
    return remove();
  });

  const commands = [
    ['backup', 'full'],
    ['list'],
    ['verify'],
    ['restore', '--to', 'sqlite:colours.db', '--replace'],
    ['demo', '--events', '50'],
  ];
  for (const words of commands) {
    it(`has colours and progress on a terminal only: ${words[0]}`, async () => {
      const plain = await eventcore(words);
      assert.equal(plain.code, 0, plain.stderr);
      assert.ok(!(plain.stdout + plain.stderr).includes(ESCAPE));
      assert.equal(plain.stderr, '');
      const onTerminal = await eventcore(words, { onTerminal: true });
      assert.ok(onTerminal.stdout.includes(`${ESCAPE}[`));
      const noColor = await eventcore(words, { onTerminal: true, env: { NO_COLOR: '1' } });
      assert.ok(!noColor.stdout.includes(ESCAPE));
    });
  }

  it('shows progress on stderr, and gives the cursor back', async () => {
    const { stderr, stdout } = await eventcore(['backup', 'full'], { onTerminal: true });
    assert.match(stderr, /reading events {2}█+ {2}100 % {2}1,000 events/);
    assert.match(stderr, /verifying/);
    assert.ok(stderr.lastIndexOf(`${ESCAPE}[?25h`) > stderr.lastIndexOf(`${ESCAPE}[?25l`));
    assert.ok(!stdout.includes('█'));
  });

  for (const flag of ['--no-progress', '--quiet', '--json']) {
    it(`shows no progress with ${flag}`, async () => {
      const { stderr } = await eventcore(['backup', 'full', flag], { onTerminal: true });
      assert.equal(stderr, '');
    });
  }

  it('is nothing with --quiet, but for what was asked for', async () => {
    for (const words of [['backup', 'full'], ['verify'], ['init', '--force'], ['demo', '--events', '10']]) {
      assert.deepEqual(await eventcore([...words, '--quiet']), { code: 0, stdout: '', stderr: '' });
    }
    assert.match((await eventcore(['list', '--quiet'])).stdout, /backups in/);
  });

  for (const words of [...commands, ['init', '--force']]) {
    it(`is one JSON document with --json: ${words[0]}`, async () => {
      const { code, stdout, stderr } = await eventcore([...words, '--json'], { onTerminal: true });
      assert.deepEqual([code, stderr], [0, '']);
      assert.equal(stdout.trimEnd().split('\n').length, 1);
      assert.equal(typeof JSON.parse(stdout), 'object');
    });
  }

  it('has the steps in the log when asked: plain, or JSON lines with --json', async () => {
    const plain = await eventcore(['backup', 'full', '--log-level', 'info']);
    assert.match(plain.stderr, /^info: reading events\ninfo: verifying\n$/);
    const json = await eventcore(['backup', 'full', '--log-level', 'info', '--json']);
    const lines = json.stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      lines.map(({ level, message }) => `${level} ${message}`),
      ['info reading events', 'info verifying'],
    );
    assert.match(lines[0].time, /^\d{4}-.*Z$/);
  });

  const verbs = [
    [],
    ['init'],
    ['backup'],
    ['backup', 'full'],
    ['list'],
    ['show'],
    ['verify'],
    ['restore'],
    ['export'],
    ['demo'],
  ];
  for (const words of verbs) {
    it(`has help with examples and exit codes: eventcore ${words.join(' ')}`, async () => {
      const { code, stdout, stderr } = await runHere([...words, '--help']);
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, /^Usage: eventcore/);
      assert.match(stdout, /\nEXAMPLES\n {2}eventcore /);
      assert.match(stdout, /\nEXIT STATUS\n +0 {2}done/);
      for (const option of [
        '--json',
        '--quiet',
        '--no-progress',
        '--log-level',
        '--config',
        '--store',
        '--vault',
      ]) {
        assert.ok(stdout.includes(`${option} `), option);
      }
    });
  }

  it('is the same help with `eventcore help`', async () => {
    const [asked, flagged] = [await runHere(['help', 'verify']), await runHere(['verify', '--help'])];
    assert.deepEqual(asked, flagged);
  });

  it('lets no name of a stream steer the terminal', async () => {
    await withStoreAt('sqlite:odd.db', async (store) => {
      await store.initialise();
      await store.append([{ streamId: 'a\u001b[2Jb\nc', events: [{ type: 'Named', data: '{}' }] }]);
    });
    const odd = ['--store', 'sqlite:odd.db', '--vault', 'odd-vault'];
    const { backupId } = JSON.parse((await runHere(['backup', 'full', '--json', ...odd])).stdout);
    const { stdout } = await runHere(['show', backupId, '--streams', ...odd]);
    assert.match(stdout, /1–1 +a\\u\{1b\}\[2Jb\\u\{a\}c\n$/);
    const asJson = await runHere(['show', backupId, '--streams', '--json', ...odd]);
    assert.equal(JSON.parse(asJson.stdout).streams[0].streamId, 'a\u001b[2Jb\nc');
  });

  it('names a backup once that was asked for twice', async () => {
    const { backups } = JSON.parse((await eventcore(['list', '--json'])).stdout);
    const { backupId } = backups[0];
    const { stdout } = await eventcore(['verify', backupId, backupId.slice(0, 12), '--json']);
    assert.equal(JSON.parse(stdout).backups.length, 1);
  });

  it('is the version, and nothing else, with --version', async () => {
    assert.match((await runHere(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
  });
});
