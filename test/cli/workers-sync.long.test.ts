/** What workers do of a sync: large objects are copied by whoever takes the job. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadGenerated } from '../../bench/dataset.ts';
import { runCommand, startCommand } from '../harness/command.ts';
import { until } from '../harness/daemon.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';

describe('a sync whose copies workers make', () => {
  let server: TestPostgres;
  let folder: string;
  let worker: ChildProcess;
  let log = '';
  let queue: string[];

  before(async () => {
    [server, folder] = await Promise.all([
      startPostgres(),
      mkdtemp(join(tmpdir(), 'eventcore-workers-sync-')),
    ]);
    await writeFile(join(folder, 'queue.key'), 'a key of more than thirty-two characters\n', { mode: 0o600 });
    await writeFile(
      join(folder, 'eventcore.config.yaml'),
      'primary: { region: here, storage: ./here }\nreplicas: [{ region: there, storage: ./there }]\n',
    );
    queue = ['--queue', server.address(await server.createDatabase()), '--queue-key', 'file:queue.key'];
    await loadGenerated(`sqlite:${join(folder, 'events.db')}`, 20_000);
    const backup = [
      'backup',
      'full',
      '--store',
      'sqlite:./events.db',
      '--format',
      'jsonl',
      '--compression',
      'none',
    ];
    assert.equal((await runCommand(folder, backup)).code, 0);
    worker = startCommand(folder, ['worker', ...queue, '--log-level', 'info']);
    worker.stderr?.on('data', (bytes: Buffer) => {
      log += bytes.toString();
    });
    await until(
      () => log.includes('takes jobs'),
      () => log,
    );
  });

  after(async () => {
    worker?.kill('SIGTERM');
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('brings all over, and leaves nothing in the queue', async () => {
    const synced = await runCommand(folder, ['sync', ...queue, '--json']);
    assert.equal(synced.code, 0, synced.stderr);
    assert.match(log, /"kind":"copy"/);
    const verified = await runCommand(folder, ['verify', '--vault', './there', '--json', '--no-record']);
    assert.equal(verified.code, 0, verified.stderr);
    const left = JSON.parse((await runCommand(folder, ['queue', ...queue, '--json'])).stdout) as Record<
      string,
      unknown
    >;
    assert.deepEqual([left.waiting, left.active, left.dead, left.runs], [0, 0, 0, []]);
  });
});
