import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import { isPrivate, MAX_SECRET_BYTES, parseSecretSource, readSecret } from '../../src/keys/secret.ts';
import { runSecretCommand } from '../../src/keys/secret-command.ts';

const CANARY = 'c4n4ry-s3cr3t';

describe('the place of a secret', () => {
  it('is a file, a variable or a command; a bare word is a file', () => {
    for (const [text, kind, value] of [
      ['key', 'file', '/etc/app/key'],
      ['file:key', 'file', '/etc/app/key'],
      ['file:/run/key', 'file', '/run/key'],
      ['../a key', 'file', '/etc/a key'],
      ['env:BACKUP_KEY', 'env', 'BACKUP_KEY'],
      ['command:pass show backup | head -1', 'command', 'pass show backup | head -1'],
      // No kind is guessed: this is a file with a colon in its name.
      ['vault:key', 'file', '/etc/app/vault:key'],
    ] as const) {
      assert.deepEqual(parseSecretSource(text, '/etc/app'), { kind, value }, text);
    }
  });

  it('that names nothing, or holds the secret itself, is refused and not shown', () => {
    for (const text of ['', 'file:', 'env: ', 'command:', 'env:A-B', 'a\0b']) {
      assert.throws(
        () => parseSecretSource(text, '/'),
        (error) => isBackupError(error, 'usage'),
        text,
      );
    }
    for (const text of [
      `AGE-SECRET-KEY-1${CANARY}`,
      `file:age-secret-key-1${CANARY}`,
      `-----BEGIN ${CANARY}`,
    ]) {
      assert.throws(
        () => parseSecretSource(text, '/'),
        (error) => isBackupError(error, 'usage') && !`${error.message}${error.hint}`.includes(CANARY),
      );
    }
  });
});

describe('a secret', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'eventcore-secret-'));
  });
  after(() => rm(folder, { recursive: true }));

  const put = async (name: string, content: string | Buffer, mode: number): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, content);
    await chmod(path, mode);
    return path;
  };
  const read = async (text: string, env = {}): Promise<string> =>
    (await readSecret(parseSecretSource(text, folder), env)).toString();
  const refuses = (text: string, message: RegExp, env = {}): Promise<void> =>
    assert.rejects(
      read(text, env),
      (error) =>
        isBackupError(error, 'key_refused') &&
        message.test(error.message) &&
        !JSON.stringify([error.message, error.hint, error.facts, String(error.stack)]).includes(CANARY),
    );

  it('comes whole from where it is', async () => {
    await put('sound', `${CANARY}\n`, 0o600);
    await put('read-only', CANARY, 0o400);
    assert.equal(await read('sound'), `${CANARY}\n`);
    assert.equal(await read('read-only'), CANARY);
    assert.equal(await read('env:KEY', { KEY: CANARY }), CANARY);
    assert.equal(await read('command:printf %s "$KEY"', { ...process.env, KEY: CANARY }), CANARY);
  });

  it('that root hands to another user may be read by the group of that user, and by nobody else', () => {
    const [root, service] = [0, 10_001];
    assert.ok(isPrivate({ mode: 0o100440, uid: root }, service), 'a Secret of Kubernetes, with fsGroup');
    for (const mode of [0o100444, 0o100460, 0o100450, 0o100441]) {
      assert.ok(!isPrivate({ mode, uid: root }, service), mode.toString(8));
    }
    assert.ok(!isPrivate({ mode: 0o100440, uid: service }, service), 'its owner could have closed it');
    assert.ok(!isPrivate({ mode: 0o100440, uid: root }, root));
  });

  it('in a file that others may read is refused, also behind a link, saying how to close it', async () => {
    for (const mode of [0o644, 0o640, 0o604, 0o660, 0o601, 0o620]) {
      await put('open', CANARY, mode);
      await refuses('open', new RegExp(`open to other users \\(mode ${mode.toString(8)}\\)`));
    }
    await symlink('open', join(folder, 'link'));
    await refuses('link', /link is open to other users/);
    await assert.rejects(
      read('open'),
      (error) => isBackupError(error) && /^chmod 600 \S+open;/.test(error.hint!),
    );
  });

  it('that is not there, is a folder, empty or too long is refused', async () => {
    await mkdir(join(folder, 'folder'), { mode: 0o700 });
    await put('empty', '', 0o600);
    await put('long', Buffer.alloc(MAX_SECRET_BYTES + 1, CANARY), 0o600);
    await refuses('none', /cannot read \S+none \(ENOENT\)/);
    await refuses('folder', /folder is no file/);
    await refuses('empty', /is empty/);
    await refuses('long', /is too long for a secret/);
    await refuses('/dev/zero', /is no file/);
    await refuses('env:NONE', /the variable NONE is not set/);
    await refuses('env:NONE', /the variable NONE is empty/, { NONE: '' });
    await put('longest', Buffer.alloc(MAX_SECRET_BYTES, 'x'), 0o600);
    assert.equal((await read('longest')).length, MAX_SECRET_BYTES);
  });

  it('from a command that fails is refused, and neither the command nor what it said is shown', async () => {
    await refuses(
      `command:echo ${CANARY}; echo ${CANARY} >&2; exit 3`,
      /ended with exit code 3/,
      process.env,
    );
    await refuses(`command:echo ${CANARY} >&2; kill -9 $$`, /ended with SIGKILL/, process.env);
    await refuses(`command:no-such-program-${CANARY}`, /ended with exit code 127/, process.env);
    await refuses('command:true', /is empty/, process.env);
    await refuses(`command:yes ${CANARY}`, /wrote more than 65536 bytes/, process.env);
  });

  it('from a command that does not end is refused in time, and nothing of the command stays', async () => {
    const pidFile = join(folder, 'pid');
    const begun = performance.now();
    await assert.rejects(
      runSecretCommand(`sleep 60 & echo $! > ${pidFile}; wait`, process.env, 100, 300),
      (error) => isBackupError(error, 'key_refused') && /did not end within 0.3 s/.test(error.message),
    );
    assert.ok(performance.now() - begun < 10_000);
    const pid = Number(await read(`command:cat ${pidFile}`, process.env));
    await waitUntilGone(pid);
  });
});

async function waitUntilGone(pid: number): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    const { state } = await stateOf(pid);
    if (state === 'Z') return;
    await new Promise((done) => setTimeout(done, 25));
  }
  assert.fail(`process ${pid} is still there`);
}

/** One that ended and whose parent has not looked yet is a zombie. */
async function stateOf(pid: number): Promise<{ state: string }> {
  const { readFile } = await import('node:fs/promises');
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z');
  return { state: text.slice(text.lastIndexOf(')') + 2)[0]! };
}
