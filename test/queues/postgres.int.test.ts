import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isBackupError } from '../../src/core/errors.ts';
import type {
  JobEnd,
  JobStanding,
  OfferedJob,
  TakenJob,
  Taking,
  WorkQueue,
} from '../../src/core/work-queue.ts';
import { openQueueDatabase } from '../../src/queues/postgres/database.ts';
import { openPostgresQueue } from '../../src/queues/postgres/queue.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';

const OPTIONS = { protocol: 1, silenceMs: 60_000 };
const CHECK = 'the check of a key';

let server: TestPostgres;
let address: string;
const opened: WorkQueue[] = [];

before(async () => {
  server = await startPostgres();
  address = server.address(await server.createDatabase());
});
after(async () => {
  await Promise.all(opened.map((queue) => queue.close()));
  await server.stop();
});

async function open(name?: string): Promise<WorkQueue> {
  const queue = openPostgresQueue(address, { ...OPTIONS, ...(name === undefined ? {} : { name }) });
  opened.push(queue);
  await queue.open(CHECK);
  return queue;
}

async function beginRun(queue: WorkQueue): Promise<string> {
  const id = randomUUID();
  await queue.beginRun({ id, what: 'a test', holder: 'test' });
  return id;
}

function job(runId: string, change: Partial<OfferedJob> = {}): OfferedJob {
  const group = { tier: 'store', id: 'postgres://db/shop' } as const;
  return {
    id: randomUUID(),
    runId,
    kind: 'range',
    payload: Buffer.from('order'),
    group,
    priority: 0,
    ...change,
  };
}

async function doNothing(queue: WorkQueue, taken: TakenJob): Promise<JobEnd> {
  return { kind: 'done', result: await queue.writeResult(taken, Buffer.from(`result of ${taken.id}`)) };
}

async function settled(queue: WorkQueue, ids: readonly string[]): Promise<readonly JobStanding[]> {
  for (const until = Date.now() + 30_000; ; await sleep(50)) {
    const standings = await queue.look(ids);
    if (standings.every(({ state }) => state !== 'waiting' && state !== 'active')) return standings;
    assert.ok(Date.now() < until, JSON.stringify(standings));
  }
}

async function until(isSo: () => boolean): Promise<void> {
  for (const end = Date.now() + 30_000; !isSo(); await sleep(20)) assert.ok(Date.now() < end, String(isSo));
}

const lanes = (count: number, limits: { perStore?: number } = {}) => ({
  ...{ lanes: count, perStore: limits.perStore ?? null, perVault: null },
  onTrouble: () => undefined,
});

describe('a queue in PostgreSQL', () => {
  it('gives each job to one worker, and its result to who asked', async () => {
    const coordinator = await open();
    const workers = await Promise.all([open('one'), open('two')]);
    const runId = await beginRun(coordinator);
    const jobs = Array.from({ length: 20 }, () => job(runId));
    const seen: string[] = [];
    const takings = await Promise.all(
      workers.map((queue) =>
        queue.take(lanes(2), async (taken) => {
          assert.equal(Buffer.from(taken.payload).toString(), 'order');
          seen.push(taken.id);
          return doNothing(queue, taken);
        }),
      ),
    );
    await Promise.all(jobs.map((each) => coordinator.offer(each)));
    const standings = await settled(
      coordinator,
      jobs.map(({ id }) => id),
    );
    assert.deepEqual(seen.toSorted(), jobs.map(({ id }) => id).toSorted());
    for (const { id, state, result } of standings) {
      assert.equal(state, 'done');
      assert.equal(Buffer.from(await coordinator.readResult(result!)).toString(), `result of ${id}`);
    }
    const known = await coordinator.workers();
    assert.deepEqual(known.map(({ name }) => name).toSorted(), ['one', 'two']);
    await Promise.all(takings.map((taking) => taking.stop(1000)));
    await coordinator.endRun(
      runId,
      jobs.map(({ id }) => id),
    );
    assert.deepEqual(await coordinator.look(jobs.map(({ id }) => id)), []);
    assert.equal((await server.exec('SELECT FROM eventcore_queue.result', databaseOf(address))).length, 0);
  });

  it('takes results of several megabytes, to the byte', async () => {
    const queue = await open();
    const runId = await beginRun(queue);
    const taken = { ...job(runId), attempt: 0, signal: new AbortController().signal };
    const bytes = Buffer.from(Array.from({ length: 3_300_000 }, (_, i) => (i * 7) & 255));
    const place = await queue.writeResult(taken, bytes);
    assert.equal(place.parts, 4);
    assert.deepEqual(Buffer.from(await queue.readResult(place)), bytes);
    await server.exec('DELETE FROM eventcore_queue.result WHERE part = 2', databaseOf(address));
    await assert.rejects(queue.readResult(place), (error) => isBackupError(error, 'queue_refused'));
    await queue.endRun(runId, []);
  });

  it('gives a job that may work another time to somebody again, and no other one', async () => {
    const queue = await open('again');
    const runId = await beginRun(queue);
    const [again, never] = [job(runId), job(runId)];
    const attempts = new Map<string, number[]>();
    const taking = await queue.take(lanes(2), async (taken) => {
      attempts.set(taken.id, [...(attempts.get(taken.id) ?? []), taken.attempt]);
      const sealed = Buffer.from('why');
      if (taken.id === never.id) return { kind: 'failed', again: false, sealed };
      return taken.attempt === 0 ? { kind: 'failed', again: true, sealed } : doNothing(queue, taken);
    });
    await Promise.all([queue.offer(again), queue.offer(never)]);
    const standings = new Map((await settled(queue, [again.id, never.id])).map((each) => [each.id, each]));
    await taking.stop(1000);
    assert.equal(standings.get(again.id)!.state, 'done');
    assert.equal(standings.get(again.id)!.result!.attempt, 1);
    assert.equal(standings.get(never.id)!.state, 'failed');
    assert.equal(Buffer.from(standings.get(never.id)!.failure!.sealed).toString(), 'why');
    assert.deepEqual([...attempts.values()].map(({ length }) => length).toSorted(), [1, 2]);
    assert.equal((await queue.counts()).dead, 1);
    await queue.endRun(runId, [again.id, never.id]);
  });

  it('gives nobody what was cancelled, and tells who has it', async () => {
    const queue = await open('patient');
    const runId = await beginRun(queue);
    const [had, waiting] = [job(runId), job(runId)];
    let told = 0;
    const begun: string[] = [];
    const taking = await queue.take(lanes(1), async (taken) => {
      begun.push(taken.id);
      await new Promise((resolve) => taken.signal.addEventListener('abort', resolve, { once: true }));
      told += 1;
      return { kind: 'abandoned' };
    });
    await queue.offer(had);
    await until(() => begun.length === 1);
    await queue.offer(waiting);
    await queue.cancel([had.id, waiting.id]);
    await until(() => told === 1);
    await taking.stop(1000);
    assert.deepEqual(begun, [had.id]);
    for (const { state } of await queue.look([had.id, waiting.id])) assert.equal(state, 'cancelled');
    await queue.endRun(runId, [had.id, waiting.id]);
  });

  it('does no more of one store at once than is said, over all workers', async () => {
    const workers = await Promise.all(['three', 'four', 'five', 'six'].map(open));
    const queue = workers[0]!;
    const runId = await beginRun(queue);
    const busy = new Map<string, number>();
    const most = new Map<string, number>();
    const stores = ['postgres://db/a', 'postgres://db/b'];
    const jobs = Array.from({ length: 80 }, (_, i) =>
      job(runId, { group: { tier: 'store', id: stores[i % 2]! } }),
    );
    const storeOf = new Map(jobs.map(({ id, group }) => [id, group.id]));
    const takings = await Promise.all(
      workers.map((worker) =>
        worker.take(lanes(4, { perStore: 2 }), async (taken) => {
          const store = storeOf.get(taken.id)!;
          busy.set(store, (busy.get(store) ?? 0) + 1);
          most.set(store, Math.max(most.get(store) ?? 0, busy.get(store)!));
          await sleep(5);
          busy.set(store, busy.get(store)! - 1);
          return doNothing(worker, taken);
        }),
      ),
    );
    await Promise.all(jobs.map((each) => queue.offer(each)));
    await settled(
      queue,
      jobs.map(({ id }) => id),
    );
    await Promise.all(takings.map((taking) => taking.stop(1000)));
    assert.deepEqual([...most.values()], [2, 2]);
    await queue.endRun(
      runId,
      jobs.map(({ id }) => id),
    );
  });

  it('takes what is urgent first', async () => {
    const queue = await open('urgent');
    const runId = await beginRun(queue);
    const jobs = [0, 30, 10, 40].map((priority) => job(runId, { priority }));
    for (const each of jobs) await queue.offer(each);
    const order: number[] = [];
    const taking = await queue.take(lanes(1), async (taken) => {
      order.push(jobs.find(({ id }) => id === taken.id)!.priority);
      return doNothing(queue, taken);
    });
    await settled(
      queue,
      jobs.map(({ id }) => id),
    );
    await taking.stop(1000);
    assert.deepEqual(order, [40, 30, 10, 0]);
    await queue.endRun(
      runId,
      jobs.map(({ id }) => id),
    );
  });

  it('knows a coordinator by its beat, and forgets all of it at its end', async () => {
    const queue = await open();
    const runId = await beginRun(queue);
    assert.equal(await queue.isAlive(runId), true);
    await server.exec(
      `UPDATE eventcore_queue.run SET beat_on = now() - interval '2 minutes' WHERE id = '${runId}'`,
      databaseOf(address),
    );
    // A server that has only just begun could not have heard it.
    assert.equal(await queue.isAlive(runId), true);
    const strict = openPostgresQueue(address, { ...OPTIONS, silenceMs: 1 });
    opened.push(strict);
    await strict.open(CHECK);
    assert.equal(await strict.isAlive(runId), false);
    await strict.beat(runId);
    await queue.endRun(runId, []);
    assert.equal(await queue.isAlive(runId), false);
  });

  it('is made once when many open it at the same time', async () => {
    for (let i = 0; i < 8; i += 1) {
      const many = Array.from({ length: 6 }, () =>
        openPostgresQueue(`${address}?schema=fresh_${i}`, { ...OPTIONS, name: 'many' }),
      );
      try {
        await Promise.all(many.map((queue) => queue.open(CHECK)));
      } finally {
        await Promise.all(many.map((queue) => queue.close()));
      }
    }
  });

  it('goes on behind a transaction that was refused', async () => {
    const database = openQueueDatabase(address, 1);
    try {
      for (let i = 0; i < 50; i += 1) {
        await assert.rejects(database.executeSql('BEGIN; SELECT 1 / 0; COMMIT'), /division by zero/);
        assert.deepEqual((await database.executeSql('SELECT 1 AS one')).rows, [{ one: 1 }]);
      }
    } finally {
      await database.close();
    }
  });

  it('refuses who has another key, and leaves the key of the others', async () => {
    await open();
    const stranger = openPostgresQueue(address, OPTIONS);
    opened.push(stranger);
    await assert.rejects(stranger.open('another'), (error) => isBackupError(error, 'queue_refused'));
    await open();
  });

  it('hears of no jobs of another protocol', async () => {
    const queue = await open();
    const newer = openPostgresQueue(address, { ...OPTIONS, protocol: 2 });
    opened.push(newer);
    await newer.open(CHECK);
    const runId = await beginRun(queue);
    const offered = job(runId);
    await queue.offer(offered);
    const seen: string[] = [];
    const taking: Taking = await newer.take(lanes(1), async (taken) => {
      seen.push(taken.id);
      return { kind: 'abandoned' };
    });
    await sleep(300);
    await taking.stop(1000);
    assert.deepEqual(seen, []);
    await queue.endRun(runId, [offered.id]);
  });

  it('is told apart: what cannot be reached, and what is refused', async () => {
    const nowhere = openPostgresQueue('postgres://127.0.0.1:1/none?connect_timeout=1', OPTIONS);
    await assert.rejects(nowhere.open(CHECK), (error) => isBackupError(error, 'queue_unreachable'));
    await nowhere.close();
    const missing = openPostgresQueue(server.address('not_there'), OPTIONS);
    await assert.rejects(missing.open(CHECK), (error) => isBackupError(error, 'queue_refused'));
    await missing.close();
  });
});

function databaseOf(uri: string): string {
  return new URL(uri).pathname.slice(1);
}
