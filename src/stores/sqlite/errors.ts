import { BackupError, type ErrorCode } from '../../core/errors.ts';

/** Primary result codes of SQLite (sqlite.org/rescode.html). */
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
export const TOO_BIG = 18;
export const CONSTRAINT = 19;
const SQLITE_NOTADB = 26;

/** Extended result codes. */
export const CONSTRAINT_NOT_NULL = 1299;
export const CONSTRAINT_PRIMARY_KEY = 1555;
export const CONSTRAINT_UNIQUE = 2067;
const READONLY_DIRECTORY = 1544;

const NEEDS_FOLDER =
  'SQLite makes files next to a database in WAL mode, even to read it; allow this user to write to the folder';

/** What to say of a result code: the error's code, what follows the address, the way out. */
const OUTCOMES: Readonly<Record<number, readonly [ErrorCode, string, string]>> = {
  [SQLITE_BUSY]: [
    'store_refused',
    'is locked by another process',
    'try again when the other one has finished',
  ],
  [SQLITE_LOCKED]: [
    'store_refused',
    'is locked by this process',
    'let the other reader or writer finish first',
  ],
  [SQLITE_READONLY]: ['store_refused', 'cannot be written', 'give this user the right to write the file'],
  [READONLY_DIRECTORY]: ['store_refused', 'lies in a folder that cannot be written', NEEDS_FOLDER],
  [SQLITE_IOERR]: ['store_unreachable', 'cannot be read or written', 'check the disk and the system log'],
  [SQLITE_CORRUPT]: [
    'damaged',
    'is damaged',
    'see what `PRAGMA integrity_check` says, and restore the newest backup to another file',
  ],
  [SQLITE_FULL]: ['store_refused', 'cannot grow: the disk is full', 'free space, then try again'],
  [SQLITE_CANTOPEN]: ['store_refused', 'cannot be opened', `check the rights; ${NEEDS_FOLDER}`],
  [TOO_BIG]: ['store_unsupported', 'holds an event larger than SQLite can hand out', 'the limit is 1 GB'],
  [SQLITE_NOTADB]: [
    'store_refused',
    'cannot be read: the file is not a database or is encrypted',
    'check the address; a database encrypted with SQLCipher has to be decrypted first (sqlcipher_export)',
  ],
};

/** The extended result code, null when `error` does not come from SQLite. */
export function resultCode(error: unknown): number | null {
  if (!(error instanceof Error) || !('errcode' in error)) return null;
  return typeof error.errcode === 'number' ? error.errcode : null;
}

/** Another connection has a lock, for a moment or for as long as its transaction takes. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code !== null && (code & 0xff) === SQLITE_BUSY;
}

/** Turns what SQLite threw into what a user can act on; anything else is given back as it is. */
export function storeError(address: string, error: unknown): unknown {
  const code = resultCode(error);
  if (code === null) return error;
  const text = error instanceof Error ? error.message : String(error);
  const outcome = OUTCOMES[code] ?? OUTCOMES[code & 0xff];
  if (outcome === undefined) {
    return new BackupError('internal', `SQLite refused to work on ${address}: ${text}`, { cause: error });
  }
  const [errorCode, says, hint] = outcome;
  return new BackupError(errorCode, `${address} ${says}`, {
    hint,
    cause: error,
    facts: { sqlite: text, sqliteCode: code },
  });
}

/** Runs `work`; what SQLite throws becomes a BackupError. */
export function guarded<Result>(address: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw storeError(address, error);
  }
}
