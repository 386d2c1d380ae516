import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  awaitCommand,
  digestAt,
  fillStore,
  makeFolder,
  runCommand,
  startCommand,
  withStoreAt,
} from '../harness/command.ts';

const EVENTS = 150_000;
const PATIENCE_MS = 60_000;

describe('Ctrl-C', () => {
  let folder: string;
  let remove: () => Promise<void>;
  let digest: string;
  const slowly = ['backup', 'full', '--store', 'sqlite:events.db', '--vault', 'vault', '--level', '19'];

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    digest = await fillStore(`sqlite:${folder}/events.db`, EVENTS);
  });
  after(() => remove());

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`stops a backup (${signal}): exit code 130, no backup and no object is left`, async () => {
      const child = startCommand(folder, slowly);
      const ended = awaitCommand(child);
      await until(child, () => filesBelow(join(folder, 'vault')).length > 0);
      child.kill(signal);
      const { code, stdout, stderr } = await ended;
      assert.deepEqual([code, stdout], [130, '']);
      assert.equal(stderr, 'error: interrupted: what had been written was removed, nothing is left behind\n');
      assert.deepEqual(filesBelow(join(folder, 'vault')), []);
    });
  }

  it('is an error of the contract for programs', async () => {
    const child = startCommand(folder, [...slowly, '--json']);
    const ended = awaitCommand(child);
    await until(child, () => filesBelow(join(folder, 'vault')).length > 0);
    child.kill('SIGINT');
    const { code, stdout, stderr } = await ended;
    assert.deepEqual([code, stdout], [130, '']);
    const { error } = JSON.parse(stderr);
    assert.deepEqual([error.code, error.retryable], ['interrupted', true]);
  });

  it('stops a restore: the target is as it was, and the next restore succeeds', async () => {
    const quickly = ['backup', 'full', '--store', 'sqlite:events.db', '--vault', 'sound', '--no-verify'];
    assert.equal((await runCommand(folder, quickly)).code, 0);
    const words = ['restore', '--vault', 'sound', '--to', 'sqlite:target.db'];
    const child = startCommand(folder, words);
    const ended = awaitCommand(child);
    await until(child, () => readdirSync(folder).some((name) => name.startsWith('target.db')));
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    assert.equal(code, 130);
    assert.match(stderr, /^error: interrupted: nothing was published, the target is as it was\n$/);
    await withStoreAt(`sqlite:${folder}/target.db`, async (store) => {
      assert.equal((await store.inspect()).state, 'missing');
    });
    const again = await runCommand(folder, words);
    assert.equal(again.code, 0, again.stderr);
    assert.equal(await digestAt(`sqlite:${folder}/target.db`), digest);
  });

  it('stops an export: no file is left', async () => {
    const child = startCommand(folder, ['export', '--store', 'sqlite:events.db', '--to', 'out.jsonl']);
    const ended = awaitCommand(child);
    await until(child, () => readdirSync(folder).some((name) => name.startsWith('out.jsonl')));
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    assert.equal(code, 130);
    assert.match(stderr, /interrupted: out\.jsonl was not written/);
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith('out.jsonl')),
      [],
    );
  });
});

describe('a reader that goes away', () => {
  let folder: string;
  let remove: () => Promise<void>;
  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    await fillStore(`sqlite:${folder}/events.db`, 50_000);
  });
  after(() => remove());

  it('ends an export quietly', async () => {
    const child = startCommand(folder, ['export', '--store', 'sqlite:events.db', '--to', '-']);
    child.stdout!.once('data', () => child.stdout!.destroy());
    const { code, stderr } = await awaitCommand(child);
    assert.deepEqual([code, stderr], [0, '']);
  });

  it('does not stop a backup', async () => {
    const child = startCommand(folder, ['backup', 'full', '--store', 'sqlite:events.db', '--vault', 'vault']);
    child.stdout!.destroy();
    const { code, stderr } = await awaitCommand(child);
    assert.deepEqual([code, stderr], [0, '']);
    const { stdout } = await runCommand(folder, ['list', '--vault', 'vault', '--json']);
    assert.equal(JSON.parse(stdout).backups.length, 1);
  });
});

function filesBelow(path: string): string[] {
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);
}

/** Waits until something can be seen of a command; fails when the command ends before. */
async function until(child: ChildProcess, isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!isSo()) {
    assert.equal(child.exitCode, null, 'the command ended before it could be interrupted');
    assert.ok(Date.now() < deadline, 'nothing happened');
    await sleep(5);
  }
}
