import type pg from 'pg';
import { type CopyBatch, lastRows, makeCopyDecoder, received, requireEnd, room } from './copy-decoder.ts';
import { divert } from './divertible-socket.ts';

export interface CopyOptions {
  readonly batchBytes: number;
  /** The ctid of each row is asked for too, behind the columns. */
  readonly hasPlaces?: boolean;
}

/**
 * Runs a COPY … TO STDOUT (FORMAT binary) of the events table and gives its rows in batches. Other statements may stand
 * before and behind it. The server is kept waiting
 * while a batch is looked at. Throws what the server said; the connection is then of no more use, nor is it when the
 * iteration ends early.
 */
export async function* readCopy(
  client: pg.Client,
  sql: string,
  options: CopyOptions,
): AsyncGenerator<CopyBatch> {
  const copy = startCopy(client, sql, options);
  try {
    for (let batch = await copy.next(); batch !== null; batch = await copy.next()) yield batch;
  } finally {
    copy.end();
  }
}

interface RunningCopy {
  /** The next batch; null behind the last one. */
  next(): Promise<CopyBatch | null>;
  end(): void;
}

function startCopy(client: pg.Client, sql: string, { batchBytes, hasPlaces }: CopyOptions): RunningCopy {
  const state = {
    batch: null as CopyBatch | null,
    isPaused: false,
    isDone: false,
    failure: null as unknown,
    wake: (): void => undefined,
  };
  const decoder = makeCopyDecoder(batchBytes, (message) => diversion.toDriver(message), hasPlaces);
  const diversion = divert(client, {
    room: () => room(decoder),
    received: (length) => {
      try {
        state.batch = received(decoder, length);
      } catch (error) {
        state.failure ??= error;
      }
      if (state.batch === null && state.failure === null) return true;
      state.isPaused = true;
      state.wake();
      return false;
    },
  });
  client.query({
    submit: (connection: pg.Connection) => connection.query(sql),
    handleCommandComplete: () => undefined,
    handleError: (error: unknown) => {
      state.failure ??= error;
      state.wake();
    },
    handleReadyForQuery: () => {
      state.isDone = true;
      state.wake();
    },
  });
  const somethingCame = (): boolean => state.batch !== null || state.isDone || state.failure !== null;
  return {
    next: async () => {
      if (state.isPaused) {
        state.isPaused = false;
        diversion.resume();
      }
      while (!somethingCame()) await new Promise<void>((resolve) => (state.wake = resolve));
      if (state.failure !== null) throw state.failure;
      const batch = state.batch ?? lastRows(decoder);
      state.batch = null;
      if (batch === null) requireEnd(decoder);
      return batch;
    },
    end: () => diversion.end(),
  };
}
