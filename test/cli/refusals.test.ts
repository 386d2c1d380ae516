import assert from 'node:assert/strict';
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fillStore, makeFolder, type Ran, runHere } from '../harness/command.ts';

/** What a command answers when it will not or cannot: one line, a way out, and the exit code of the contract. */
describe('a command that refuses', () => {
  let folder: string;
  let remove: () => Promise<void>;
  const eventcore = (...words: string[]): Promise<Ran> => runHere(words);

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    process.chdir(folder);
    await fillStore(`sqlite:${folder}/events.db`, 200);
    const ran = await eventcore('backup', 'full', '--store', 'sqlite:events.db', '--vault', 'vault');
    assert.equal(ran.code, 0, ran.stderr);
    await mkdir(join(folder, 'empty-vault'));
    await cp(join(folder, 'vault'), join(folder, 'torn-vault'), { recursive: true });
    await writeFile(await manifestIn('torn-vault'), '{');
    await cp(join(folder, 'vault'), join(folder, 'half-vault'), { recursive: true });
    await rm(await manifestIn('half-vault'));
    await writeFile(join(folder, 'a-file'), 'x');
    await writeFile(join(folder, 'unknown.yaml'), 'store: sqlite:events.db\nbackup:\n  lvl: 3\n');
    await writeFile(join(folder, 'policy.yaml'), 'primary:\n  region: eu-1\n  retention: 30 days\n');
    await writeFile(join(folder, 'no-store.db'), '');
  });
  after(() => {
    process.chdir('/');
    return remove();
  });

  async function manifestIn(vault: string): Promise<string> {
    const [bundle] = await readdir(join(folder, vault, 'backups'));
    return join(folder, vault, 'backups', bundle!, 'manifest.json');
  }

  interface Refusal {
    readonly when: string;
    readonly words: readonly string[];
    readonly exitCode: number;
    readonly code: string;
    readonly message: RegExp;
    readonly hint: RegExp;
  }

  const V = ['--vault', 'vault'];
  const S = ['--store', 'sqlite:events.db'];
  const refusals: readonly Refusal[] = [
    usage('no command is named', [], /no command is named/, /`eventcore --help`/),
    usage('a command is unknown', ['bakcup'], /unknown command 'bakcup' \(Did you mean backup\?\)/, /--help/),
    usage(
      'an option is unknown',
      ['list', ...V, '--recursive'],
      /unknown option '--recursive'/,
      /`eventcore list --help`/,
    ),
    usage(
      'a time is none',
      ['restore', '--to', 'sqlite:x.db', '--at', 'now'],
      /'now' is invalid.*a time such as/,
      /`eventcore restore --help`/,
    ),
    usage(
      'a point is named twice',
      ['restore', '--to', 'sqlite:x.db', '--lsn', '0/10', '--backup', 'abcd'],
      /cannot be used with option/,
      /`eventcore restore --help`/,
    ),
    usage('a part of a command is missing', ['backup'], /no command is named/, /`eventcore backup --help`/),
    usage('a word is too many', ['list', 'all', ...V], /too many arguments/, /--help/),
    usage(
      'a number is none',
      ['backup', 'full', ...S, ...V, '--parallel', 'many'],
      /'many' is invalid.*from 1 to 64/,
      /--help/,
    ),
    usage(
      'a number is out of range',
      ['backup', 'full', ...S, ...V, '--parallel', '65'],
      /'65' is invalid/,
      /--help/,
    ),
    usage(
      'a format is unknown',
      ['backup', 'full', ...S, ...V, '--format', 'xml'],
      /columns, jsonl, msgpack/,
      /--help/,
    ),
    usage(
      'the level is not one of gzip',
      ['backup', 'full', ...S, ...V, '--compression', 'gzip', '--level', '12'],
      /gzip has no level 12/,
      /levels of gzip are 1 to 9/,
    ),
    usage(
      'there is a level without a compression',
      ['backup', 'full', ...S, ...V, '--compression', 'none', '--level', '3'],
      /none has no level 3/,
      /leave the level out/,
    ),
    usage(
      'no store is named',
      ['backup', 'full', ...V],
      /no store is named/,
      /--store ADDRESS.*EVENTCORE_STORE/,
    ),
    usage('no vault is named', ['list'], /no vault is named/, /--vault ADDRESS.*EVENTCORE_VAULT/),
    usage(
      'no target is named',
      ['restore', ...V, ...S],
      /required option '--to <store>' not specified/,
      /pass --to STORE/,
    ),
    usage(
      'a store is of an unknown kind',
      ['backup', 'full', ...V, '--store', 'mysql://h/d'],
      /mysql: is not supported/,
      /sqlite:.*postgres:/,
    ),
    usage(
      'a vault is of an unknown kind',
      ['list', '--vault', 'gs://bucket/x'],
      /gs: is not supported/,
      /file:/,
    ),
    usage('an export names nothing', ['export', '--to', '-'], /nothing to export is named/, /--store/),
    usage(
      'an export names two things',
      ['export', 'abcd', '--to', '-', ...S, ...V],
      /a backup and a store are named/,
      /./,
    ),
    usage(
      'an export cannot be written',
      ['export', '--to', 'none/x.jsonl', ...S],
      /cannot write none\/x\.jsonl: ENOENT/,
      /check the path/,
    ),
    usage(
      'the folder of a demonstration has no history',
      ['demo', '--git', 'empty-vault'],
      /no git history in .*empty-vault/,
      /leave --git out/,
    ),
    {
      ...usage(
        'a key of the configuration is unknown',
        ['list', '--config', 'unknown.yaml'],
        /unknown key `backup\.lvl`/,
        /format, compression, level, on_difference, target, parallel/,
      ),
      code: 'config_invalid',
    },
    {
      ...usage(
        'the configuration has a policy that cannot be read',
        ['list', '--config', 'policy.yaml'],
        /`primary\.retention\.within` is not valid: expected a span of time/,
        /correct it/,
      ),
      code: 'config_invalid',
    },
    {
      ...usage(
        'the configuration is not there',
        ['list', '--config', 'none.yaml'],
        /none\.yaml \(ENOENT\)/,
        /eventcore init/,
      ),
      code: 'config_invalid',
    },
    refusal(
      3,
      'no_backups',
      'there is no backup to restore',
      ['restore', '--to', 'sqlite:x.db', '--vault', 'empty-vault'],
      /no backup in file:.*empty-vault/,
      /backup full/,
    ),
    refusal(
      3,
      'no_backups',
      'the only backup was copied without its manifest',
      ['restore', '--to', 'sqlite:x.db', '--vault', 'half-vault'],
      /no backup in file:.*half-vault, only 1 attempt without a manifest/,
      /copied.*eventcore list/,
    ),
    refusal(
      4,
      'damaged',
      'the only backup has a torn manifest',
      ['restore', '--to', 'sqlite:x.db', '--vault', 'torn-vault'],
      /no backup in file:.*torn-vault can be used: .*the manifest is no JSON/,
      /another copy/,
    ),
    refusal(
      3,
      'backup_not_found',
      'the beginning of an id is too short',
      ['show', 'fff', ...V],
      /"fff" is too short/,
      /at least 4 characters/,
    ),
    refusal(
      3,
      'no_backups',
      'there is no backup to verify',
      ['verify', '--vault', 'empty-vault'],
      /no backup in/,
      /backup full/,
    ),
    refusal(
      3,
      'backup_not_found',
      'a backup to verify is not there',
      ['verify', 'ffffffff', ...V],
      /no backup ffffffff/,
      /eventcore list/,
    ),
    refusal(
      3,
      'backup_not_found',
      'a backup to show is not there',
      ['show', 'ffffffff', ...V],
      /no backup ffffffff/,
      /eventcore list/,
    ),
    refusal(
      3,
      'backup_not_found',
      'a backup to restore is not there',
      ['restore', '--backup', 'ffffffff', '--to', 'sqlite:x.db', ...V],
      /no backup ffffffff/,
      /eventcore list/,
    ),
    refusal(
      5,
      'not_an_event_store',
      'the store is not there',
      ['backup', 'full', ...V, '--store', 'sqlite:none.db'],
      /no event store at sqlite:none\.db/,
      /--create-store/,
    ),
    refusal(
      5,
      'not_an_event_store',
      'the store has no tables',
      ['export', '--to', 'x.jsonl', '--store', 'sqlite:no-store.db'],
      /no-store\.db/,
      /./,
    ),
    refusal(
      6,
      'vault_unreachable',
      'the vault is not there',
      ['list', '--vault', 'none'],
      /none.*ENOENT/,
      /check the path/,
    ),
    refusal(6, 'vault_refused', 'the vault is a file', ['list', '--vault', 'a-file'], /a-file/, /directory/),
    refusal(
      6,
      'vault_refused',
      'the vault to be is a file',
      ['backup', 'full', ...S, '--vault', 'a-file'],
      /a-file/,
      /./,
    ),
    refusal(
      9,
      'target_not_empty',
      'the target holds events',
      ['restore', '--to', 'sqlite:events.db', ...V],
      /events\.db is not empty/,
      /--replace/,
    ),
    refusal(
      9,
      'would_overwrite',
      'the file to export to is there',
      ['export', '--to', 'a-file', ...S],
      /a-file exists/,
      /--force/,
    ),
  ];

  for (const { when, words, exitCode, code, message, hint } of refusals) {
    it(`because ${when} says so in one line, with a hint, and exits ${exitCode}`, async () => {
      const ran = await eventcore(...words);
      const [first, second, ...rest] = ran.stderr
        .split('\n')
        .filter((line) => line !== '')
        .slice(-2);
      assert.match(first ?? '', /^error: /);
      assert.match(first ?? '', message);
      assert.match(second ?? '', /^hint: /);
      assert.match(second ?? '', hint);
      assert.deepEqual(rest, []);
      assert.deepEqual([ran.stdout, ran.code], ['', exitCode]);
      assert.doesNotMatch(ran.stderr, /^ +at /m, 'no stack trace');

      const asJson = await eventcore(...words, '--json');
      assert.deepEqual([asJson.stdout, asJson.code], ['', exitCode]);
      const { error } = JSON.parse(asJson.stderr.trim().split('\n').at(-1)!);
      assert.deepEqual(Object.keys(error), ['code', 'message', 'hint', 'retryable', 'facts']);
      assert.equal(error.code, code);
      assert.match(error.message, message);
      assert.match(error.hint, hint);
    });
  }

  it('leaves no store, vault or file behind', async () => {
    const names = (await readdir(folder)).filter((name) => !/^(events|no-store)\.db/.test(name)).sort();
    assert.deepEqual(names, [
      ...['a-file', 'empty-vault', 'half-vault', 'policy.yaml', 'torn-vault', 'unknown.yaml', 'vault'],
    ]);
    assert.deepEqual(await readdir(join(folder, 'empty-vault')), []);
    assert.equal((await stat(join(folder, 'a-file'))).size, 1);
  });

  it('shows a stack only when asked for debug', async () => {
    const ran = await eventcore('list', '--vault', 'none', '--log-level', 'debug');
    assert.match(ran.stderr, /^ +at /m);
    const asJson = await eventcore('list', '--vault', 'none', '--log-level', 'debug', '--json');
    assert.match(JSON.parse(asJson.stderr).error.stack, /caused by: /);
  });

  describe('with a password in its address', () => {
    const secret = 's3cr3t-pw';
    const addresses = [
      `postgres://user:${secret}@127.0.0.1:1/db`,
      `postgres://user@127.0.0.1:1/db?password=${secret}`,
      `postgres://us%40er:${secret}@127.0.0.1:1/db`,
    ];
    for (const address of addresses) {
      it(`never shows it when the server cannot be reached: ${address.replace(secret, '•••')}`, async () => {
        for (const extra of [[], ['--json'], ['--log-level', 'debug'], ['--json', '--log-level', 'debug']]) {
          const ran = await eventcore('backup', 'full', '--store', address, ...V, ...extra);
          assert.equal(ran.code, 5, ran.stderr);
          assert.ok(!(ran.stdout + ran.stderr).includes(secret), ran.stderr);
          assert.match(ran.stderr, /127\.0\.0\.1/);
        }
      });
    }

    it('never shows it when the address is wrong', async () => {
      const ran = await eventcore('backup', 'full', '--store', `mysql://user:${secret}@host/db`, ...V);
      assert.equal(ran.code, 2);
      assert.ok(!ran.stderr.includes(secret), ran.stderr);
    });

    it('is not written into the configuration by init', async () => {
      const ran = await eventcore(
        'init',
        '--config',
        'secret.yaml',
        '--vault',
        'vault',
        '--store',
        addresses[0]!,
      );
      assert.equal(ran.code, 5);
      const text = await readFile(join(folder, 'secret.yaml'), 'utf8');
      assert.match(text, /store: postgres:\/\/user@127\.0\.0\.1:1\/db/);
      assert.ok(!(text + ran.stdout + ran.stderr).includes(secret));
      assert.match(ran.stdout, /PGPASSWORD/);
      await rm(join(folder, 'secret.yaml'));
    });
  });

  describe('over what a vault should not hold', () => {
    let unfinishedId: string;
    before(async () => {
      await cp(join(folder, 'vault'), join(folder, 'odd'), { recursive: true });
      const [name] = await readdir(join(folder, 'odd', 'backups'));
      unfinishedId = name!.slice('full-backup-'.length, -'.eventcore'.length);
      await rm(join(folder, 'odd', 'backups', name!, 'manifest.json'));
      const damaged = join(
        folder,
        'odd',
        'backups',
        'full-backup-dddddddd-0000-4000-8000-000000000000.eventcore',
      );
      await mkdir(damaged);
      await writeFile(join(damaged, 'manifest.json'), '{}\n');
    });

    it('lists attempts and damaged backups below the backups, and says what to do', async () => {
      const { stdout, code } = await eventcore('list', '--vault', 'odd');
      assert.equal(code, 0);
      assert.match(stdout, /No backup in/);
      assert.match(stdout, /1 backup that cannot be trusted\n {2}dddddddd-0000/);
      assert.match(
        stdout,
        new RegExp(`1 attempt without a manifest: not a backup\n {2}${unfinishedId} .*\n.*\n +rm -r `),
      );
      const document = JSON.parse((await eventcore('list', '--vault', 'odd', '--json')).stdout);
      assert.equal(document.unfinished[0].backupId, unfinishedId);
      assert.match(document.damaged[0].message, /manifest/);
    });

    it('fails a verification of all for the damaged one, and not for the attempt', async () => {
      const ran = await eventcore('verify', '--vault', 'odd', '--json');
      assert.equal(ran.code, 4);
      const { backups } = JSON.parse(ran.stdout);
      assert.equal(backups.length, 1);
      assert.equal(backups[0].problems[0].code, 'manifest_damaged');
    });

    it('fails a verification that names the attempt', async () => {
      const ran = await eventcore('verify', unfinishedId, '--vault', 'odd', '--quiet');
      assert.deepEqual([ran.code, ran.stdout], [4, '']);
      assert.match(ran.stderr, /1 of 1 backup failed/);
      const asJson = await eventcore('verify', unfinishedId.slice(0, 8), '--vault', 'odd', '--json');
      assert.equal(JSON.parse(asJson.stdout).backups[0].problems[0].code, 'manifest_missing');
    });

    it('restores from neither', async () => {
      assert.equal((await eventcore('restore', '--to', 'sqlite:x.db', '--vault', 'odd')).code, 4);
      const words = ['restore', '--to', 'sqlite:x.db', '--vault', 'odd', '--backup'];
      assert.equal((await eventcore(...words, unfinishedId)).code, 3);
      assert.equal((await eventcore(...words, 'dddddddd')).code, 4);
    });
  });

  function refusal(
    exitCode: number,
    code: string,
    when: string,
    words: readonly string[],
    message: RegExp,
    hint: RegExp,
  ): Refusal {
    return { exitCode, code, when, words, message, hint };
  }

  function usage(when: string, words: readonly string[], message: RegExp, hint: RegExp): Refusal {
    return refusal(2, 'usage', when, words, message, hint);
  }
});
