import { randomUUID } from 'node:crypto';
import { BroadcastChannel } from 'node:worker_threads';
import { awaitedLater } from '../../core/concurrency.ts';
import { BackupError, throwIfAborted } from '../../core/errors.ts';
import type { EventBatch } from '../../core/event-batch.ts';
import type { BatchReader } from '../../core/event-store.ts';
import { batchMaker } from './block-batch.ts';
import { blockCapacity, FIRST_PACE } from './blocks.ts';
import type { KeyRange } from './event-rows.ts';
import { revived } from './failure.ts';
import { keyRangesOf } from './ranges.ts';
import { isViewToken, type SharedBlock, type ViewAnswer, type ViewRequest } from './shared-view.ts';

/** Longer than the thread that shares the view is ever busy with the events of one request. */
const JOIN_TIMEOUT_MS = 30_000;

type Ask = (request: WithoutId<ViewRequest>) => Promise<ViewAnswer>;
type WithoutId<Request> = Request extends unknown ? Omit<Request, 'id'> : never;

/** Reads a view that another thread of this process shares. Throws `internal` when nobody answers, or does no more. */
export async function joinView(token: string, address: string): Promise<BatchReader> {
  if (!isViewToken(token)) {
    throw new BackupError('usage', `${JSON.stringify(token)} is no view of a SQLite store`);
  }
  const { ask, close } = openLine(token, address);
  const deadline = setTimeout(close, JOIN_TIMEOUT_MS);
  try {
    await ask({ kind: 'join' });
  } finally {
    clearTimeout(deadline);
  }
  return {
    readRange: async function* (range, options) {
      for (const keys of keyRangesOf(range)) yield* readBlocks(ask, keys, options);
    },
    close: async () => close(),
  };
}

/** The next block is read in the other thread while the batch of the last one is worked on in this one. */
async function* readBlocks(
  ask: Ask,
  range: KeyRange,
  { batchBytes, signal }: { batchBytes: number; signal?: AbortSignal },
): AsyncGenerator<EventBatch> {
  const makeBatch = batchMaker();
  const request = (after: KeyRange['after'], { memory, pace }: Pick<SharedBlock, 'memory' | 'pace'>) =>
    awaitedLater(
      askForBlock(ask, { range: { ...range, after }, blockBytes: batchBytes, pace, into: memory }),
    );
  const memory = new SharedArrayBuffer(blockCapacity(batchBytes));
  let coming = request(range.after, { memory, pace: FIRST_PACE });
  let bytes = new Uint8Array(memory.byteLength);
  for (;;) {
    throwIfAborted(signal);
    const block = await coming;
    if (block.last === null) return;
    if (block.used > bytes.length) bytes = new Uint8Array(block.memory.byteLength);
    // Copied, so that the memory can be filled anew meanwhile.
    bytes.set(new Uint8Array(block.memory, 0, block.used));
    coming = request(block.last, block);
    yield makeBatch(bytes.subarray(0, block.used), block.events);
  }
}

async function askForBlock(
  ask: Ask,
  request: Omit<Extract<WithoutId<ViewRequest>, { kind: 'read' }>, 'kind'>,
): Promise<SharedBlock> {
  const answer = await ask({ kind: 'read', ...request });
  if (answer.kind === 'block') return answer;
  throw new BackupError('internal', `a view answered with ${answer.kind}`);
}

/** Keeps the process alive only while an answer is waited for. */
function openLine(token: string, address: string): { readonly ask: Ask; readonly close: () => void } {
  const channel = new BroadcastChannel(token);
  const name = randomUUID();
  const waiting = new Map<string, PromiseWithResolvers<ViewAnswer>>();
  let asked = 0;
  let open = true;
  const settle = (id: string): PromiseWithResolvers<ViewAnswer> | undefined => {
    const one = waiting.get(id);
    if (waiting.delete(id) && waiting.size === 0 && open) channel.unref();
    return one;
  };
  const close = (): void => {
    if (!open) return;
    open = false;
    channel.close();
    for (const id of [...waiting.keys()]) settle(id)?.reject(noView(address));
  };
  channel.unref();
  channel.onmessage = ({ data }: { data: unknown }) => {
    const answer = data as ViewAnswer;
    if (answer.kind === 'closed') close();
    else if (answer.kind === 'failed') settle(answer.id)?.reject(revived(answer));
    else settle(answer.id)?.resolve(answer);
  };
  const ask: Ask = (request) => {
    if (!open) return Promise.reject(noView(address));
    asked += 1;
    const id = `${name} ${asked}`;
    const answer = Promise.withResolvers<ViewAnswer>();
    waiting.set(id, answer);
    channel.ref();
    channel.postMessage({ ...request, id });
    return answer.promise;
  };
  return { ask, close };
}

function noView(address: string): BackupError {
  return new BackupError('internal', `the view of ${address} is not shared any more`);
}
