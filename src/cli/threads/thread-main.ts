import { parentPort } from 'node:worker_threads';
import { describeError } from '../../core/error-record.ts';
import { type StreamTable, tableBuffers } from '../../core/stream-table.ts';
import { useLayouts, useShards } from '../wire.ts';
import { prepareJob, type ThreadHooks, type ThreadJobKind, threadJobs } from './thread-jobs.ts';
import type { ThreadMessage, ThreadOrder } from './threads.ts';

/** The other end of `runInThread`: runs one job after the other, as they are sent. */

const PROGRESS_EVERY_MS = 100;

const port = parentPort;
if (port === null) throw new Error('thread-main is started by runInThread only');
const send = (message: ThreadMessage): void => port.postMessage(message);

let aborter = new AbortController();
port.on('message', (order: ThreadOrder) => {
  if (order.kind === 'abort') {
    aborter.abort();
    return;
  }
  useLayouts(order.layouts);
  useShards(order.shards);
  if (order.kind === 'prepare') {
    // What cannot be loaded now fails the job that needs it.
    void prepareJob(order.job, order.store).catch(() => undefined);
    return;
  }
  aborter = new AbortController();
  void run(order.job, order.input, aborter.signal);
});

async function run(kind: ThreadJobKind, input: unknown, signal: AbortSignal): Promise<void> {
  const progress = gatherProgress();
  try {
    const job = threadJobs[kind] as (input: unknown, hooks: ThreadHooks) => Promise<unknown>;
    const result = await job(input, { onProgress: progress.add, signal });
    progress.flush();
    // Moved, not copied: this thread has no more use for it.
    port?.postMessage({ kind: 'result', result } satisfies ThreadMessage, movable(result));
  } catch (error) {
    send({ kind: 'error', error: describeError(error) });
  }
}

function movable(result: unknown): ArrayBuffer[] {
  const { table } = result as { readonly table?: StreamTable };
  return table === undefined ? [] : tableBuffers(table);
}

/** One message for many chunks. */
function gatherProgress(): { add(events: number, bytes: number): void; flush(): void } {
  const pending = { events: 0, bytes: 0 };
  let sentAt = 0;
  const flush = (): void => {
    send({ kind: 'progress', ...pending });
    pending.events = 0;
    pending.bytes = 0;
    sentAt = performance.now();
  };
  const add = (events: number, bytes: number): void => {
    pending.events += events;
    pending.bytes += bytes;
    if (performance.now() - sentAt >= PROGRESS_EVERY_MS) flush();
  };
  return { add, flush };
}
