import { constants, type DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { BackupError } from '../../core/errors.ts';
import type { SqlRow, SqlValue } from '../../core/inspection.ts';
import { bucketOf } from '../../core/stream-bucket.ts';
import { layoutNamed, type SqliteConfig } from './config.ts';
import { guarded, resultCode } from './errors.ts';
import { failure } from './failure.ts';
import type { InspectionAnswer, InspectionOrder } from './inspection-messages.ts';
import { connectStore } from './inspector.ts';
import { BUCKET_FUNCTION } from './sql-names.ts';

/**
 * The process that reads for an inspection. Node's SQLite has nothing that ends a statement, and a statement holds up its
 * thread; a process can be ended whatever it does, and one that only reads leaves nothing behind.
 */

const WATCH_EVERY_MS = 1000;

if (isMainThread) serve();
else watchParent(workerData as number);

function serve(): void {
  let db: DatabaseSync | null = null;
  let config: SqliteConfig | null = null;
  let rows: Iterator<Readonly<Record<string, SQLOutputValue>>> | null = null;
  // Told whom to watch: where it begins late, it may have another parent already.
  new Worker(new URL(import.meta.url), { workerData: process.ppid }).unref();
  process.once('disconnect', () => process.exit());
  process.on('message', (order: InspectionOrder) => {
    process.send!(
      answerTo(() => {
        if (order.kind === 'open') {
          const { address, path, layout } = order;
          config = { address, path, layout: layoutNamed(layout), isLayoutNamed: true };
          db = openForQuestions(config);
          return { kind: 'ready' };
        }
        if (order.kind === 'end') {
          rows?.return?.();
          rows = null;
          return { kind: 'ready' };
        }
        if (order.kind === 'select') rows = start(db!, order);
        return { kind: 'rows', rows: take(rows!, order.rows) };
      }, config),
    );
  });
}

/** While a statement runs, nothing else of this thread does: whoever started it may be gone, and nobody wants to know. */
function watchParent(parent: number): void {
  setInterval(() => {
    if (!isAlive(parent)) process.kill(process.pid, 'SIGKILL');
  }, WATCH_EVERY_MS);
}

function isAlive(pid: number): boolean {
  if (process.ppid !== pid) return false;
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function answerTo(work: () => InspectionAnswer, config: SqliteConfig | null): InspectionAnswer {
  try {
    return config === null ? work() : guarded(config.address, () => refusing(work));
  } catch (error) {
    return { kind: 'failed', failure: failure(error) };
  }
}

/** `SQLITE_ERROR`, `SQLITE_AUTH` and the like are about the statement; the others about the file. */
const STATEMENT_CODES = [1, 18, 20, 23, 25];

function refusing<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    const code = resultCode(error);
    const isStatement = code === null ? error instanceof TypeError : STATEMENT_CODES.includes(code & 0xff);
    if (!isStatement) throw error;
    const hint =
      code === constants.SQLITE_DENY || code === 23
        ? 'a check only reads: leave out what writes, attaches or sets'
        : 'correct the statement';
    throw new BackupError('check_refused', (error as Error).message, { hint, cause: error });
  }
}

function openForQuestions(config: SqliteConfig): DatabaseSync {
  const db = connectStore(config, 'read');
  db.function(BUCKET_FUNCTION, { deterministic: true }, (text, seed, of) =>
    bucketOf({ seed: Number(seed), of: Number(of) }, Buffer.from(String(text))),
  );
  db.setAuthorizer(authorise);
  return db;
}

const ALLOWED = new Set<number>([
  constants.SQLITE_SELECT,
  constants.SQLITE_READ,
  constants.SQLITE_FUNCTION,
  constants.SQLITE_RECURSIVE,
]);

/** Those that only tell. Others set something, or write. */
const PRAGMAS = new Set([
  ...['integrity_check', 'quick_check', 'foreign_key_check', 'foreign_key_list', 'database_list'],
  ...['table_list', 'table_info', 'table_xinfo', 'index_list', 'index_info', 'index_xinfo'],
  ...['collation_list', 'function_list', 'compile_options', 'page_count', 'freelist_count'],
]);

/** What may be in a statement. `query_only` keeps the database as it is, but not from being copied elsewhere, or others from being attached. */
function authorise(action: number, name: string | null): number {
  const isAllowed = ALLOWED.has(action) || (action === constants.SQLITE_PRAGMA && PRAGMAS.has(name ?? ''));
  return isAllowed ? constants.SQLITE_OK : constants.SQLITE_DENY;
}

const NOTHING_MORE = /^(?:[\s;]|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)*$/;

function start(
  db: DatabaseSync,
  { sql, parameters }: { readonly sql: string; readonly parameters: readonly SqlValue[] },
): Iterator<Readonly<Record<string, SQLOutputValue>>> {
  const statement = db.prepare(sql);
  // SQLite takes the first statement of several, and no notice of the others.
  if (!NOTHING_MORE.test(sql.slice(statement.sourceSQL.length))) {
    throw new BackupError('check_refused', 'cannot take several statements', {
      hint: 'a check is one statement',
    });
  }
  statement.setReadBigInts(true);
  return statement.iterate(...parameters.map(bound));
}

function bound(value: SqlValue): string | number | bigint | null {
  if (!Array.isArray(value)) return value as string | number | bigint | null;
  throw new BackupError('internal', 'SQLite takes no lists as parameters');
}

function take(rows: Iterator<Readonly<Record<string, SQLOutputValue>>>, count: number): readonly SqlRow[] {
  const taken: SqlRow[] = [];
  while (taken.length < count) {
    const next = rows.next();
    if (next.done) break;
    taken.push(Object.fromEntries(Object.entries(next.value).map(([name, value]) => [name, textOf(value)])));
  }
  return taken;
}

function textOf(value: SQLOutputValue): string | null {
  if (value === null) return null;
  return value instanceof Uint8Array ? `\\x${Buffer.from(value).toString('hex')}` : String(value);
}
