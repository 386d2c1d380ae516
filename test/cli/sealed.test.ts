import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { digestAt, makeFolder, type Ran, runHere, withStoreAt } from '../harness/command.ts';

const CANARY = { stream: 'canary-stream', type: 'CanaryHappened', data: '{"secret":"canary-payload"}' };

/** A company: a host that backs up and can open nothing, and an owner who keeps the identity in a safe. */
describe('sealed backups by the command', () => {
  let folder: string;
  let remove: () => Promise<void>;
  let recipient: string;
  const at = (name: string): string => join(folder, name);
  const eventcore = (...words: string[]): Promise<Ran> =>
    runHere([...words, '--vault', at('vault'), '--config', at('host.yaml')]);
  const document = async (...words: string[]) => JSON.parse((await eventcore(...words, '--json')).stdout);
  const openIt = () => ['--identity', at('owner.txt')];

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    const identity = await generateX25519Identity();
    recipient = await identityToRecipient(identity);
    await writeFile(at('owner.txt'), `${identity}\n`, { mode: 0o600 });
    await writeFile(at('stranger.txt'), `${await generateX25519Identity()}\n`, { mode: 0o600 });
    const { privateKey } = crypto.generateKeyPairSync('ed25519');
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    await writeFile(at('host.pem'), pem, { mode: 0o600 });
    await writeFile(
      at('host.yaml'),
      `store: sqlite:./events.db\nencryption:\n  recipients: [${recipient}]\n  sign_key: file:host.pem\n`,
    );
    await append(40);
  });
  after(() => remove());

  async function append(events: number): Promise<void> {
    await withStoreAt(`sqlite:${at('events.db')}`, async (store) => {
      await store.initialise();
      for (let i = 0; i < events; i += 1) {
        const event = { type: CANARY.type, data: CANARY.data };
        await store.append([{ streamId: `${CANARY.stream}-${i % 3}`, events: [event] }]);
      }
    });
  }

  async function vaultBytes(): Promise<Buffer> {
    const names = await readdir(at('vault'), { recursive: true, withFileTypes: true });
    const files = names.filter((entry) => entry.isFile());
    return Buffer.concat(await Promise.all(files.map((file) => readFile(join(file.parentPath, file.name)))));
  }

  it('a host with public keys takes full and incremental backups, and nothing of them shows', async () => {
    const full = await document('backup', 'full');
    assert.deepEqual([full.sealed, full.verified, full.kind], [true, true, 'full']);
    await append(7);
    const incremental = await document('backup', 'incremental');
    assert.deepEqual(
      [incremental.kind, incremental.totalEvents, incremental.sealed],
      ['incremental', 7, true],
    );
    const bytes = await vaultBytes();
    for (const secret of Object.values(CANARY)) assert.ok(!bytes.includes(secret), secret);
  });

  it('a doctor opens the newest backup with the key that fits, and says what was not tried', async () => {
    const keysAre = async (...words: string[]) => {
      const { checks } = await document('doctor', ...words);
      const { verdict, code } = checks.find(({ name }: { name: string }) => name === 'keys');
      return [verdict, code];
    };
    assert.deepEqual(await keysAre(...openIt()), ['good', null]);
    assert.deepEqual(await keysAre(), ['skipped', null]);
    assert.deepEqual(await keysAre('--identity', at('stranger.txt')), ['bad', 'key_wrong']);
    assert.equal((await eventcore('doctor', '--identity', at('stranger.txt'))).code, 8);
    assert.deepEqual(await keysAre('--identity', at('nowhere.txt')), ['bad', 'key_refused']);
    await writeFile(
      at('untrusting.yaml'),
      `encryption:\n  trusted_signers: ["ed25519:${'A'.repeat(43)}"]\n  require_signature: true\n`,
    );
    const untrusting = await runHere(['doctor', '--vault', at('vault'), '--config', at('untrusting.yaml')]);
    assert.equal(untrusting.code, 8);
    assert.match(untrusting.stdout, /bad {2,}keys {2,}backup \S+ is not to be trusted: it is signed by/);
  });

  it('the host checks digests and signatures, and says that it saw no contents', async () => {
    const ran = await eventcore('verify');
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stdout, /digests only: no key opens it/);
    assert.match(ran.stdout, /by ed25519:/);
    const { backups } = await document('verify');
    for (const backup of backups) {
      assert.deepEqual([backup.eventsValid, backup.overallValid], [null, true]);
      assert.equal(backup.signature.state, 'signed');
    }
  });

  it('the host opens nothing: not to restore, export or list streams of others', async () => {
    const [{ backupId }] = (await document('list')).backups;
    for (const words of [
      ['restore', '--to', `sqlite:${at('stolen.db')}`],
      ['export', backupId, '--to', at('stolen.jsonl')],
    ]) {
      const ran = await eventcore(...words);
      assert.equal(ran.code, 8, ran.stderr);
      assert.match(ran.stderr, /^error: .*\nhint: .*--identity/);
    }
    assert.ok(!(await readdir(folder)).some((name) => name.startsWith('stolen')));
  });

  it('the owner verifies all of it and restores it; a stranger is told for whom it is sealed', async () => {
    const { backups } = await document('verify', ...openIt());
    assert.ok(backups.every((backup: { eventsValid: boolean }) => backup.eventsValid));
    const to = `sqlite:${at('restored.db')}`;
    const ran = await eventcore('restore', '--to', to, ...openIt());
    assert.equal(ran.code, 0, ran.stderr);
    assert.deepEqual(await digestAt(to), await digestAt(`sqlite:${at('events.db')}`));
    const other = await eventcore('restore', '--to', to, '--replace', '--identity', at('stranger.txt'));
    assert.equal(other.code, 8);
    assert.ok(other.stderr.includes(recipient), other.stderr);
  });

  it('the host keeps a log that only the owner can bring a point back from', async () => {
    const once = ['archive', '--once', '--flush-ms', '10'];
    assert.equal((await eventcore(...once)).code, 0);
    await append(5);
    assert.equal((await eventcore(...once)).code, 0);
    await sleep(20);
    const point = new Date().toISOString();
    const wanted = await digestAt(`sqlite:${at('events.db')}`);
    await sleep(20);
    await append(4);
    const last = await eventcore(...once);
    assert.equal(last.code, 0, last.stderr);
    const bytes = await vaultBytes();
    for (const secret of Object.values(CANARY)) assert.ok(!bytes.includes(secret), secret);
    const back = ['restore', '--at', point, '--to', `sqlite:${at('point.db')}`];
    const closed = await eventcore(...back);
    assert.equal(closed.code, 8, closed.stderr);
    assert.match(closed.stderr, /^error: .*\nhint: .*--identity/);
    const ran = await eventcore(...back, ...openIt());
    assert.equal(ran.code, 0, ran.stderr);
    assert.deepEqual(await digestAt(`sqlite:${at('point.db')}`), wanted);
    assert.match((await eventcore('verify')).stdout, /contents not checked: no key opens all of it/);
    const [log] = (await document('verify', ...openIt())).log;
    assert.deepEqual([log.contentsChecked, log.blocksUnsigned, log.problems], [true, 0, []]);
    const { checks } = await document('doctor');
    const judged = checks.find(({ name }: { name: string }) => name === 'log signatures');
    assert.equal(judged.verdict, 'good', judged.message);
    const plain = await runHere([...once, '--vault', at('vault'), '--store', `sqlite:${at('events.db')}`]);
    assert.equal(plain.code, 8, plain.stderr);
    assert.match(plain.stderr, /is sealed, and nobody is named to seal for/);
  });

  it('an archiver hands its keys on to the backup that its log begins with', async () => {
    await writeFile(at('bare.yaml'), 'store: sqlite:./events.db\n');
    const where = ['--vault', at('fresh'), '--config', at('bare.yaml')];
    const keys = ['--recipient', recipient, '--sign-key', at('host.pem')];
    const ran = await runHere(['archive', '--once', ...keys, ...where]);
    assert.equal(ran.code, 0, ran.stderr);
    const { backups } = JSON.parse((await runHere(['list', '--json', ...where])).stdout);
    assert.deepEqual(
      backups.map(({ sealed }: { sealed: boolean }) => sealed),
      [true],
    );
  });

  it('a plain backup into the sealed vault is refused, and leaves it as it was', async () => {
    const before = await vaultBytes();
    await writeFile(at('plain.yaml'), 'store: sqlite:./events.db\n');
    for (const kind of ['full', 'incremental']) {
      const ran = await runHere(['backup', kind, '--vault', at('vault'), '--config', at('plain.yaml')]);
      assert.equal(ran.code, 8, ran.stderr);
      assert.match(ran.stderr, /is sealed, and nobody is named to seal for/);
    }
    assert.deepEqual(await vaultBytes(), before);
  });

  it('list and show say what is sealed and by whom it is signed', async () => {
    assert.match((await eventcore('list')).stdout, /columns, zstd, sealed/);
    const [{ backupId }] = (await document('list')).backups;
    const shown = await eventcore('show', backupId);
    assert.match(shown.stdout, /sealed +yes, with key [0-9a-f]{32}/);
    assert.match(shown.stdout, /signed +by ed25519:/);
    const streams = await eventcore('show', backupId, '--streams', ...openIt());
    assert.ok(streams.stdout.includes(CANARY.stream), streams.stdout);
  });

  it('the host prunes without a key, and the owner restores what stays', async () => {
    await cp(at('vault'), at('pruned'), { recursive: true, preserveTimestamps: true });
    const where = ['--vault', at('pruned'), '--config', at('host.yaml')];
    const ran = await runHere(['prune', '--keep-last', '1', '--apply', ...where]);
    assert.equal(ran.code, 0, ran.stderr);
    for (const secret of Object.values(CANARY)) assert.ok(!`${ran.stdout}${ran.stderr}`.includes(secret));
    const to = ['--to', `sqlite:${at('kept.db')}`];
    const restored = await runHere(['restore', ...to, ...where, ...openIt()]);
    assert.equal(restored.code, 0, restored.stderr);
    assert.deepEqual(await digestAt(`sqlite:${at('kept.db')}`), await digestAt(`sqlite:${at('events.db')}`));
  });

  it('a chain becomes one sealed backup where somebody can open it', async () => {
    const ran = await eventcore('backup', 'full', '--from-chain');
    assert.equal(ran.code, 8, ran.stderr);
    const made = await document('backup', 'full', '--from-chain', ...openIt());
    assert.deepEqual([made.kind, made.sealed, made.totalEvents], ['full', true, 47]);
  });
});
