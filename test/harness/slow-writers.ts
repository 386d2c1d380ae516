import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { uuidV7Source } from '../../src/core/uuid-v7.ts';

/**
 * Writers that commit long after they have chosen ids and times, in every way that PostgreSQL has: with savepoints that
 * are released or rolled back, in blocks that catch an exception, prepared in two phases, rolled back at the end. Each of
 * them keeps versions of its own streams without gaps, as an event store does.
 */
export interface SlowWriters {
  /** Events that were committed so far. */
  readonly committed: () => number;
  /** Resolves when all transactions have ended. Throws what a writer failed with. */
  readonly stop: () => Promise<void>;
}

export interface SlowWriterOptions {
  readonly address: string;
  readonly writers: number;
  readonly maxDelayMs: number;
  readonly maxEventsPerInsert: number;
  /** Also writes each event's id into `naive.positions`, which numbers them with a sequence. */
  readonly positions: boolean;
  /** Left out: into EventCore's table. */
  readonly append?: AppendSome | undefined;
  /** The connection may break: a writer then ends quietly. */
  readonly mayBreak?: boolean;
  /** Is told of every transaction that was committed. */
  readonly note?: (written: WrittenTransaction) => void;
}

/** Appends new events to one stream, in the transaction that the client is in. `from` is the version of the first one, counted from 1. */
export type AppendSome = (
  client: pg.Client,
  events: { readonly stream: string; readonly from: number; readonly ids: readonly string[] },
) => Promise<unknown>;

export interface WrittenTransaction {
  readonly xid: string;
  readonly ids: readonly string[];
  /** Milliseconds since 1970: its commit was asked for, and was answered. */
  readonly sentAtMs: number;
  readonly doneAtMs: number;
}

const STREAMS_PER_WRITER = 12;

interface Writer {
  readonly client: pg.Client;
  readonly number: number;
  /** Last committed version of each of its streams. */
  readonly versions: Map<string, number>;
  readonly options: SlowWriterOptions;
  /** Ids of the transaction under way. */
  ids: string[];
}

const nextId = uuidV7Source(Date.now, (size) => randomBytes(size));

export async function startSlowWriters(options: SlowWriterOptions): Promise<SlowWriters> {
  const state = { stopping: false, committed: 0 };
  const run = String(Math.floor(Math.random() * 1e9));
  const running = Array.from({ length: options.writers }, async (_, number) => {
    const client = new pg.Client(options.address);
    client.on('error', () => undefined);
    await client.connect();
    const writer: Writer = { client, number, versions: new Map(), options, ids: [] };
    try {
      while (!state.stopping) {
        const events = await writeOne(writer, run);
        state.committed += events;
      }
    } catch (error) {
      if (options.mayBreak !== true) throw error;
    } finally {
      await client.end().catch(() => undefined);
    }
  });
  const ended = Promise.all(running);
  ended.catch(() => undefined);
  return {
    committed: () => state.committed,
    stop: async () => {
      state.stopping = true;
      await ended;
    },
  };
}

/** One transaction over one or two streams; gives the number of events that it committed. */
async function writeOne(writer: Writer, run: string): Promise<number> {
  const { client, options } = writer;
  const pending = new Map<string, number>();
  const insert = () => insertSome(writer, run, pending);
  await client.query('BEGIN');
  writer.ids = [];
  let events = await insert();
  await pause(options);
  switch (Math.floor(Math.random() * 6)) {
    case 0:
      await client.query('SAVEPOINT one');
      events += await insert();
      await client.query('RELEASE one');
      break;
    case 1:
      await undone(writer, insert, pending);
      events += await insert();
      break;
    case 2:
      await client.query('SELECT naive.catching($1)', [`${writer.number}`]);
      events += await insert();
      break;
    default:
      break;
  }
  await pause(options);
  if (!(await end(writer))) return 0;
  for (const [stream, version] of pending) writer.versions.set(stream, version);
  return events;
}

async function undone(
  writer: Writer,
  insert: () => Promise<number>,
  pending: Map<string, number>,
): Promise<void> {
  const { client, ids } = writer;
  const before = new Map(pending);
  writer.ids = [...ids];
  await client.query('SAVEPOINT two');
  await insert();
  await client.query('ROLLBACK TO two');
  writer.ids = ids;
  pending.clear();
  for (const [stream, version] of before) pending.set(stream, version);
}

/** Commits, mostly; false when the transaction was rolled back. */
async function end(writer: Writer): Promise<boolean> {
  const { client, number, options } = writer;
  const choice = Math.random();
  if (choice < 0.1) {
    await client.query('ROLLBACK');
    return false;
  }
  const xid = options.note === undefined ? '' : await xidOf(client);
  if (choice > 0.25) {
    await commit(writer, xid, 'COMMIT');
    return true;
  }
  const name = `slow-${number}-${Math.random()}`;
  await client.query(`PREPARE TRANSACTION '${name}'`);
  await pause(options);
  const commits = Math.random() < 0.8;
  if (commits) await commit(writer, xid, `COMMIT PREPARED '${name}'`);
  else await client.query(`ROLLBACK PREPARED '${name}'`);
  return commits;
}

async function xidOf(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ xid: string }>('SELECT pg_current_xact_id()::text AS xid');
  return rows[0]!.xid;
}

async function commit({ client, ids, options }: Writer, xid: string, sql: string): Promise<void> {
  const sentAtMs = Date.now();
  await client.query(sql);
  options.note?.({ xid, ids, sentAtMs, doneAtMs: Date.now() });
}

async function insertSome(
  { client, number, versions, options, ids: written }: Writer,
  run: string,
  pending: Map<string, number>,
): Promise<number> {
  // Stores that go by categories take what is before the first hyphen for one: each writer has its own.
  const stream = `run${run}w${number}-${Math.floor(Math.random() * STREAMS_PER_WRITER)}`;
  const count = 1 + Math.floor(Math.random() * options.maxEventsPerInsert);
  const from = (pending.get(stream) ?? versions.get(stream) ?? 0) + 1;
  const ids = Array.from({ length: count }, nextId);
  await (options.append ?? insertIntoEventCore)(client, { stream, from, ids });
  if (options.positions) {
    await client.query('INSERT INTO naive.positions (event_id) SELECT unnest($1::uuid[])', [ids]);
  }
  written.push(...ids);
  pending.set(stream, from + count - 1);
  return count;
}

const insertIntoEventCore: AppendSome = (client, { stream, from, ids }) =>
  client.query(
    `INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data, created_at)
     SELECT id, $2, $3::bigint + n - 1, 'Slow', jsonb_build_object('n', n, 'text', md5(id::text)), $4
       FROM unnest($1::uuid[]) WITH ORDINALITY AS new (id, n)`,
    [ids, stream, from, new Date()],
  );

function pause({ maxDelayMs }: SlowWriterOptions): Promise<unknown> {
  return sleep(Math.random() ** 2 * maxDelayMs);
}

/** What writers and naive backups need beside the store. The function makes a subtransaction fail within PL/pgSQL. */
export const NAIVE_SCHEMA = `
  CREATE SCHEMA naive;
  CREATE TABLE naive.positions (position bigserial PRIMARY KEY, event_id uuid NOT NULL);
  CREATE TABLE naive.noise (text text);
  CREATE FUNCTION naive.catching(said text) RETURNS void LANGUAGE plpgsql AS $$
  BEGIN
    INSERT INTO naive.noise VALUES (said);
    BEGIN
      INSERT INTO naive.noise VALUES (said || '!');
      PERFORM 1 / 0;
    EXCEPTION WHEN division_by_zero THEN
      INSERT INTO naive.noise VALUES (said || '?');
    END;
  END $$;`;
