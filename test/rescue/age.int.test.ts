/** The real `age` command (Debian's package `age`) opens what was sealed, and brings a vault home with the rescue script. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeFolder, runHere, withStoreAt } from '../harness/command.ts';
import { SCRIPT } from './run-rescue.ts';

const PASSPHRASE = 'seven dice and a spare';
const DOCUMENTED = join(import.meta.dirname, '../../docs/rescue.md');

const isThere = spawnSync('age', ['--version']).status === 0;
const skip = isThere ? false : 'there is no `age` on the PATH: apt-get install age';
if (!isThere) console.error(`THE REAL age IS NOT TESTED: ${skip}`);

interface Shelled {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

describe('with the real age command', { skip }, () => {
  let folder: string;
  let remove: () => Promise<void>;
  /** All events of the vault, as `eventcore export` writes them. */
  let expected: string;
  let store: string[];
  const at = (name: string): string => join(folder, name);

  /** As somebody types it. `RESCUE` stands for the script. */
  function shell(line: string): Shelled {
    const env = { ...process.env, RESCUE: SCRIPT, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
    const { status, stdout, stderr } = spawnSync('bash', ['-c', line], {
      cwd: folder,
      env,
      encoding: 'utf8',
    });
    return { code: status, stdout, stderr };
  }

  async function eventcore(...words: string[]): Promise<string> {
    const ran = await runHere([...words, '--vault', at('vault')]);
    assert.equal(ran.code, 0, ran.stderr);
    return ran.stdout;
  }

  async function append(events: number): Promise<void> {
    await withStoreAt(`sqlite:${at('events.db')}`, async (store) => {
      await store.initialise();
      for (let i = 0; i < events; i += 1) {
        const event = { type: 'Happened', data: `{"n":${i},"who":"Zoë"}` };
        await store.append([{ streamId: `account-${i % 5}`, events: [event] }]);
      }
    });
  }

  /** Sealed for an identity of ours, one that age-keygen made, and a passphrase: a full backup, an incremental one, a log. */
  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    store = ['--store', `sqlite:${at('events.db')}`];
    const ours = await runHere(['keys', 'generate', '--to', at('ours'), '--json']);
    const { recipient } = JSON.parse(ours.stdout);
    execFileSync('age-keygen', ['-o', at('theirs')], { stdio: 'ignore' });
    const theirs = execFileSync('age-keygen', ['-y', at('theirs')], { encoding: 'utf8' }).trim();
    await writeFile(at('passphrase'), `${PASSPHRASE}\n`, { mode: 0o600 });
    const seal = ['--recipient', recipient, '--recipient', theirs, '--passphrase-file', at('passphrase')];
    await append(30);
    await eventcore('backup', 'full', ...store, ...seal);
    await append(12);
    await eventcore('backup', 'incremental', ...store, ...seal, '--identity', at('ours'));
    const { backupId } = JSON.parse(await eventcore('list', '--json')).backups.at(-1);
    expected = await eventcore('export', backupId, '--to', '-', '--identity', at('theirs'));
    assert.equal(expected.split('\n').length - 1, 42);
  });
  after(() => remove());

  function keyRecords(): string[] {
    const names = readdirSync(at('vault'), { recursive: true, encoding: 'utf8' });
    return names.filter((name) => /key-.*\.json$/.test(name)).map((name) => join(at('vault'), name));
  }

  /** The three wrapped copies of a data key, in the order in which the recipients were named. */
  function wrappedCopies(record: string): Buffer[] {
    const { recipients } = JSON.parse(readFileSync(record, 'utf8'));
    return recipients.map(({ wrapped }: { wrapped: string }) => Buffer.from(wrapped, 'base64'));
  }

  const opened = (wrapped: Buffer, ...words: string[]) =>
    spawnSync('age', ['-d', ...words], { input: wrapped, stdio: ['pipe', 'pipe', 'ignore'] });

  it('an identity of `eventcore keys generate` and one of age-keygen open what is wrapped for them', () => {
    const records = keyRecords();
    assert.equal(records.length, 2);
    for (const record of records) {
      const [forOurs, forTheirs] = wrappedCopies(record) as [Buffer, Buffer];
      const keys = [opened(forOurs, '-i', at('ours')), opened(forTheirs, '-i', at('theirs'))];
      assert.deepEqual(
        keys.map(({ status, stdout }) => [status, stdout.length]),
        [
          [0, 32],
          [0, 32],
        ],
      );
      assert.deepEqual(keys[0]!.stdout, keys[1]!.stdout);
      assert.notEqual(opened(forOurs, '-i', at('theirs')).status, 0);
    }
  });

  it('the rescue script asks age for the keys, whoever of the recipients has it', async () => {
    for (const identity of ['ours', 'theirs']) {
      const ran = shell(`node "$RESCUE" vault --age 'age -d -i ${identity}'`);
      assert.deepEqual([ran.code, ran.stdout], [0, expected], ran.stderr);
    }
    execFileSync('age-keygen', ['-o', at('stranger')], { stdio: 'ignore' });
    const ran = shell(`node "$RESCUE" vault --age 'age -d -i stranger'`);
    assert.deepEqual([ran.code, ran.stdout], [1, '']);
    assert.match(
      ran.stderr,
      /does not open key [0-9a-f]{32}; it is wrapped for age1\w+, age1\w+, passphrase/,
    );
  });

  it('age asks for a passphrase on the terminal, and the rescue script waits for it', async () => {
    const command = `node "$RESCUE" vault --age 'age -d' --out asked.jsonl`;
    assert.equal(await onTerminal(command, 2), 0);
    assert.equal(await readFile(at('asked.jsonl'), 'utf8'), expected);
  });

  it('the lines of docs/rescue.md bring the keys to the vault instead of the identity', async () => {
    const lines = (await readFile(DOCUMENTED, 'utf8')).split('\n');
    const begin = lines.findIndex((line) => line.includes("find VAULT -name 'key-*.json'"));
    const end = lines.findIndex((line, i) => i > begin && line.includes('> keys.hex'));
    assert.ok(begin > 0 && end > begin);
    const documented = lines
      .slice(begin, end + 1)
      .join('\n')
      .replaceAll('VAULT', 'vault');
    const { code, stderr } = shell(documented.replaceAll('owner.age-key', 'theirs'));
    assert.equal(code, 0, stderr);
    const ran = shell('node "$RESCUE" vault --key-file keys.hex');
    assert.deepEqual([ran.code, ran.stdout], [0, expected], ran.stderr);
  });

  it('the change log comes home as well', async () => {
    const seal = [
      '--recipient',
      JSON.parse(await readFile(keyRecords()[0]!, 'utf8')).recipients[1].recipient,
    ];
    await eventcore('archive', '--once', ...store, ...seal);
    await append(5);
    await eventcore('archive', '--once', ...store, ...seal);
    const ran = shell(`node "$RESCUE" vault --with-log --age 'age -d -i theirs'`);
    assert.equal(ran.code, 0, ran.stderr);
    assert.ok(ran.stdout.startsWith(expected));
    assert.equal(ran.stdout.split('\n').length - 1, 47);
  });

  /** Runs a line on a terminal, and types the passphrase each time that it is asked for. Gives the exit code. */
  function onTerminal(line: string, times: number): Promise<number | null> {
    const env = { ...process.env, RESCUE: SCRIPT, PATH: `${dirname(process.execPath)}:${process.env.PATH}` };
    const child = spawn('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
      ...{ cwd: folder, env, stdio: ['pipe', 'pipe', 'inherit'] as const },
    });
    let said = '';
    let typed = 0;
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      said += part;
      const asked = said.split('Enter passphrase').length - 1;
      for (; typed < asked; typed += 1) child.stdin.write(`${PASSPHRASE}\n`);
    });
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => {
        assert.equal(typed, times, said);
        resolve(code);
      });
    });
  }
});
