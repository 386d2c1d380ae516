/** The daemon as a process, over a real store and vault. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { openStore, openVault } from '../../src/cli/wire.ts';
import { hashToken, makeToken } from '../../src/console/access/tokens.ts';
import type { JobName, RecordedRun } from '../../src/core/job.ts';
import { readRuns } from '../../src/daemon/job-records.ts';
import { type Daemon, postAs, startDaemon as startDaemonIn, until } from '../harness/daemon.ts';

const folder = mkdtempSync(join(tmpdir(), 'eventcore-serve-'));
const children: ChildProcess[] = [];
const TOKEN = makeToken(randomBytes(32));
after(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

async function startDaemon(config: string): Promise<Daemon> {
  const daemon = await startDaemonIn(folder, config);
  children.push(daemon.child);
  return daemon;
}

const post = (url: string, path: string, fields: Record<string, string>): Promise<string> =>
  postAs(TOKEN, url + path, fields);

function commandsOf({ child: { pid } }: Daemon): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}

function isAlive(pid: number): boolean {
  try {
    // What ended and was not waited for has no command line.
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '';
  } catch {
    return false;
  }
}

async function makeStore(name: string, count = 1): Promise<void> {
  const store = await openStore(`sqlite:${join(folder, `${name}.db`)}`);
  try {
    await store.initialise();
    const events = Array.from({ length: count }, (_, n) => ({ type: 'Began', data: `{"n":${n}}` }));
    await store.append([{ streamId: 'a', expectedVersion: 0n, events }]);
  } finally {
    await store.close();
  }
}

function writeConfig(name: string, jobs: string, ...more: readonly string[]): string {
  const file = join(folder, `${name}.yaml`);
  const places = [`store: sqlite:./${name}.db`, `vault: ./${name}-vault`];
  const lines = [...places, 'serve:', `  jobs: ${jobs}`, ...more];
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

/** A command whose daemon is gone stops as soon as it can, and ends after half a minute whatever it does. */
const ORPHAN_MS = 35_000;

/** Enough that a restore of them takes a moment. */
const MANY = 40_000;

/** Begins a restore, and comes back while it writes. */
async function beginRestore({ url, log }: Daemon): Promise<void> {
  const before = new Set(readdirSync(join(folder, 'restored')));
  await post(url, '/stores/orders/restore', { point: 'newest', target: 'disk' });
  const isNew = (name: string): boolean => name.endsWith('.db') && !before.has(name);
  await until(() => readdirSync(join(folder, 'restored')).some(isNew), log, { everyMs: 5 });
}

/** What is in the place for restores: the events of each store, null of what is none. */
async function restoredEvents(): Promise<(number | null)[]> {
  const found: (number | null)[] = [];
  for (const name of readdirSync(join(folder, 'restored')).filter((one) => one.endsWith('.db'))) {
    const store = await openStore(`sqlite:${join(folder, 'restored', name)}`);
    const { state } = await store.inspect();
    found.push(state === 'filled' ? (await store.count()).events : null);
    await store.close();
  }
  return found;
}

async function succeeded(name: string, job: JobName): Promise<number> {
  return (await runsOf(name, job)).filter(({ end }) => end?.state === 'succeeded').length;
}

describe('eventcore serve', () => {
  it('takes backups when they are due, answers for its health and stops cleanly', async () => {
    await makeStore('orders', MANY);
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

  it('runs what is asked for on its page, and restores into a new store', async () => {
    mkdirSync(join(folder, 'restored'));
    const config = writeConfig(
      'orders',
      '{ full: "0 2 * * 0", doctor: off }',
      '  restore_to: [{ name: disk, sqlite: ./restored }]',
      `  access: { tokens: [{ name: anna, role: operator, hash: "${hashToken(TOKEN)}" }] }`,
    );
    const first = await startDaemon(config);
    const { child, url, log, ended } = first;
    await until(async () => (await succeeded('orders', 'full')) >= 1, log);
    await post(url, '/stores/orders/jobs/verify/run', {});
    await until(async () => (await succeeded('orders', 'verify')) === 1, log);
    const [verified] = await runsOf('orders', 'verify');
    assert.match(verified!.begin.reason, /^asked for by anna$/);
    const operation = await post(url, '/stores/orders/restore', { point: 'newest', target: 'disk' });
    await until(() => log().includes('.db: succeeded'), log);
    const page = await fetch(url + operation, { headers: { authorization: `Bearer ${TOKEN}` } });
    assert.match(await page.text(), /eventcore restore --to sqlite:/);
    const [restored, ...others] = readdirSync(join(folder, 'restored'));
    assert.match(restored!, /^orders-\d{8}T\d{6}Z-[0-9a-f]{4}\.db$/);
    assert.deepEqual(others, []);
    const store = await openStore(`sqlite:${join(folder, 'restored', restored!)}`);
    assert.equal((await store.inspect()).state, 'filled');
    await store.close();
    await beginRestore(first);
    const stopped = commandsOf(first);
    child.kill('SIGTERM');
    assert.equal(await ended, 0);
    assert.deepEqual(stopped.filter(isAlive), []);
    assert.deepEqual(await restoredEvents(), [MANY]);
    const second = await startDaemon(config);
    await beginRestore(second);
    const orphans = commandsOf(second);
    second.child.kill('SIGKILL');
    await until(
      () => !orphans.some(isAlive),
      () => `${orphans.join(', ')} outlived the daemon`,
      { withinMs: ORPHAN_MS },
    );
    assert.deepEqual(
      (await restoredEvents()).filter((count) => count !== null),
      [MANY],
    );
  });

  it('goes on after a kill -9, and keeps a bad configuration out, and follows the store into another vault', async () => {
    await makeStore('payments');
    const config = writeConfig('payments', '{ archive: always, doctor: off }');
    const first = await startDaemon(config);
    await until(async () => (await runsOf('payments', 'archive')).length === 1, first.log);
    await until(() => commandsOf(first).length > 0, first.log);
    const commands = commandsOf(first);
    first.child.kill('SIGKILL');
    await first.ended;
    // Before the lease of the dead daemon is over, and another one runs the same.
    await until(
      () => !commands.some(isAlive),
      () => `${commands.join(', ')} outlived the daemon`,
      { withinMs: ORPHAN_MS },
    );
    const second = await startDaemon(config);
    writeConfig('payments', '{ archive: sometimes }');
    await until(() => second.log().includes('the old configuration stays in force'), second.log);
    assert.equal((await fetch(`${second.url}/`)).status, 200);
    const access = `  access: { tokens: [{ name: alice, role: viewer, hash: "sha256:${'a'.repeat(64)}" }] }`;
    writeConfig('payments', `{ archive: off, doctor: off, full: "0 2 * * 0" }\n${access}`);
    await until(async () => (await succeeded('payments', 'full')) === 1, second.log);
    const config2 = readFileSync(config, 'utf8').replace('./payments-vault', './moved-vault');
    writeFileSync(config, config2);
    await until(async () => (await succeeded('moved', 'full')) === 1, second.log);
    assert.equal((await fetch(`${second.url}/`)).status, 401);
    second.child.kill('SIGTERM');
    assert.equal(await second.ended, 0);
  });
});
