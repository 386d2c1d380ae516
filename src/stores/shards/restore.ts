import { BackupError, isBackupError } from '../../core/errors.ts';
import { type EventBatch, selectRows } from '../../core/event-batch.ts';
import type {
  BatchWriter,
  JoinedPart,
  RestoreSession,
  RestoreSessionOptions,
} from '../../core/event-store.ts';
import { untag } from './companions.ts';
import { formatTokens, parseTokens } from './reader.ts';
import { ofAll, type Shards, shardName, unsupported } from './shards.ts';
import { mergeStreams } from './summaries.ts';

type Place = NonNullable<Shards['place']>;

/**
 * A restore into each shard, begun and published in their order. There is no transaction over several servers here: what can fail is done in all
 * of them before the first is published, and then nothing is left but to commit. Whatever dies before that leaves all as they were.
 */
export async function openShardsRestore(
  shards: Shards,
  options: RestoreSessionOptions,
): Promise<RestoreSession> {
  const place = requirePlace(shards);
  const sessions: RestoreSession[] = [];
  try {
    for (const store of shards.stores) sessions.push(await store.openRestore(options));
  } catch (error) {
    await Promise.allSettled(sessions.map((session) => session.discard()));
    throw isBackupError(error, 'target_not_empty') ? await explainFilled(shards, error) : error;
  }
  return sessionOver(shards, place, sessions);
}

function requirePlace(shards: Shards): Place {
  if (shards.place !== null) return shards.place;
  throw unsupported(
    shards,
    'nothing says which shard a stream belongs to',
    'say `placement: hash` in the configuration where that is how its writers find streams; else restore into one plain store (docs/partitions-and-shards.md)',
  );
}

function sessionOver(shards: Shards, place: Place, sessions: readonly RestoreSession[]): RestoreSession {
  const { stores } = shards;
  const each = <Result>(work: (session: RestoreSession) => Promise<Result>): Promise<Result[]> =>
    ofAll(stores, (_, shard) => work(sessions[shard]!));
  return {
    token: formatTokens(sessions.map(({ token }) => token)),
    discarded: sessions.flatMap(({ discarded }, shard) =>
      discarded.map((what) => `${shardName(shard, stores)}: ${what}`),
    ),
    openWriter: async (options) =>
      placingWriter(await openWriters(shards, (shard) => sessions[shard]!.openWriter(options)), place),
    writeCompanion: async (row) => {
      const own = untag(row, stores.length);
      return own === null ? false : sessions[own.shard]!.writeCompanion(own.row);
    },
    finishLoad: async (onStep) => {
      await each((session) => session.finishLoad(onStep));
    },
    readSummaries: () =>
      mergeStreams(
        shards,
        sessions.map((session) => session.readSummaries()),
      ),
    publish: async () => {
      await each(async (session) => session.preparePublish?.());
      for (const [shard, session] of sessions.entries()) {
        await session.publish().catch((error: unknown) => {
          throw shard === 0 ? error : halfPublished(shards, shard, error);
        });
      }
    },
    discard: async () => {
      await each((session) => session.discard());
    },
  };
}

export async function joinShardsRestore(shards: Shards, token: string): Promise<BatchWriter> {
  const { stores } = shards;
  const tokens = parseTokens(token, stores.length);
  const place = requirePlace(shards);
  return placingWriter(
    await openWriters(shards, (shard) => stores[shard]!.joinRestore(tokens[shard]!)),
    place,
  );
}

/**
 * A part is loaded when each shard has its events of it. Of some shards another writer may have been quicker, or died behind them; what it wrote is the
 * same, so what the first shard has on record counts for all.
 */
export async function joinShardsPart(shards: Shards, token: string, part: string): Promise<JoinedPart> {
  const tokens = parseTokens(token, shards.stores.length);
  const place = requirePlace(shards);
  const records: string[] = [];
  const writers = await openWriters(
    shards,
    async (shard): Promise<BatchWriter & { finish(record: string): Promise<void> }> => {
      const joined = await shards.stores[shard]!.joinPart(tokens[shard]!, part);
      if (joined.state === 'loaded') {
        records[shard] = joined.record;
        const done = async (): Promise<void> => {};
        return { write: done, end: done, abort: done, finish: done };
      }
      const { writer } = joined;
      return {
        ...{ write: (batch) => writer.write(batch), abort: () => writer.abort(), end: async () => {} },
        finish: async (record) => {
          records[shard] = await writer.end(record);
        },
      };
    },
  );
  if (Object.keys(records).length === writers.length) return { state: 'loaded', record: records[0]! };
  const { write, abort } = placingWriter(writers, place);
  const end = async (record: string): Promise<string> => {
    for (const writer of writers) await writer.finish(record);
    return records[0]!;
  };
  return { state: 'open', writer: { write, abort, end } };
}

/** Where one fails the others are given up. */
async function openWriters<Writer extends BatchWriter>(
  { stores }: Shards,
  open: (shard: number) => Promise<Writer>,
): Promise<Writer[]> {
  const settled = await Promise.allSettled(stores.map((_, shard) => open(shard)));
  const opened = settled.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const failed = settled.find((outcome) => outcome.status === 'rejected');
  if (failed === undefined) return opened;
  await Promise.allSettled(opened.map((writer) => writer.abort()));
  throw failed.reason;
}

/** Puts each event where its stream belongs. */
function placingWriter(writers: readonly BatchWriter[], place: Place): BatchWriter {
  const each = async (work: (writer: BatchWriter, shard: number) => Promise<void>): Promise<void> => {
    const settled = await Promise.allSettled(writers.map(work));
    const failed = settled.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  };
  return {
    write: async (batch) => {
      const rows = partRows(batch, writers.length, place);
      // Until all are done: the batch is borrowed.
      await each(async (writer, shard) => {
        if (rows[shard]!.length > 0) await writer.write(selectRows(batch, rows[shard]!));
      });
    },
    end: () => each((writer) => writer.end()),
    abort: () => each((writer) => writer.abort()),
  };
}

function partRows(batch: EventBatch, shards: number, place: Place): number[][] {
  const rows = Array.from({ length: shards }, (): number[] => []);
  const { starts, lengths } = batch.stream;
  for (let row = 0; row < batch.count; row += 1) {
    const start = starts[row]!;
    rows[place(batch.bytes.subarray(start, start + lengths[row]!))]!.push(row);
  }
  return rows;
}

/** The last statement of a shard failed, or its server died in it, when others had done theirs. */
function halfPublished(shards: Shards, shard: number, cause: unknown): BackupError {
  const { address, stores } = shards;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new BackupError(
    'partial',
    `${address}: ${shard} of ${stores.length} shards are restored, ${shardName(shard, stores)} is not: ${message}`,
    {
      hint: 'keep writers and readers away, and restore again with --replace: that makes all of them one again',
      facts: { published: shard, shards: stores.length },
      cause,
    },
  );
}

/** A restore that was killed between the commits of two shards leaves some filled, and in others what it had loaded. */
async function explainFilled(shards: Shards, error: BackupError): Promise<BackupError> {
  const left = await Promise.all(
    shards.stores.map((store) =>
      store.examine().then(
        ({ leftovers }) => leftovers.length > 0,
        () => false,
      ),
    ),
  );
  const at = left.indexOf(true);
  if (at === -1) return error;
  return new BackupError(
    'target_not_empty',
    `${error.message}; ${shardName(at, shards.stores)} has what a killed restore left`,
    {
      hint: 'where that one was killed between two shards, some have its events and others not: restore again with --replace',
      cause: error,
    },
  );
}
