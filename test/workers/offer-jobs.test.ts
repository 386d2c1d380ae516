import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { describeError } from '../../src/core/error-record.ts';
import { BackupError, isBackupError } from '../../src/core/errors.ts';
import { type JobOffers, openOffers } from '../../src/workers/offer-jobs.ts';
import { queueKey, sealData } from '../../src/workers/sealed.ts';
import { type ToldQueue, toldQueue } from './told-queue.ts';

const KEY = queueKey('a key of more than thirty-two characters');
const GROUP = { tier: 'store', id: 'postgres://db/shop' } as const;
const MINUTE = 60_000;

interface World {
  readonly queue: ToldQueue;
  readonly offers: JobOffers;
  readonly words: string[];
  /** Lets time pass, and what waits for it happen. */
  readonly pass: (ms: number) => Promise<void>;
}

async function withOffers(work: (world: World) => Promise<void>): Promise<void> {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] });
  try {
    const queue = toldQueue();
    const words: string[] = [];
    let ids = 0;
    const clock = { now: Date.now, uuid: () => `id-${++ids}` };
    const ports = { queue, key: KEY, clock, onWord: (word: string) => words.push(word) };
    const offers = await openOffers(ports, {
      purpose: 'backup',
      what: 'a test',
      holder: 'test',
      names: {},
    });
    const pass = async (ms: number): Promise<void> => {
      for (let left = ms; left > 0; left -= 500) {
        mock.timers.tick(Math.min(500, left));
        await settle();
      }
    };
    await work({ queue, offers, words, pass });
    await offers.close();
    assert.deepEqual(queue.ended, ['id-1']);
  } finally {
    mock.timers.reset();
  }
}

/** Seals are made by threads of the pool: real time. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

async function offered(queue: ToldQueue, count: number): Promise<void> {
  while (queue.offered.length < count) await settle();
}

const job = { kind: 'range', input: { a: 1 }, group: GROUP };

async function done(queue: ToldQueue, result: unknown, attempt = 0, events = 0): Promise<void> {
  const jobId = queue.offered.at(-1)!.id;
  queue.results.set(`${jobId} ${attempt}`, await sealData(KEY, { what: 'result', jobId, attempt }, result));
  const place = { jobId, attempt, parts: 1, sizeBytes: 1, events, bytes: events };
  queue.standings.set(jobId, { state: 'done', result: place });
}

describe('a job that is offered', () => {
  it('gives what its worker gave, as soon as that is told', () =>
    withOffers(async ({ queue, offers, pass }) => {
      const had = offers.have(job, {});
      await offered(queue, 1);
      await done(queue, { files: ['one'] });
      queue.tell();
      await pass(200);
      assert.deepEqual(await had, { files: ['one'] });
      const { group, kind, priority } = queue.offered[0]!;
      assert.deepEqual({ group, kind, priority }, { group: GROUP, kind: 'range', priority: 30 });
    }));

  it('is found done also when nobody tells', () =>
    withOffers(async ({ queue, offers, pass }) => {
      const had = offers.have(job, {});
      await offered(queue, 1);
      await done(queue, 7);
      await pass(1000);
      assert.equal(await had, 7);
    }));

  it('is looked for no longer than until it is seen, and the others when they are told of', () =>
    withOffers(async ({ queue, offers, pass }) => {
      let looks = 0;
      const { look } = queue;
      queue.look = (ids) => {
        looks += 1;
        return look(ids);
      };
      const other = offers.have(job, {});
      await offered(queue, 1);
      const had = offers.have(job, {});
      await offered(queue, 2);
      await settle();
      await done(queue, 'last');
      queue.tell();
      await pass(4);
      assert.equal(await had, 'last');
      await pass(400);
      assert.equal(looks, 1);
      const [first] = queue.offered.splice(0);
      queue.offered.push(first!);
      queue.tell();
      await pass(4);
      await done(queue, 'first');
      await pass(8);
      assert.equal(await other, 'first');
      await pass(80);
      assert.equal(looks, 3);
    }));

  it('tells of each event once, however often it is tried', () =>
    withOffers(async ({ queue, offers, pass }) => {
      const told: number[] = [];
      const had = offers.have(job, { onProgress: (events) => told.push(events) });
      await offered(queue, 1);
      const { id } = queue.offered[0]!;
      const at = async (attempt: number, events: number): Promise<void> => {
        queue.standings.set(id, {
          state: 'active',
          progress: { attempt, worker: 'one', events, bytes: events },
        });
        await pass(1000);
      };
      await at(0, 10);
      await at(0, 30);
      await at(1, 5);
      await at(1, 40);
      await done(queue, null, 1, 50);
      await pass(1000);
      await had;
      assert.deepEqual(told, [10, 20, 10, 10]);
    }));

  it('fails as its worker failed, in the same words', () =>
    withOffers(async ({ queue, offers, pass }) => {
      const had = offers.have(job, {});
      await offered(queue, 1);
      const { id } = queue.offered[0]!;
      const error = new BackupError('vault_full', 'the disk is full', { hint: 'make room' });
      const bound = { what: 'failure', jobId: id, attempt: 2 } as const;
      const sealed = await sealData(KEY, bound, describeError(error));
      queue.standings.set(id, { state: 'failed', failure: { attempt: 2, sealed } });
      const failed = assert.rejects(
        had,
        (thrown) => isBackupError(thrown, 'vault_full') && thrown.hint === 'make room',
      );
      await pass(1000);
      await failed;
    }));

  it('is taken back when whoever wants it stops', () =>
    withOffers(async ({ queue, offers }) => {
      const stop = new AbortController();
      const had = offers.have(job, { signal: stop.signal });
      await offered(queue, 1);
      stop.abort();
      await assert.rejects(had, (error) => isBackupError(error, 'interrupted'));
      assert.deepEqual(queue.cancelled, [queue.offered[0]!.id]);
    }));

  it('fails when somebody took it out of the queue, or cancelled it', () =>
    withOffers(async ({ queue, offers, pass }) => {
      for (const [i, standing] of ([{ state: 'cancelled' }, 'gone'] as const).entries()) {
        const had = offers.have(job, {});
        await offered(queue, i + 1);
        queue.standings.set(queue.offered.at(-1)!.id, standing);
        const failed = assert.rejects(had, (error) => isBackupError(error, 'queue_refused'));
        await pass(1000);
        await failed;
      }
    }));

  it('that nobody could finish says so', () =>
    withOffers(async ({ queue, offers, pass }) => {
      const had = offers.have(job, {});
      await offered(queue, 1);
      queue.standings.set(queue.offered[0]!.id, { state: 'failed' });
      const failed = assert.rejects(had, /each was lost on the way/);
      await pass(1000);
      await failed;
    }));
});

describe('a queue in which nothing moves', () => {
  it('is told of after a while, and given up after ten minutes', () =>
    withOffers(async ({ queue, offers, words, pass }) => {
      const had = offers.have(job, {});
      const failed = assert.rejects(had, (error) => isBackupError(error, 'queue_unreachable'));
      await offered(queue, 1);
      await pass(14_000);
      assert.deepEqual(words, []);
      await pass(2000);
      assert.match(words[0]!, /no worker takes a job; waiting for up to 10 minutes/);
      await pass(8 * MINUTE);
      assert.equal(words.length, 1);
      await pass(2 * MINUTE);
      await failed;
    }));

  it('is waited for as long as others are served first', () =>
    withOffers(async ({ queue, offers, words, pass }) => {
      queue.alive = 2;
      const had = offers.have(job, {});
      await offered(queue, 1);
      await pass(60 * MINUTE);
      assert.deepEqual(words, ['waiting in line: all 2 workers have other jobs']);
      await done(queue, 'at last');
      await pass(1000);
      assert.equal(await had, 'at last');
    }));

  it('is waited for again once somebody has taken a job', () =>
    withOffers(async ({ queue, offers, words, pass }) => {
      const had = offers.have(job, {});
      await offered(queue, 1);
      await pass(9 * MINUTE);
      queue.standings.set(queue.offered[0]!.id, { state: 'active' });
      await pass(9 * MINUTE);
      assert.match(words.at(-1)!, /the work goes on/);
      await done(queue, 'late');
      await pass(1000);
      assert.equal(await had, 'late');
    }));

  it('may be away for minutes, and be back', () =>
    withOffers(async ({ queue, offers, words, pass }) => {
      const had = offers.have(job, {});
      await offered(queue, 1);
      queue.failure = new BackupError('queue_unreachable', 'connection refused');
      await pass(5 * MINUTE);
      assert.match(words[0]!, /does not answer: connection refused/);
      queue.failure = null;
      await done(queue, 'back');
      await pass(1000);
      assert.equal(await had, 'back');
    }));

  it('is offered a job again when it is back, and given up after ten minutes', () =>
    withOffers(async ({ queue, offers, words, pass }) => {
      const away = new BackupError('queue_unreachable', 'connection refused');
      queue.failure = away;
      const had = offers.have(job, {});
      await settle();
      await pass(MINUTE);
      assert.match(words[0]!, /does not answer: connection refused/);
      queue.failure = null;
      await pass(1000);
      await done(queue, 'back');
      await pass(1000);
      assert.equal(await had, 'back');
      queue.failure = away;
      const lost = assert.rejects(offers.have(job, {}), (error) => isBackupError(error, 'queue_unreachable'));
      await settle();
      await pass(11 * MINUTE);
      await lost;
    }));

  it('leaves nothing that goes on when it could not be begun', async () => {
    const queue = toldQueue();
    queue.failure = new BackupError('queue_unreachable', 'connection refused');
    const countTimers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = countTimers();
    const ports = { queue, key: KEY, clock: { now: Date.now, uuid: () => 'id' }, onWord: () => undefined };
    const options = { purpose: 'backup', what: 'a test', holder: 'test', names: {} } as const;
    await assert.rejects(openOffers(ports, options), (error) => isBackupError(error, 'queue_unreachable'));
    assert.equal(countTimers(), before);
  });
});
