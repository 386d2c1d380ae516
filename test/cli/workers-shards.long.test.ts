/** A store on several servers, backed up and restored by workers whose own configuration knows nothing of it. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openStore, useShards } from '../../src/cli/wire.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { generateAppends } from '../../src/testing/event-generator.ts';
import { runCommand, startCommand } from '../harness/command.ts';
import { until } from '../harness/daemon.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';

const EVENTS = 6000;

describe('shards whose ranges and parts workers do', () => {
  let server: TestPostgres;
  let folder: string;
  let worker: ChildProcess;
  let log = '';
  let queue: string[];

  before(async () => {
    [server, folder] = await Promise.all([
      startPostgres(),
      mkdtemp(join(tmpdir(), 'eventcore-workers-shards-')),
    ]);
    const addresses = [];
    for (let i = 0; i < 4; i += 1) addresses.push(server.address(await server.createDatabase()));
    const shards = {
      old: { stores: addresses.slice(0, 2), placement: 'hash' as const },
      fresh: { stores: addresses.slice(2), placement: 'hash' as const },
    };
    useShards(shards);
    const old = await openStore('shards:old');
    await old.initialise();
    for (const appends of generateAppends({ seed: 5, events: EVENTS })) {
      await Promise.all(appends.map((append) => old.append([append])));
    }
    await old.close();
    await writeFile(join(folder, 'queue.key'), 'a key of more than thirty-two characters\n', { mode: 0o600 });
    await writeFile(join(folder, 'eventcore.config.yaml'), JSON.stringify({ vault: './vault', shards }));
    queue = [
      '--queue',
      server.address(await server.createDatabase()),
      '--queue-key',
      `file:${folder}/queue.key`,
    ];
    const elsewhere = join(folder, 'elsewhere');
    await mkdir(elsewhere);
    worker = startCommand(elsewhere, ['worker', ...queue, '--log-level', 'info']);
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
    useShards({});
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('come back as they were, each event once', async () => {
    const backup = ['backup', 'full', '--store', 'shards:old', '--part-size', '2', ...queue];
    const taken = await runCommand(folder, backup);
    assert.equal(taken.code, 0, taken.stderr);
    assert.match(log, /"kind":"range"/);
    const restored = await runCommand(folder, ['restore', '--to', 'shards:fresh', ...queue]);
    assert.equal(restored.code, 0, restored.stderr);
    assert.match(log, /"kind":"part"/);
    const [old, fresh] = await Promise.all([openStore('shards:old'), openStore('shards:fresh')]);
    assert.deepEqual(await digestStore(fresh), await digestStore(old));
    assert.equal((await fresh.count()).events, EVENTS);
    await Promise.all([old.close(), fresh.close()]);
  });
});
