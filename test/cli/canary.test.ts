import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { fillStore, makeFolder, type Ran, runHere } from '../harness/command.ts';

/** Secrets that are planted; whatever a command prints or writes is searched for each of them. */
describe('no secret shows', () => {
  let folder: string;
  let remove: () => Promise<void>;
  let identity: string;
  let recipient: string;
  let pem: string;
  const passphrase = 'c4n4ry-p4ssphr4se';
  const said: string[] = [];
  const at = (name: string): string => join(folder, name);

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    process.chdir(folder);
    await fillStore(`sqlite:${folder}/events.db`, 50);
    identity = await generateX25519Identity();
    recipient = await identityToRecipient(identity);
    pem = crypto
      .generateKeyPairSync('ed25519')
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString();
    await put('identity', `# mine\n${identity}\n`);
    await put('passphrase', `${passphrase}\n`);
    await put('sign.pem', pem);
    await put('open', identity, 0o644);
    await put('torn', identity.slice(0, -4));
    await put('two-lines', `${identity}\n${identity} ${passphrase}\n`);
    await put('long', identity.repeat(2000));
    await put('not-pem', passphrase);
    await put('torn.pem', pem.replace('MC4', 'MC5'));
    await put('locked.pem', lockedKey());
    await put('other', await generateX25519Identity());
  });
  after(() => {
    process.chdir('/');
    return remove();
  });

  async function put(name: string, text: string, mode = 0o600): Promise<void> {
    await writeFile(at(name), text);
    await chmod(at(name), mode);
  }

  function lockedKey(): string {
    const { privateKey } = crypto.generateKeyPairSync('ed25519');
    return privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase }).toString();
  }

  /** The secrets as they are, and as they would stand in JSON, a log or a file of ours. */
  function canaries(): Buffer[] {
    const seed = Buffer.from(pem.split('\n')[1]!, 'base64').subarray(16);
    const texts = [identity, identity.slice(20, 50), identity.toLowerCase(), passphrase, pem.split('\n')[1]!];
    return [
      ...texts.map((text) => Buffer.from(text)),
      ...texts.map((text) => Buffer.from(Buffer.from(text).toString('base64').slice(0, -4))),
      ...[seed, Buffer.from(seed.toString('hex')), Buffer.from(seed.toString('base64url'))],
    ];
  }

  function assertClean(where: string, bytes: Buffer): void {
    for (const canary of canaries()) assert.equal(bytes.includes(canary), false, where);
  }

  const FORMS = [[], ['--json'], ['--log-level', 'debug'], ['--json', '--log-level', 'debug']];

  /** As it is, as JSON, and with everything a debugger would want. */
  async function inAllForms(
    words: readonly string[],
    env: Record<string, string> = {},
    forms = FORMS,
  ): Promise<Ran[]> {
    const runs: Ran[] = [];
    for (const form of forms) {
      const ran = await runHere([...words, ...form], { env });
      said.push(ran.stdout, ran.stderr);
      assertClean(
        `${words.join(' ')} ${form.join(' ')}`.slice(0, 60),
        Buffer.from(`${ran.stdout}${ran.stderr}`),
      );
      runs.push(ran);
    }
    return runs;
  }

  const backup = (...words: string[]) => [
    'backup',
    'full',
    '--store',
    'sqlite:events.db',
    '--vault',
    'vault',
    ...words,
  ];

  it('where all goes well, neither in what is printed nor in the vault', async () => {
    const keys = ['--recipient', recipient, '--identity', 'identity', '--sign-key', 'sign.pem'];
    for (const words of [
      backup(...keys),
      ['list', '--vault', 'vault'],
      ['keys', 'list', '--vault', 'vault', '--identity', 'identity'],
      ['verify', '--vault', 'vault', '--identity', 'identity'],
    ]) {
      for (const ran of await inAllForms(words, {}, FORMS.slice(2))) assert.equal(ran.code, 0, ran.stderr);
    }
    const withPassphrase = backup('--passphrase-file', 'passphrase', '--log-level', 'debug');
    const ran = await runHere(withPassphrase);
    assert.equal(ran.code, 0, ran.stderr);
    assertClean('a backup with a passphrase', Buffer.from(`${ran.stdout}${ran.stderr}`));
    const names = await readdir(at('vault'), { recursive: true, withFileTypes: true });
    const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    assert.ok(files.some((name) => name.includes('key-')));
    for (const file of files) assertClean(file, await readFile(file));
  });

  const failing: [string, string[]][] = [
    ['an identity that others can read', ['--identity', 'open']],
    ['an identity that is cut off', ['--identity', 'torn']],
    ['a file with something behind an identity', ['--identity', 'two-lines']],
    ['a file that is too long', ['--identity', 'long']],
    ['a passphrase for an identity', ['--identity', 'passphrase']],
    ['a passphrase for a name of a file', ['--passphrase-file', passphrase]],
    ['a passphrase for a signing key', ['--sign-key', 'not-pem']],
    ['a signing key that is damaged', ['--sign-key', 'torn.pem']],
    ['a signing key that is locked', ['--sign-key', 'locked.pem']],
    ['an identity for a signing key', ['--sign-key', 'identity']],
    ['a command that fails', ['--identity', `command:echo ${passphrase} | tee /dev/stderr; exit 1`]],
    ['a command that says something else', ['--identity', `command:echo ${passphrase}`]],
    ['a command that is not there', ['--sign-key', `command:${passphrase}`]],
    ['a variable that holds something else', ['--identity', 'env:CANARY']],
  ];
  for (const [what, words] of failing) {
    it(`with ${what}, which is refused before a byte is written`, async () => {
      const before = await readdir(at('.'), { recursive: true });
      const env = { CANARY: passphrase, PATH: process.env.PATH ?? '' };
      for (const ran of await inAllForms(backup('--recipient', recipient, ...words), env)) {
        assert.equal(ran.code, 8, ran.stderr);
      }
      assert.deepEqual(await readdir(at('.'), { recursive: true }), before);
    });
  }

  it('with a secret where the place of one belongs', async () => {
    for (const words of [
      ['--identity', identity],
      ['--recipient', identity],
      ['--sign-key', pem],
      ['--recipient', recipient, '--identity', `file:${identity.toLowerCase()}`],
    ]) {
      for (const ran of await inAllForms(backup(...words))) assert.equal(ran.code, 2, ran.stderr);
    }
  });

  it('in a configuration that holds secrets instead of their places', async () => {
    for (const [section, code] of [
      [`passphrase: ${passphrase}`, 8],
      [`passphrase: [${passphrase}]`, 2],
      [`passphrase: "${passphrase}`, 2],
      [`password: ${passphrase}`, 2],
      [`identities: [${identity}]`, 2],
      [`identities: ${identity}`, 2],
      [`recipients: [${identity}]`, 2],
      [`trusted_signers: [${identity}]`, 2],
      [`require_signature: ${passphrase}`, 2],
      [`sign_key: |\n    ${pem.replaceAll('\n', '\n    ')}`, 2],
    ] as const) {
      await writeFile(at('bad.yaml'), `encryption:\n  ${section}\n`);
      for (const ran of await inAllForms([...backup(), '--config', 'bad.yaml'])) {
        assert.equal(ran.code, code, `${section.slice(0, 12)} ${ran.stderr}`);
      }
    }
  });

  it('where what is given does not open the vault', async () => {
    for (const words of [
      ['restore', '--to', 'sqlite:x.db', '--identity', 'other'],
      ['keys', 'rewrap', '--identity', 'other', '--drop', recipient, '--add', recipient],
      ['keys', 'list', '--identity', 'other'],
      ['verify', '--identity', 'other'],
    ]) {
      await inAllForms([...words, '--vault', 'vault']);
    }
  });

  it('was looked for in all kinds of words', () => {
    const all = said.join('\n');
    for (const word of ['key_refused', 'key_wrong', 'config_invalid', 'usage', '    at ', '"backupId"']) {
      assert.ok(all.includes(word), word);
    }
  });
});
