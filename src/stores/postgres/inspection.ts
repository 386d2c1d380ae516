import pg from 'pg';
import { BackupError, throwIfAborted } from '../../core/errors.ts';
import type { InspectionOptions, SelectOptions, SqlRow, StoreInspection } from '../../core/inspection.ts';
import { keyNumber } from '../../postgres/backend-key.ts';
import { findCompanions, requireEvents } from './catalog.ts';
import { begin, type Database, dropConnection, endConnection, openShared, withClient } from './connection.ts';
import { isPooled, serverProcess } from './pooler.ts';
import { sqlState, toBackupError } from './server-error.ts';
import { sqlNames } from './sql-names.ts';

/** A row of a check is small, but one of a user's may hold payloads. */
const PAGE_ROWS = 100;
/** A statement that only reads waits for nobody but those who alter a table. */
const LOCK_TIMEOUT_MS = 5000;
/** The server ends a statement by itself; past this it, or the network, is taken for gone. */
const GRACE_MS = 3000;

/** Connections that wait for the next statement. */
interface Inspection {
  readonly database: Database;
  readonly idle: pg.Client[];
  readonly timeoutMs: number;
  isClosed: boolean;
}

export async function openInspection(
  database: Database,
  { statementTimeoutMs }: InspectionOptions,
): Promise<StoreInspection> {
  const names = await withClient(database, async (client) => {
    const events = await requireEvents(client, database.address);
    return sqlNames(database.address.schema, events, await findCompanions(client, database.address));
  });
  const inspection: Inspection = { database, idle: [], timeoutMs: statementTimeoutMs, isClosed: false };
  return {
    names,
    select: (sql, options = {}) => select(inspection, sql, options),
    close: async () => {
      inspection.isClosed = true;
      for (const client of inspection.idle.splice(0)) await endConnection(database, client);
    },
  };
}

/** A statement under way, and why it was cut, once it was. */
interface Running {
  readonly client: pg.Client;
  readonly deadline: number;
  /** The number of the server's process, by which it is told to stop. */
  process: number;
  cut: 'late' | 'aborted' | null;
}

async function* select(
  inspection: Inspection,
  sql: string,
  options: SelectOptions,
): AsyncGenerator<SqlRow, void> {
  const { database, timeoutMs } = inspection;
  throwIfAborted(options.signal);
  const client = takeIdle(inspection) ?? (await openShared(database));
  const deadline = performance.now() + timeoutMs;
  const running: Running = { client, deadline, process: keyNumber(client), cut: null };
  const release = watch(database, running, timeoutMs, options.signal);
  let isUsable = false;
  try {
    const settings = settingsSql(timeoutMs, options.settings);
    await begin(database, client, 'BEGIN TRANSACTION READ ONLY');
    if (isPooled(client)) running.process = await serverProcess(client);
    await client.query(settings);
    try {
      yield* pagesOf(running, sql, options);
    } finally {
      // Also where the statement failed, or whoever took its rows left: the next one finds a session as it was.
      isUsable = await client.query('ROLLBACK').then(
        () => running.cut === null,
        () => false,
      );
    }
  } catch (error) {
    throw explain(error, running, inspection);
  } finally {
    release();
    if (isUsable && !inspection.isClosed) inspection.idle.push(client);
    else dropConnection(database, client);
  }
}

/** One that has not been lost meanwhile. */
function takeIdle({ database, idle }: Inspection): pg.Client | undefined {
  for (;;) {
    const client = idle.pop();
    if (client === undefined || database.owned.has(client)) return client;
  }
}

/** What a statement may wish for: how it is planned, and where names are looked up. */
const SETTING = /^(?:enable_[a-z_]+|search_path|work_mem|max_parallel_workers_per_gather)$/;

/** A list of names, a search path say, is one text here: SET would take it for one name. */
function settingsSql(timeoutMs: number, settings: SelectOptions['settings'] = {}): string {
  const refused = Object.keys(settings).find((name) => !SETTING.test(name));
  if (refused !== undefined) {
    const hint = 'it may set enable_…, search_path, work_mem and max_parallel_workers_per_gather';
    throw new BackupError('check_refused', `a check may not set ${refused}`, { hint });
  }
  const all = {
    lock_timeout: String(Math.min(LOCK_TIMEOUT_MS, timeoutMs)),
    // A reader that is stopped must not keep the server from tidying up.
    idle_in_transaction_session_timeout: String(timeoutMs + GRACE_MS),
    ...settings,
  };
  const set = Object.entries(all).map(
    (setting) => `set_config(${setting.map((text) => pg.escapeLiteral(text)).join(', ')}, true)`,
  );
  return `SELECT ${set.join(', ')}`;
}

/** Cuts the connection when the time is long over, and when the signal fires: then the server is told, too. */
function watch(
  database: Database,
  running: Running,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): () => void {
  const cut = (why: 'late' | 'aborted'): void => {
    running.cut ??= why;
    dropConnection(database, running.client);
  };
  const timer = setTimeout(() => cut('late'), timeoutMs + GRACE_MS);
  const onAbort = (): void => {
    running.cut ??= 'aborted';
    void cancel(database, running).finally(() => cut('aborted'));
  };
  // It may have fired while the connection was made.
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  return () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  };
}

/** What a server computes it goes on with, whoever has left, until it has a row to send. */
async function cancel(database: Database, { process }: Running): Promise<void> {
  await withClient(database, (other) => other.query('SELECT pg_cancel_backend($1)', [process])).catch(
    () => {},
  );
}

/**
 * The extended protocol takes one statement, and a cursor one that only reads. Each page has what is left of the time: what a statement
 * sets for itself lasts until then.
 */
async function* pagesOf(
  { client, deadline }: Running,
  sql: string,
  { parameters = [], limit = Number.POSITIVE_INFINITY }: SelectOptions,
): AsyncGenerator<SqlRow, void> {
  await client.query(timeLeft(deadline));
  await client.query({
    text: `DECLARE pages NO SCROLL CURSOR FOR ${sql}`,
    values: [...parameters],
    queryMode: 'extended',
  } as pg.QueryConfig);
  for (let left = limit; left > 0; ) {
    const wanted = Math.min(left, PAGE_ROWS);
    await client.query(timeLeft(deadline));
    const { rows } = await client.query<SqlRow>({ text: `FETCH ${wanted} FROM pages`, types: AS_TEXT });
    yield* rows;
    if (rows.length < wanted) return;
    left -= rows.length;
  }
}

const AS_TEXT: pg.CustomTypesConfig = { getTypeParser: () => (text: string) => text };

function timeLeft(deadline: number): string {
  const leftMs = Math.ceil(deadline - performance.now());
  if (leftMs <= 0) throw timedOut('the time of a statement was over before its rows were taken');
  return `SET LOCAL statement_timeout = ${leftMs}`;
}

const CANCELLED = '57014';
const LOCK_NOT_AVAILABLE = '55P03';
const READ_ONLY_TRANSACTION = '25006';

function explain(error: unknown, running: Running, { database, timeoutMs }: Inspection): unknown {
  const state = sqlState(error);
  const { shown } = database.address;
  if (running.cut === 'aborted') return new BackupError('interrupted', 'interrupted', { cause: error });
  const isOver = performance.now() >= running.deadline - 50;
  if (running.cut === 'late' || (state === CANCELLED && isOver)) {
    return timedOut(`${shown}: the statement was not done after ${timeoutMs} ms`, error);
  }
  if (state === LOCK_NOT_AVAILABLE) {
    return timedOut(`${shown}: the statement waited for somebody who alters the table`, error);
  }
  const known = toBackupError(error, shown);
  if (known.code === 'store_unreachable' || known.code === 'damaged' || state === null) return known;
  const hint =
    state === READ_ONLY_TRANSACTION ? 'a check only reads: leave out what writes' : 'correct the statement';
  return new BackupError('check_refused', (error as Error).message, {
    hint: known.code === 'store_refused' && state === '42501' ? known.hint! : hint,
    facts: { sqlState: state },
    cause: error,
  });
}

function timedOut(message: string, cause?: unknown): BackupError {
  const hint = 'give statements more time, or look when the store has less to do';
  return new BackupError('check_timed_out', message, { hint, cause });
}
