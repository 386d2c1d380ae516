/** Connections that a server ends in the middle of everything: an operation may fail, the process may not. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openStore } from '../../../src/cli/wire.ts';
import { isBackupError } from '../../../src/core/errors.ts';
import { startPostgres, type TestPostgres } from '../../harness/postgres.ts';

let postgres: TestPostgres;
before(async () => {
  postgres = await startPostgres();
});
after(() => postgres.stop());

const END_ALL = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'eventcore-backup'`;
const MS = 2000;

it('whenever the server ends connections, operations fail with what the contract says, and nothing else comes of it', async () => {
  const store = await openStore(postgres.address(await postgres.createDatabase()));
  await store.initialise();
  const uncaught: unknown[] = [];
  const note = (error: unknown): void => {
    uncaught.push(error);
  };
  process.on('uncaughtException', note);
  const until = performance.now() + MS;
  const counts = { done: 0, failed: 0 };
  const work = async (n: number): Promise<void> => {
    const append = { streamId: `s-${n}`, events: [{ type: 'T', data: '{}' }] };
    while (performance.now() < until) {
      try {
        await store.append([append]);
        await store.count();
        await store.readStream(`s-${n}`, { limit: 1 });
        counts.done += 1;
      } catch (error) {
        assert.ok(isBackupError(error), String(error));
        counts.failed += 1;
      }
    }
  };
  const ending = (async () => {
    while (performance.now() < until) {
      await postgres.exec(END_ALL);
      await sleep(7);
    }
  })();
  await Promise.all([...[1, 2, 3, 4].map(work), ending]);
  // However little comes through meanwhile: all does when it is over.
  await store.append([{ streamId: 'after', events: [{ type: 'T', data: '{}' }] }]);
  assert.equal((await store.readStream('after', { limit: 1 })).length, 1);
  await store.close();
  await sleep(200);
  process.off('uncaughtException', note);
  assert.deepEqual(uncaught, []);
  assert.ok(counts.failed > 10, JSON.stringify(counts));
});

it('a process does not end before its store is closed, and ends when it is', async () => {
  const address = postgres.address(await postgres.createDatabase());
  const program = join(import.meta.dirname, 'closing-process.ts');
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, address], { encoding: 'utf8' });
  assert.deepEqual([status, stdout, stderr], [0, 'closed\n', '']);
});
