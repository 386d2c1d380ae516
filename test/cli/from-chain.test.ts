import assert from 'node:assert/strict';
import { cp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { digestAt, fillStore, makeFolder, type Ran, runHere, withStoreAt } from '../harness/command.ts';

const EVENTS = 2000;
const STORE = 'sqlite:events.db';

/** Each test has a copy of a vault with a chain of three: columns, columns, jsonl. The store is not where it was. */
describe('backup full --from-chain', () => {
  let folder: string;
  let remove: () => Promise<void>;
  let digest: string;
  let ids: string[];
  let number = 0;

  const backUp = async (kind: string, ...words: string[]): Promise<string> => {
    const ran = await runHere(['backup', kind, '--store', STORE, '--vault', 'chain', '--json', ...words]);
    assert.equal(ran.code, 0, ran.stderr);
    return JSON.parse(ran.stdout).backupId;
  };

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    process.chdir(folder);
    await fillStore(`sqlite:${folder}/events.db`, EVENTS);
    ids = [await backUp('full')];
    await append();
    ids.push(await backUp('incremental'));
    await append();
    ids.push(await backUp('incremental', '--format', 'jsonl'));
    digest = await digestAt(`sqlite:${folder}/events.db`);
    await rename('events.db', 'moved.db');
  });
  after(() => {
    process.chdir('/');
    return remove();
  });

  function append(): Promise<unknown> {
    const events = Array.from({ length: 40 }, (_, i) => ({ type: 'Added', data: JSON.stringify({ i }) }));
    return withStoreAt(STORE, (store) => store.append([{ streamId: 'one-more', events }]));
  }

  async function vaultCopy(): Promise<{ vault: string; run: (...words: string[]) => Promise<Ran> }> {
    number += 1;
    const vault = `vault-${number}`;
    await cp('chain', vault, { recursive: true });
    return { vault, run: (...words) => runHere([...words, '--vault', vault]) };
  }

  const bundleOf = (vault: string, kind: string, id: string): string =>
    join(vault, 'backups', `${kind}-backup-${id}.eventcore`);

  it('makes a full backup of the newest chain, and says of what and how', async () => {
    const { run } = await vaultCopy();
    const { code, stdout, stderr } = await run('backup', 'full', '--from-chain');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^Put together 3 backups of file:/);
    assert.match(stdout, new RegExp(`as of +${ids[2]}\n`));
    assert.match(stdout, /events +2,080 in /);
    assert.match(stdout, /files +1 file taken as they are, 2 files encoded anew\n/);
    assert.match(stdout, /verified +yes/);
  });

  it('gives programs a backup like any other, and the ids of the chain', async () => {
    const { run, vault } = await vaultCopy();
    const words = ['backup', 'full', '--from-chain', '--format', 'columns', '--json'];
    const { code, stdout } = await run(...words);
    assert.equal(code, 0);
    const document = JSON.parse(stdout);
    assert.deepEqual(document.fromChain, ids);
    assert.deepEqual([document.filesCopied, document.filesEncoded], [2, 1]);
    assert.deepEqual([document.kind, document.parentId, document.verified], ['full', null, true]);
    assert.deepEqual([document.format, document.totalEvents], ['columns', EVENTS + 80]);
    for (const [i, kind] of ['full', 'incremental', 'incremental'].entries()) {
      await rm(bundleOf(vault, kind, ids[i]!), { recursive: true });
    }
    assert.equal((await run('verify')).code, 0);
    assert.equal((await run('restore', '--to', `sqlite:restored-${vault}.db`)).code, 0);
    assert.equal(await digestAt(`sqlite:${folder}/restored-${vault}.db`), digest);
  });

  it('stops at the backup that is named', async () => {
    const { run } = await vaultCopy();
    const { stdout } = await run(
      'backup',
      'full',
      '--from-chain',
      ids[1]!.slice(0, 8),
      '--json',
      '--no-verify',
    );
    const document = JSON.parse(stdout);
    assert.deepEqual(document.fromChain, ids.slice(0, 2));
    assert.deepEqual([document.totalEvents, document.verified], [EVENTS + 40, false]);
  });

  it('a second time finds nothing to put together: exit code 3, and the vault stays as it is', async () => {
    const { run, vault } = await vaultCopy();
    assert.equal((await run('backup', 'full', '--from-chain')).code, 0);
    const before = await readdir(join(vault, 'backups'), { recursive: true });
    const { code, stderr } = await run('backup', 'full', '--from-chain');
    assert.equal(code, 3);
    assert.match(stderr, /^error: no chain: backup .* is a full one already\nhint: /);
    assert.deepEqual(await readdir(join(vault, 'backups'), { recursive: true }), before);
  });

  it('refuses a chain with a damaged link and names it; without a name it takes the newest whole one', async () => {
    const { run, vault } = await vaultCopy();
    const manifest = join(bundleOf(vault, 'incremental', ids[2]!), 'manifest.json');
    const whole = await readFile(manifest);
    const middle = join(bundleOf(vault, 'incremental', ids[1]!), 'manifest.json');
    await writeFile(middle, '{');
    const named = await run('backup', 'full', '--from-chain', ids[2]!);
    assert.equal(named.code, 4);
    assert.match(named.stderr, new RegExp(`^error: backup ${ids[2]} cannot be used: ${ids[1]}.*damaged`));
    const newest = await run('backup', 'full', '--from-chain');
    assert.equal(newest.code, 3, newest.stderr);
    assert.match(newest.stderr, new RegExp(`passing over backup ${ids[2]}`));
    assert.match(newest.stderr, new RegExp(`no chain: backup ${ids[0]} is a full one`));
    assert.deepEqual(await readFile(manifest), whole);
    await rm(bundleOf(vault, 'full', ids[0]!), { recursive: true });
    assert.equal((await run('backup', 'full', '--from-chain')).code, 4);
  });

  it('does not take damaged events over: exit code 4, and nothing of it stays', async () => {
    const { run, vault } = await vaultCopy();
    const file = join(bundleOf(vault, 'full', ids[0]!), 'events-00001.columns.zst');
    const bytes = await readFile(file);
    bytes[100]! ^= 1;
    await writeFile(file, bytes);
    const { code, stderr } = await run('backup', 'full', '--from-chain', '--format', 'columns');
    assert.equal(code, 4);
    assert.match(stderr, /hint: the attempt was removed; `eventcore verify` says whether the chain/);
    assert.equal((await readdir(join(vault, 'backups'))).length, 3);
  });

  it('refuses what is not there and what there is not', async () => {
    const { run } = await vaultCopy();
    assert.equal((await run('backup', 'full', '--from-chain', 'ffffffff')).code, 3);
    assert.equal((await run('backup', 'full', '--from-chain', '--level', '30')).code, 2);
    const nowhere = ['backup', 'full', '--from-chain', '--vault', 'nowhere'];
    assert.equal((await runHere(nowhere)).code, 6);
    assert.ok(!(await readdir('.')).includes('nowhere'));
  });
});
