import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { digestAt, fillStore, makeFolder, type Ran, runHere } from '../harness/command.ts';

/** The owner makes the keys; a host gets the recipient and a key that signs. */
describe('keys by the command', () => {
  let folder: string;
  let remove: () => Promise<void>;
  let recipient: string;
  let heir: string;
  const at = (name: string): string => join(folder, name);
  const eventcore = (...words: string[]): Promise<Ran> => runHere(words);
  const document = async (...words: string[]) => {
    const ran = await eventcore(...words, '--json');
    assert.equal(ran.code, 0, ran.stderr);
    return JSON.parse(ran.stdout);
  };
  const atVault = () => ['--vault', at('vault')];

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    process.chdir(folder);
    await fillStore(`sqlite:${folder}/events.db`, 100);
    recipient = (await document('keys', 'generate', '--to', 'owner.key')).recipient;
    heir = (await document('keys', 'generate', '--hybrid', '--to', 'heir.key')).recipient;
  });
  after(() => {
    process.chdir('/');
    return remove();
  });

  const backUp = () =>
    document('backup', 'full', '--store', 'sqlite:events.db', ...atVault(), '--recipient', recipient);

  it('generate writes an identity that only its owner may read, and prints the recipient alone', async () => {
    const ran = await eventcore('keys', 'generate');
    assert.equal(ran.code, 0, ran.stderr);
    const text = await readFile(at('backup.age-key'), 'utf8');
    const [, , secret] = text.split('\n');
    assert.match(secret!, /^AGE-SECRET-KEY-1[0-9A-Z]{58}$/);
    assert.ok(ran.stdout.includes(/# public key: (\S+)/.exec(text)![1]!));
    assert.equal(`${ran.stdout}${ran.stderr}`.includes('AGE-SECRET-KEY'), false);
    assert.equal((await stat(at('backup.age-key'))).mode & 0o777, 0o600);
    assert.match(heir, /^age1pq1/);
    const quiet = await eventcore('keys', 'generate', '--quiet', '--to', 'quiet.key');
    assert.match(quiet.stdout, /^age1[a-z0-9]+\n$/);
  });

  it('generate --sign writes a key as openssl does, and prints the name of its signatures', async () => {
    const { file, signer } = await document('keys', 'generate', '--sign', '--to', 'host.pem');
    assert.match(signer, /^ed25519:[A-Za-z0-9_-]{43}$/);
    assert.match(await readFile(file, 'utf8'), /^-----BEGIN PRIVATE KEY-----\n/);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
  });

  it('generate never replaces a key', async () => {
    const before = await readFile(at('owner.key'), 'utf8');
    for (const words of [[], ['--sign'], ['--hybrid']]) {
      const ran = await eventcore('keys', 'generate', '--to', 'owner.key', ...words);
      assert.equal(ran.code, 9);
      assert.match(ran.stderr, /owner\.key exists, and a key is never replaced/);
    }
    assert.equal(await readFile(at('owner.key'), 'utf8'), before);
  });

  it('list says for whom a vault is sealed, by whom it is signed, and what opens', async () => {
    await backUp();
    const { keys } = await document('keys', 'list', ...atVault(), '--identity', 'owner.key');
    assert.equal(keys.length, 1);
    assert.deepEqual([keys[0].opens, keys[0].reason], [true, null]);
    assert.deepEqual(keys[0].records[0].recipients, [{ kind: 'age', recipient }]);
    assert.deepEqual([keys[0].records[0].signature, keys[0].records[0].superseded], ['unsigned', false]);
    const unknown = await document('keys', 'list', ...atVault());
    assert.equal(unknown.keys[0].opens, null);
    const wrong = await eventcore('keys', 'list', ...atVault(), '--identity', 'heir.key');
    assert.equal(wrong.code, 0, wrong.stderr);
    assert.match(wrong.stdout, /does not open: the identity that is given does not fit/);
    assert.ok(wrong.stdout.includes(recipient));
  });

  it('rewrap shows what it would do, and does it with --apply', async () => {
    const words = ['keys', 'rewrap', ...atVault(), '--identity', 'owner.key', '--sign-key', 'host.pem'];
    const change = ['--add', heir, '--drop', recipient];
    const shown = await eventcore(...words, ...change);
    assert.equal(shown.code, 0, shown.stderr);
    assert.match(shown.stdout, /Would wrap 1 key of 1 anew\.[\s\S]*pass --apply/);
    assert.equal((await records()).length, 1);
    const { applied, rewrapped } = await document(...words, ...change, '--apply');
    assert.deepEqual([applied, rewrapped.length, rewrapped[0].added], [true, 1, [heir]]);
    assert.equal((await records()).length, 2);
    const { keys } = await document('keys', 'list', ...atVault(), '--identity', 'heir.key');
    assert.equal(keys[0].opens, true);
    assert.deepEqual(
      keys[0].records.map((record: { superseded: boolean; signature: string }) => [
        record.superseded,
        record.signature,
      ]),
      [
        [false, 'signed'],
        [true, 'unsigned'],
      ],
    );
  });

  it('rewrap --remove-superseded takes away what let the dropped one in; restores go on with the new identity', async () => {
    await document(
      'keys',
      'rewrap',
      ...atVault(),
      '--identity',
      'heir.key',
      '--remove-superseded',
      '--apply',
    );
    assert.equal((await records()).length, 1);
    const restore = (identity: string, to: string) =>
      eventcore('restore', ...atVault(), '--identity', identity, '--to', `sqlite:${to}`);
    const refused = await restore('owner.key', 'refused.db');
    assert.equal(refused.code, 8, refused.stderr);
    const restored = await restore('heir.key', 'restored.db');
    assert.equal(restored.code, 0, restored.stderr);
    assert.deepEqual(
      await digestAt(`sqlite:${at('restored.db')}`),
      await digestAt(`sqlite:${at('events.db')}`),
    );
  });

  it('restore goes on with the configuration of a host that is lost, and without its signing key', async () => {
    await writeFile(at('lost.yaml'), 'vault: vault\nencryption:\n  sign_key: file:lost.pem\n');
    const words = ['--config', 'lost.yaml', '--identity', 'heir.key'];
    const restored = await eventcore('restore', ...words, '--to', 'sqlite:lost.db');
    assert.equal(restored.code, 0, restored.stderr);
    const refused = await eventcore(
      'backup',
      'full',
      ...words,
      '--store',
      'sqlite:events.db',
      '--recipient',
      heir,
    );
    assert.equal(refused.code, 8);
    assert.match(refused.stderr, /cannot read \S+lost\.pem \(ENOENT\)\nhint: .*take it out of `encryption:`/);
  });

  it('rewrap changes a passphrase for another', async () => {
    await writeFile(at('new.pass'), 'new words\n', { mode: 0o600 });
    const vault = ['--vault', at('vault')];
    await document(
      'keys',
      'rewrap',
      ...vault,
      '--identity',
      'heir.key',
      '--add-passphrase-file',
      'new.pass',
      '--apply',
    );
    const { keys } = await document('keys', 'list', ...vault, '--passphrase-file', 'new.pass');
    assert.equal(keys[0].opens, true);
  });

  async function records(): Promise<string[]> {
    const names = await readdir(at('vault'), { recursive: true });
    return names.filter((name) => /key-[0-9a-f]{32}-\d+\.json$/.test(name));
  }

  const refusals: [string, string[], number, RegExp, RegExp][] = [
    ['no identity is given', ['rewrap', '--add', 'age1x'], 8, /no identity is given/, /--identity FILE/],
    [
      'nothing is to be changed',
      ['rewrap', '--identity', 'owner.key'],
      2,
      /nothing is to be changed/,
      /--add/,
    ],
    [
      'a recipient is of no known kind',
      ['rewrap', '--identity', 'owner.key', '--add', 'ssh-rsa AAA'],
      2,
      /no recipient of a known kind/,
      /arn:aws:kms/,
    ],
    [
      'an identity is not there',
      ['list', '--identity', 'none.key'],
      8,
      /cannot read \S+none\.key/,
      /is there/,
    ],
    [
      'an identity is open to others',
      ['list', '--identity', 'open.key'],
      8,
      /open to other users \(mode 644\)/,
      /chmod 600/,
    ],
    [
      'a recipient is mistyped',
      ['rewrap', '--identity', 'quiet.key', '--add', 'age1x'],
      2,
      /age1x is no recipient of age/,
      /copy it whole/,
    ],
    [
      'both kinds of key are asked for',
      ['generate', '--sign', '--hybrid'],
      2,
      /cannot be used with/,
      /--help/,
    ],
  ];
  for (const [when, words, code, message, hint] of refusals) {
    it(`refuses with exit code ${code} when ${when}`, async () => {
      await copyFile(at('owner.key'), at('open.key'));
      await chmod(at('open.key'), 0o644);
      const ran = await eventcore('keys', ...words, ...atVault());
      assert.equal(ran.code, code, ran.stderr);
      assert.match(ran.stderr, message);
      assert.match(ran.stderr, hint);
      assert.equal(ran.stdout, '');
    });
  }

  it('init --keys makes both keys and names them; backups are sealed and signed from the first on', async () => {
    const config = ['--config', 'own/eventcore.config.yaml'];
    await mkdir(at('own'));
    const made = await document(
      'init',
      '--keys',
      ...config,
      '--store',
      'sqlite:events.db',
      '--vault',
      'own/vault',
    );
    assert.match(made.keys.signer, /^ed25519:/);
    const backup = await document('backup', 'full', ...config);
    assert.equal(backup.sealed, true);
    const { keys } = await document('keys', 'list', ...config);
    assert.deepEqual([keys[0].opens, keys[0].records[0].signature], [true, 'signed']);
    assert.equal(keys[0].records[0].signer, made.keys.signer);
    const again = await eventcore('init', '--keys', '--force', ...config);
    assert.equal(again.code, 9);
    assert.match(again.stderr, /backup\.age-key exists/);
  });
});
