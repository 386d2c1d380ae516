import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { openDirectoryVault } from '../../../src/vaults/fs/vault.ts';
import { withTemporaryDirectory } from './temporary-directory.ts';

const KILLS = 15;
const WRITER = join(import.meta.dirname, 'endless-writer.ts');

test('killed at any moment, a writer leaves whole objects, all it committed, and removable leftovers', async () => {
  await withTemporaryDirectory(async (path) => {
    const vault = openDirectoryVault(path);
    await vault.open({ create: true });
    const committed = new Set<string>();
    let leftovers = 0;
    for (let kill = 0; kill < KILLS; kill += 1) {
      for (const name of await writeUntilKilled(path, Math.random() * 120)) committed.add(name);
      const listed = await assertAllWhole(path);
      for (const name of committed) assert.ok(listed.has(name), `${name} was committed and is gone`);
      leftovers += await vault.removeLeftovers('');
      assert.deepEqual(await findHidden(path), []);
      assert.deepEqual(await assertAllWhole(path), listed);
    }
    assert.ok(committed.size > KILLS, `only ${committed.size} objects were committed`);
    assert.ok(leftovers > 0, 'no kill met a writer at work: the test proves nothing');
  });
});

test('what a living process is writing survives another one that cleans up', async () => {
  await withTemporaryDirectory(async (path) => {
    const vault = openDirectoryVault(path);
    await vault.open({ create: true });
    const writer = await startWriter(path);
    let removed = 0;
    for (let i = 0; i < 200; i += 1) removed += await vault.removeLeftovers('');
    await writer.kill();
    assert.equal(removed, 0);
  });
});

/** The names whose commits had resolved when the writer was killed, `delayMs` after its first one. */
async function writeUntilKilled(path: string, delayMs: number): Promise<string[]> {
  const writer = await startWriter(path);
  await setTimeout(delayMs);
  return writer.kill();
}

/** Resolves once the writer has committed its first object; fails when it ends by itself. */
async function startWriter(path: string) {
  const child = spawn(process.execPath, [WRITER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const endedFirst = closed.then(() => assert.fail('the writer ended before it had committed anything'));
  await Promise.race([once(child.stdout, 'data'), endedFirst]);
  endedFirst.catch(() => {}); // It is about to be killed.
  const kill = async () => {
    child.kill('SIGKILL');
    assert.deepEqual(await closed, [null, 'SIGKILL'], 'the writer ended by itself');
    return output.split('\n').slice(0, -1);
  };
  return { kill };
}

async function assertAllWhole(path: string): Promise<Set<string>> {
  const vault = openDirectoryVault(path);
  await vault.open({ create: false });
  const listed = new Set<string>();
  for await (const { name, sizeBytes } of vault.list('')) {
    const bytes = await vault.readRange(name, 0, sizeBytes);
    assert.equal(createHash('sha256').update(bytes).digest('hex'), name.split('/').at(-1));
    listed.add(name);
  }
  return listed;
}

async function findHidden(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true });
  return entries.filter((entry) => entry.split('/').some((part) => part.startsWith('.')));
}
