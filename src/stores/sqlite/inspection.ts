import { type ChildProcess, fork } from 'node:child_process';
import { BackupError, throwIfAborted } from '../../core/errors.ts';
import type { InspectionOptions, SelectOptions, SqlRow, StoreInspection } from '../../core/inspection.ts';
import type { SqliteConfig } from './config.ts';
import { guarded } from './errors.ts';
import { revived } from './failure.ts';
import type { InspectionAnswer, InspectionOrder } from './inspection-messages.ts';
import { connectStore } from './inspector.ts';
import { sqlNames } from './sql-names.ts';

/** A row of a check is small, but one of a user's may hold payloads. */
const PAGE_ROWS = 100;
const START_TIMEOUT_MS = 60_000;

/** The same file before and after building: source runs as .ts, the published package as .js. */
const ENTRY = new URL(
  import.meta.url.endsWith('.ts') ? './inspection-process.ts' : './inspection-process.js',
  import.meta.url,
);

interface Inspection {
  readonly config: SqliteConfig;
  readonly timeoutMs: number;
  /** Those that wait for a statement; they do not keep this process alive. */
  readonly idle: Reader[];
  readonly all: Set<Reader>;
}

/** A process that reads. It has one order at a time. */
interface Reader {
  readonly ask: (order: InspectionOrder) => Promise<InspectionAnswer>;
  /** Ends it, whatever it does: what it was asked fails with this. */
  readonly end: (why: BackupError) => void;
  readonly hold: (isWanted: boolean) => void;
  readonly isOver: () => boolean;
}

export function openSqliteInspection(
  config: SqliteConfig,
  { statementTimeoutMs }: InspectionOptions,
): StoreInspection {
  const db = connectStore(config, 'read');
  try {
    const names = guarded(config.address, () => sqlNames(db, config));
    const inspection = { config, timeoutMs: statementTimeoutMs, idle: [], all: new Set<Reader>() };
    return {
      names,
      select: (sql, options = {}) => select(inspection, sql, options),
      close: async () => {
        for (const reader of inspection.all) reader.end(closed(config));
      },
    };
  } finally {
    db.close();
  }
}

async function* select(
  inspection: Inspection,
  sql: string,
  { parameters = [], limit = Number.POSITIVE_INFINITY, signal }: SelectOptions,
): AsyncGenerator<SqlRow, void> {
  throwIfAborted(signal);
  const reader = await takeReader(inspection);
  const release = watch(reader, inspection, signal);
  try {
    for (let left = limit, kind: 'select' | 'more' = 'select'; left > 0; kind = 'more') {
      const wanted = Math.min(left, PAGE_ROWS);
      const order: InspectionOrder =
        kind === 'more' ? { kind, rows: wanted } : { kind, sql, parameters, rows: wanted };
      const rows = await rowsOf(reader, order);
      yield* rows;
      if (rows.length < wanted) break;
      left -= rows.length;
    }
  } finally {
    // Also when whoever takes the rows has left: a statement that is not over keeps others from tidying up.
    if (!reader.isOver()) await reader.ask({ kind: 'end' }).catch(() => {});
    release();
    reader.hold(false);
    if (!reader.isOver()) inspection.idle.push(reader);
  }
}

async function takeReader(inspection: Inspection): Promise<Reader> {
  let reader = inspection.idle.pop();
  while (reader?.isOver()) reader = inspection.idle.pop();
  if (reader === undefined) return startReader(inspection);
  reader.hold(true);
  return reader;
}

function watch(
  reader: Reader,
  { config, timeoutMs }: Inspection,
  signal: AbortSignal | undefined,
): () => void {
  const late = new BackupError(
    'check_timed_out',
    `${config.address}: the statement was not done after ${timeoutMs} ms`,
    { hint: 'give statements more time, or look when the store has less to do' },
  );
  const timer = setTimeout(() => reader.end(late), timeoutMs);
  const onAbort = (): void => reader.end(new BackupError('interrupted', 'interrupted'));
  // It may have fired while the process started.
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  return () => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  };
}

async function rowsOf(reader: Reader, order: InspectionOrder): Promise<readonly SqlRow[]> {
  const answer = await reader.ask(order);
  if (answer.kind === 'failed') throw revived(answer.failure);
  return answer.kind === 'rows' ? answer.rows : [];
}

async function startReader({ config, all }: Inspection): Promise<Reader> {
  const child = fork(ENTRY, [], {
    ...{ serialization: 'advanced', execArgv: [] },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const reader = readerOver(child, config, (over) => all.delete(over));
  all.add(reader);
  const late = new BackupError('store_unreachable', `no process to read ${config.address} with has started`);
  const timer = setTimeout(() => reader.end(late), START_TIMEOUT_MS);
  try {
    const { address, path, layout } = config;
    await rowsOf(reader, { kind: 'open', address, path, layout: layout.name });
    return reader;
  } catch (error) {
    reader.end(closed(config));
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function readerOver(child: ChildProcess, config: SqliteConfig, onOver: (reader: Reader) => void): Reader {
  let over: BackupError | null = null;
  let waiting: PromiseWithResolvers<InspectionAnswer> | null = null;
  const end = (why: BackupError): void => {
    if (over !== null) return;
    over = why;
    onOver(reader);
    child.kill('SIGKILL');
    waiting?.reject(why);
  };
  const reader: Reader = {
    ask: (order) => {
      if (over !== null) return Promise.reject(over);
      waiting = Promise.withResolvers();
      child.send(order, (error) => error !== null && end(lost(config, error)));
      return waiting.promise;
    },
    end,
    hold: (isWanted) => {
      child[isWanted ? 'ref' : 'unref']();
      child.channel?.[isWanted ? 'ref' : 'unref']();
    },
    isOver: () => over !== null,
  };
  child.on('message', (answer: InspectionAnswer) => waiting?.resolve(answer));
  child.on('error', (error) => end(lost(config, error)));
  child.on('exit', () => end(lost(config, null)));
  return reader;
}

function lost({ address }: SqliteConfig, cause: Error | null): BackupError {
  const hint = 'look whether something ends processes here, for want of memory say';
  return new BackupError('store_unreachable', `the process that read ${address} is gone`, { hint, cause });
}

function closed({ address }: SqliteConfig): BackupError {
  return new BackupError('interrupted', `the inspection of ${address} was closed`);
}
