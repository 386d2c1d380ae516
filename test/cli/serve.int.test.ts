/** The daemon as a process, over a real store and vault. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openStore, openVault } from '../../src/cli/wire.ts';
import type { JobName, RecordedRun } from '../../src/core/job.ts';
import { readRuns } from '../../src/daemon/job-records.ts';
import { freePort } from '../harness/free-port.ts';

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts');
const folder = mkdtempSync(join(tmpdir(), 'eventcore-serve-'));
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

interface Daemon {
  readonly child: ChildProcess;
  readonly url: string;
  readonly log: () => string;
  readonly ended: Promise<number | null>;
}

async function startDaemon(config: string): Promise<Daemon> {
  const listen = `127.0.0.1:${await freePort()}`;
  const child = spawn(process.execPath, [MAIN, 'serve', config, '--listen', listen, '--log-level', 'info'], {
    ...{ cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
  });
  children.push(child);
  let log = '';
  child.stderr.on('data', (bytes: Buffer) => {
    log += bytes.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await until(
    () => log.includes('serving'),
    () => log,
  );
  return { child, url: `http://${listen}`, log: () => log, ended };
}

async function until(isSo: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  for (const endMs = Date.now() + 60_000; Date.now() < endMs; await sleep(100)) if (await isSo()) return;
  assert.fail(`did not come about: ${what()}`);
}

async function makeStore(name: string): Promise<void> {
  const store = await openStore(`sqlite:${join(folder, `${name}.db`)}`);
  try {
    await store.initialise();
    const events = [{ type: 'Began', data: '{"n":1}' }];
    await store.append([{ streamId: 'a', expectedVersion: 0n, events }]);
  } finally {
    await store.close();
  }
}

function writeConfig(name: string, jobs: string): string {
  const file = join(folder, `${name}.yaml`);
  const lines = [`store: sqlite:./${name}.db`, `vault: ./${name}-vault`, 'serve:', `  jobs: ${jobs}`];
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

async function runsOf(name: string, job: JobName): Promise<RecordedRun[]> {
  const vault = openVault(`file:${join(folder, `${name}-vault`)}`);
  await vault.open({ create: true });
  try {
    return await readRuns(vault, job, 1000);
  } finally {
    await vault.close();
  }
}

async function succeeded(name: string, job: JobName): Promise<number> {
  return (await runsOf(name, job)).filter(({ end }) => end?.state === 'succeeded').length;
}

describe('eventcore serve', () => {
  it('takes backups when they are due, answers for its health and stops cleanly', async () => {
    await makeStore('orders');
    const config = writeConfig(
      'orders',
      '{ full: "0 2 * * 0", incremental: { every: 5s }, archive: always, doctor: off }',
    );
    const { child, url, log, ended } = await startDaemon(config);
    await until(async () => (await succeeded('orders', 'incremental')) >= 2, log);
    assert.equal((await fetch(`${url}/livez`)).status, 200);
    assert.equal((await fetch(`${url}/readyz`)).status, 200);
    assert.equal((await fetch(`${url}/nowhere`)).status, 404);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    assert.match(metrics, /eventcore_job_running\{store="orders",job_name="archive"\} 1/);
    assert.match(
      metrics,
      /eventcore_job_last_success_timestamp_seconds\{store="orders",job_name="full"\} \d+/,
    );
    child.kill('SIGTERM');
    assert.equal(await ended, 0);
    assert.equal(await succeeded('orders', 'full'), 1);
    const [archive] = await runsOf('orders', 'archive');
    assert.equal(archive?.end?.state, 'interrupted');
  });

  it('goes on after a kill -9, and keeps a bad configuration out', async () => {
    await makeStore('payments');
    const config = writeConfig('payments', '{ archive: always, doctor: off }');
    const first = await startDaemon(config);
    await until(async () => (await runsOf('payments', 'archive')).length === 1, first.log);
    first.child.kill('SIGKILL');
    await first.ended;
    const second = await startDaemon(config);
    writeConfig('payments', '{ archive: sometimes }');
    await until(() => second.log().includes('the old configuration stays in force'), second.log);
    assert.equal((await fetch(`${second.url}/`)).status, 200);
    const access = `  access: { tokens: [{ name: alice, role: viewer, hash: "sha256:${'a'.repeat(64)}" }] }`;
    writeConfig('payments', `{ archive: off, doctor: off, full: "0 2 * * 0" }\n${access}`);
    await until(async () => (await succeeded('payments', 'full')) === 1, second.log);
    assert.equal((await fetch(`${second.url}/`)).status, 401);
    second.child.kill('SIGTERM');
    assert.equal(await second.ended, 0);
  });
});
