import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { TAR_BLOCK_BYTES, tarHeader, tarPadding } from '../../../src/cli/export/tar.ts';
import { digestAt, fillStore, makeFolder, type Ran, runHere, withStoreAt } from '../../harness/command.ts';
import { flipBit } from '../../harness/drill-world.ts';

const EVENTS = 1000;

describe('a bundle', () => {
  let folder: string;
  let remove: () => Promise<void>;
  let digest: string;
  let newest: string;
  const store = (): string => `sqlite:${folder}/events.db`;
  const run = (...words: string[]): Promise<Ran> => runHere(words);
  const succeed = async (...words: string[]): Promise<Ran> => {
    const ran = await run(...words);
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    return ran;
  };
  const vaultAt = (name: string): string[] => ['--vault', join(folder, name)];
  const bundle = (to: string, vault = 'vault', id = newest): Promise<Ran> =>
    run('export', id, '--as', 'bundle', '--to', join(folder, to), '--json', ...vaultAt(vault));
  const unpack = (name: string, into: string): void => {
    mkdirSync(join(folder, into), { recursive: true });
    execFileSync('tar', ['-xf', join(folder, name), '-C', join(folder, into)]);
  };
  const takeTwo = async (vault: string, seal: string[] = [], key: string[] = []): Promise<string> => {
    const words = [...seal, ...key];
    await succeed('backup', 'full', '--store', store(), ...vaultAt(vault), ...words);
    await withStoreAt(store(), async (opened) => {
      await opened.append([{ streamId: `more-${vault}`, events: [{ type: 'Came', data: '{"n":1}' }] }]);
    });
    const ran = await succeed(
      'backup',
      'incremental',
      '--store',
      store(),
      '--json',
      ...vaultAt(vault),
      ...words,
    );
    return JSON.parse(ran.stdout).backupId;
  };

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    await fillStore(store(), EVENTS);
    newest = await takeTwo('vault');
    digest = await digestAt(store());
  });
  after(() => remove());

  it('unpacked by tar is a vault, which is verified and restored', async () => {
    const ran = await bundle('backup.tar');
    assert.equal(ran.code, 0, ran.stderr);
    const { chain, events, sizeBytes, as } = JSON.parse(ran.stdout);
    assert.deepEqual([chain.length, chain[1], events, as], [2, newest, EVENTS + 1, 'bundle']);
    assert.equal(sizeBytes, readFileSync(join(folder, 'backup.tar')).length);
    unpack('backup.tar', 'unpacked');
    const names = (vault: string): string[] =>
      globSync('backups/**/*.*', { cwd: join(folder, vault) }).sort();
    assert.deepEqual(names('unpacked'), names('vault'));
    const verified = JSON.parse((await succeed('verify', '--json', ...vaultAt('unpacked'))).stdout);
    assert.deepEqual([verified.overallValid, verified.backups.length], [true, 2]);
    await succeed('restore', '--to', `sqlite:${folder}/back.db`, ...vaultAt('unpacked'));
    assert.equal(await digestAt(`sqlite:${folder}/back.db`), digest);
  });

  it('holds each manifest behind all that it names, so that half of one is no backup', async () => {
    const listed = execFileSync('tar', ['-tf', join(folder, 'backup.tar')], { encoding: 'utf8' });
    const names = listed.trimEnd().split('\n');
    assert.ok(names[0]!.startsWith('backups/full-backup-'));
    const folders = names.map((name) => name.slice(0, name.lastIndexOf('/')));
    names.forEach((name, i) => {
      assert.equal(name.endsWith('/manifest.json'), folders[i + 1] !== folders[i], name);
    });
  });

  it('is the same bytes from every copy of the backup, and through a pipe', async () => {
    cpSync(join(folder, 'vault'), join(folder, 'copy'), { recursive: true });
    for (const file of globSync('backups/**/*.*', { cwd: join(folder, 'copy') }))
      utimesSync(join(folder, 'copy', file), 1, 1);
    assert.equal((await bundle('copy.tar', 'copy')).code, 0);
    const first = readFileSync(join(folder, 'backup.tar'));
    assert.ok(readFileSync(join(folder, 'copy.tar')).equals(first));
    const main = join(import.meta.dirname, '../../../src/cli/main.ts');
    const words = ['export', newest, '--as', 'bundle', '--to', '-', ...vaultAt('vault')];
    const { stdout } = spawnSync(process.execPath, [main, ...words], { maxBuffer: 1 << 28 });
    assert.ok(stdout.equals(first));
  });

  it('of sealed backups is made without a key, and opened with it', async () => {
    const identity = await generateX25519Identity();
    writeFileSync(join(folder, 'owner.txt'), identity, { mode: 0o600 });
    const recipient = ['--recipient', await identityToRecipient(identity)];
    const key = ['--identity', join(folder, 'owner.txt')];
    const sealed = await takeTwo('sealed', recipient, key);
    assert.equal((await bundle('sealed.tar', 'sealed', sealed)).code, 0);
    unpack('sealed.tar', 'opened');
    await succeed('restore', '--to', `sqlite:${folder}/opened.db`, ...key, ...vaultAt('opened'));
    assert.equal(await digestAt(`sqlite:${folder}/opened.db`), await digestAt(store()));
    const without = await run('restore', '--to', `sqlite:${folder}/closed.db`, ...vaultAt('opened'));
    assert.equal(without.code, 8, without.stderr);
  });

  it('of a backup that is damaged, or lacks something, is not made', async () => {
    for (const [name, spoil, reason] of [
      ['flipped', (path: string) => flipBit(path), /events-00001\S+: it does not have its checksum/],
      ['cut', (path: string) => writeFileSync(path, ''), /events-00001\S+: it has 0 bytes instead of/],
    ] as const) {
      cpSync(join(folder, 'vault'), join(folder, name), { recursive: true });
      const [file] = globSync('backups/full-*/events-00001.columns.zst', { cwd: join(folder, name) });
      const path = join(folder, name, file!);
      cpSync(path, `${path}.new`);
      spoil(`${path}.new`);
      execFileSync('mv', ['-f', `${path}.new`, path]);
      const ran = await bundle(`${name}.tar`, name);
      assert.equal(ran.code, 4, ran.stderr);
      assert.match(JSON.parse(ran.stderr).error.message, reason);
      assert.equal(existsSync(join(folder, `${name}.tar`)), false);
    }
  });

  it('of backups that nobody trusted signed is not made', async () => {
    const config = join(folder, 'trust.yaml');
    const { publicKey } = generateKeyPairSync('ed25519');
    const { x } = publicKey.export({ format: 'jwk' });
    writeFileSync(config, `encryption: { trusted_signers: ["ed25519:${x}"], require_signature: true }\n`);
    const to = join(folder, 'untrusted.tar');
    const words = ['export', newest, '--as', 'bundle', '--to', to, '--config', config, ...vaultAt('vault')];
    const ran = await run(...words);
    assert.equal(ran.code, 8, ran.stderr);
    assert.match(ran.stderr, /is not to be trusted/);
    assert.equal(existsSync(to), false);
  });

  it('is of a backup, not of a store', async () => {
    const ran = await run('export', '--store', store(), '--as', 'bundle', '--to', '-');
    assert.equal(ran.code, 2);
    assert.match(ran.stderr, /of a backup, and a store is named\nhint: .*backup full/);
  });
});

describe('a tar file', () => {
  const list = (bytes: Uint8Array): string =>
    spawnSync('tar', ['-tvf', '-', '--utc'], { input: bytes, encoding: 'utf8' }).stdout;

  it('has names and sizes as tar reads them, also such as have no room in its first form', () => {
    const long = `backups/incremental-backup-${'0'.repeat(36)}.eventcore/events-00001.columns.zst.sealed.index`;
    for (const [name, sizeBytes] of [
      ['a', 0],
      [long, 8 ** 11 - 1],
      [long, 8 ** 11],
      ['b/c', 9_007_199_254_740_991],
    ] as const) {
      const header = tarHeader({ name, sizeBytes, modifiedAtS: 1_700_000_000 });
      assert.equal(header.length % TAR_BLOCK_BYTES, 0);
      const line = list(header);
      assert.match(line, new RegExp(`^-rw------- 0/0 +${sizeBytes} 2023-11-14 22:13 ${name}\\n`));
    }
    assert.deepEqual(
      [0, 1, 511, 512].map((size) => tarPadding(size).length),
      [0, 511, 1, 0],
    );
  });
});
