import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { makeClaimName, makeUnfinishedName, parseUnfinishedName } from '../../../src/vaults/fs/unfinished.ts';
import { openDirectoryVault } from '../../../src/vaults/fs/vault.ts';
import { withTemporaryDirectory } from './temporary-directory.ts';

const HOUR_MS = 3_600_000;

test('the name of an unfinished file says who writes it and what it will be', () => {
  const name = makeUnfinishedName('manifest.json');
  const parsed = parseUnfinishedName(name);
  assert.equal(parsed?.pid, process.pid);
  assert.equal(parsed.target, 'manifest.json');
  assert.notEqual(makeUnfinishedName('manifest.json'), name);
  assert.ok(makeUnfinishedName('n'.repeat(200)).length <= 255, 'longer than a file name can be');
  for (const other of ['manifest.json', '.tmp-', '.tmp-x', '.tmp-zzzzzzzz-1-1-00000000-a', '.claim-a']) {
    assert.equal(parseUnfinishedName(other), null, other);
  }
});

test('what this process is writing stays, however old it looks', async () => {
  await withVault(async (vault, path) => {
    const writer = await vault.createObject('backups/slow');
    await writer.write(new Uint8Array(300_000));
    const [file] = await readdir(join(path, 'backups'));
    await makeOld(join(path, 'backups', file!), 48 * HOUR_MS);
    assert.equal(await vault.removeLeftovers(''), 0);
    await writer.commit();
    assert.equal((await vault.stat('backups/slow'))?.sizeBytes, 300_000);
  });
});

test('what a dead process left goes, at once, and an emptied directory with it', async () => {
  await withVault(async (vault, path) => {
    const left = withParts(makeUnfinishedName('events'), { pid: await findDeadPid() });
    await leave(join(path, 'backups/killed', left));
    assert.equal(await vault.removeLeftovers(''), 1);
    assert.deepEqual(await readdir(path), []);
    assert.equal(await vault.removeLeftovers(''), 0);
  });
});

test('a living process that got the pid of a dead one does not protect what that left', async (t) => {
  const name = makeUnfinishedName('events');
  if (parseUnfinishedName(name)?.start === 0)
    return t.skip('this system does not tell when a process started');
  await withVault(async (vault, path) => {
    await leave(join(path, withParts(name, { start: 1 })));
    assert.equal(await vault.removeLeftovers(''), 1);
  });
});

test('what a process on another machine is writing stays until it is a day old', async () => {
  await withVault(async (vault, path) => {
    const file = join(
      path,
      withParts(makeUnfinishedName('events'), { place: '00000000', pid: await findDeadPid() }),
    );
    await leave(file);
    await makeOld(file, 23 * HOUR_MS);
    assert.equal(await vault.removeLeftovers(''), 0);
    await makeOld(file, 25 * HOUR_MS);
    assert.equal(await vault.removeLeftovers(''), 1);
  });
});

test('a claim goes when it is a day old', async () => {
  await withVault(async (vault, path) => {
    const claim = join(path, 'backups', makeClaimName('events'));
    await leave(claim);
    assert.equal(await vault.removeLeftovers(''), 0);
    await makeOld(claim, 25 * HOUR_MS);
    assert.equal(await vault.removeLeftovers('backups/ev'), 1);
  });
});

test('only leftovers of names under the prefix go', async () => {
  await withVault(async (vault, path) => {
    const pid = await findDeadPid();
    for (const name of ['a/x', 'a/y', 'ab/x', 'b/x', 'x']) {
      const left = withParts(makeUnfinishedName(name.split('/').at(-1)!), { pid });
      await leave(join(path, dirname(name), left));
    }
    assert.equal(await vault.removeLeftovers('a/x'), 1);
    assert.equal(await vault.removeLeftovers('a/'), 1);
    assert.equal(await vault.removeLeftovers('a'), 1);
    assert.equal(await vault.removeLeftovers('c'), 0);
    assert.equal(await vault.removeLeftovers(''), 2);
  });
});

async function withVault(
  body: (vault: ReturnType<typeof openDirectoryVault>, path: string) => Promise<void>,
): Promise<void> {
  await withTemporaryDirectory(async (path) => {
    const vault = openDirectoryVault(path);
    await vault.open({ create: true });
    await body(vault, path);
    await vault.close();
  });
}

async function leave(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, 'half');
}

async function makeOld(path: string, ageMs: number): Promise<void> {
  const then = new Date(Date.now() - ageMs);
  await utimes(path, then, then);
}

/** An unfinished name with other parts. */
function withParts(name: string, change: { place?: string; pid?: number; start?: number }): string {
  const parts = name.split('-');
  if (change.place !== undefined) parts[1] = change.place;
  if (change.pid !== undefined) parts[2] = String(change.pid);
  if (change.start !== undefined) parts[3] = String(change.start);
  return parts.join('-');
}

/** The pid of a process that has just ended; pids are not used again for thousands of processes. */
async function findDeadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  return child.pid!;
}
