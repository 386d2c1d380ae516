import { randomUUID } from 'node:crypto';
import { BroadcastChannel } from 'node:worker_threads';
import { type Block, fillBlock, type Pace } from './blocks.ts';
import { guarded } from './errors.ts';
import type { EventRows, Key, KeyRange } from './event-rows.ts';
import { type Failure, failure } from './failure.ts';

/**
 * A transaction belongs to the connection that began it, and a connection to its thread. So other threads do not join it:
 * they ask this thread for block after block of it, and encode, compress and write meanwhile. All of them see one state,
 * in every journal mode and without a right to write, since there is one reader.
 *
 * Events go from thread to thread in shared memory that the asking one brings along; a request says all that is needed to
 * answer it, so nothing is kept here for one who has gone.
 */
export type ViewRequest = { readonly id: string } & (
  | { readonly kind: 'join' }
  | {
      readonly kind: 'read';
      readonly range: KeyRange;
      readonly blockBytes: number;
      readonly pace: Pace;
      readonly into: SharedArrayBuffer;
    }
);

export type ViewAnswer =
  | { readonly kind: 'joined'; readonly id: string }
  | ({ readonly kind: 'block'; readonly id: string } & SharedBlock)
  | ({ readonly kind: 'failed'; readonly id: string } & Failure)
  /** To all, whatever they have asked. */
  | { readonly kind: 'closed' };

export interface SharedBlock {
  /** What the request brought along, or larger memory where an event needed that. */
  readonly memory: SharedArrayBuffer;
  readonly used: number;
  readonly events: number;
  readonly pace: Pace;
  /** Key of the last event; null when the range has no more. */
  readonly last: Key | null;
}

const TOKEN = /^sqlite-view-[0-9a-f-]{36}$/;

export function isViewToken(token: string): boolean {
  return TOKEN.test(token);
}

/** Answers other threads until it is closed. Does not keep the process alive. */
export function shareView(
  rows: EventRows,
  address: string,
): { readonly token: string; readonly close: () => void } {
  const token = `sqlite-view-${randomUUID()}`;
  const channel = new BroadcastChannel(token);
  const send = (answer: ViewAnswer): void => channel.postMessage(answer);
  channel.onmessage = ({ data }: { data: unknown }) => send(answerTo(data as ViewRequest, rows, address));
  channel.unref();
  let open = true;
  return {
    token,
    close: () => {
      if (!open) return;
      open = false;
      send({ kind: 'closed' });
      channel.close();
    },
  };
}

function answerTo(request: ViewRequest, rows: EventRows, address: string): ViewAnswer {
  const { id } = request;
  if (request.kind === 'join') return { kind: 'joined', id };
  const { range, blockBytes, pace, into } = request;
  const block: Block = { bytes: new Uint8Array(into), used: 0, events: 0, pace };
  try {
    const last = guarded(address, () => fillBlock(rows, range, blockBytes, block, address));
    const memory = block.bytes.buffer as SharedArrayBuffer;
    return { kind: 'block', id, memory, used: block.used, events: block.events, pace: block.pace, last };
  } catch (error) {
    return { kind: 'failed', id, ...failure(error) };
  }
}
