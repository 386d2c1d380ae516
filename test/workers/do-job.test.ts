import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BackupError } from '../../src/core/errors.ts';
import type { TakenJob } from '../../src/core/work-queue.ts';
import { type DoJobPorts, doJob } from '../../src/workers/do-job.ts';
import { openData, queueKey, sealData } from '../../src/workers/sealed.ts';
import { toldQueue } from './told-queue.ts';

const KEY = queueKey('a key of more than thirty-two characters');
const ORDER = { input: { a: 1 }, names: {} };

async function taken(change: Partial<TakenJob> = {}, key = KEY): Promise<TakenJob> {
  const payload = await sealData(key, { what: 'job', jobId: 'job-1', attempt: -1 }, ORDER);
  return {
    ...{ id: 'job-1', runId: 'run-1', kind: 'range', attempt: 3, payload },
    signal: new AbortController().signal,
    ...change,
  };
}

function ports(run: DoJobPorts['run']): DoJobPorts & { queue: ReturnType<typeof toldQueue>; ends: string[] } {
  const ends: string[] = [];
  return { queue: toldQueue(), key: KEY, worker: 'one', run, ends, onEnd: (_, how) => ends.push(how) };
}

describe('a job that a worker has taken', () => {
  it('is done as ordered, and its result sealed for the attempt that it is', async () => {
    const given = ports(async (_, order, { onProgress }) => {
      onProgress(5, 50);
      return { got: order.input };
    });
    const end = await doJob(given, await taken());
    assert.ok(end.kind === 'done');
    assert.deepEqual([end.result.events, end.result.bytes, end.result.attempt], [5, 50, 3]);
    const sealed = given.queue.results.get('job-1 3')!;
    const opened = await openData(KEY, { what: 'result', jobId: 'job-1', attempt: 3 }, sealed);
    assert.deepEqual(opened, { got: ORDER.input });
  });

  it('is done once, though the queue is away for a moment as its result is written', async () => {
    let runs = 0;
    const given = ports(async () => ++runs);
    const { writeResult } = given.queue;
    const away = new BackupError('queue_unreachable', 'connection refused');
    let tries = 0;
    given.queue.writeResult = async (job, bytes) => {
      tries += 1;
      if (tries < 3) throw away;
      return writeResult(job, bytes);
    };
    assert.equal((await doJob(given, await taken())).kind, 'done');
    assert.deepEqual([runs, tries], [1, 3]);
    given.queue.writeResult = async () => {
      throw away;
    };
    const end = await doJob(given, await taken());
    assert.ok(end.kind === 'failed' && end.again);
  });

  it('is not begun when nobody waits for it any more', async () => {
    const given = ports(async () => assert.fail('it was begun'));
    given.queue.isHeard = false;
    assert.deepEqual(await doJob(given, await taken()), { kind: 'abandoned' });
    assert.deepEqual(given.ends, ['given up']);
  });

  it('is worth another try when what it met may pass, and else is not', async () => {
    for (const [error, again] of [
      [new BackupError('store_unreachable', 'away'), true],
      [new BackupError('damaged', 'broken'), false],
      [new TypeError('a bug'), false],
    ] as const) {
      const given = ports(async () => {
        throw error;
      });
      const end = await doJob(given, await taken());
      assert.ok(end.kind === 'failed');
      assert.equal(end.again, again, error.message);
      const opened = await openData(KEY, { what: 'failure', jobId: 'job-1', attempt: 3 }, end.sealed);
      assert.equal((opened as { message: string }).message, error.message);
    }
  });

  it('is left to others when its worker has to end, whatever it failed with then', async () => {
    const stop = new AbortController();
    const given = ports(async () => {
      stop.abort();
      throw new TypeError('cut in the middle');
    });
    const end = await doJob(given, await taken({ signal: stop.signal }));
    assert.ok(end.kind === 'failed' && end.again);
    assert.deepEqual(given.ends, ['given up']);
  });

  it('is not done when another key sealed it', async () => {
    const given = ports(async () => assert.fail('it was begun'));
    const stranger = queueKey('the key of somebody else, who can write');
    const end = await doJob(given, await taken({}, stranger));
    assert.ok(end.kind === 'failed' && !end.again);
  });
});
