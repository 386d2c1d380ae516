import pg from 'pg';
import { BackupError, type ErrorCode } from '../../core/errors.ts';
import { poolerRefusal } from './pooler.ts';

/**
 * Says in the words of BackupError what the server, the network or the driver refused. SQLSTATE codes:
 * PostgreSQL's manual, appendix A.
 */
export function toBackupError(error: unknown, shownAddress: string): BackupError {
  if (error instanceof BackupError) return error;
  const message = messageOf(error);
  const state = sqlState(error);
  const known =
    (state === null ? undefined : meaningOfState(state, message)) ?? meaningOfNetwork(error, message);
  const { code, hint } = known ?? { code: 'internal', hint: null };
  return new BackupError(code, `${shownAddress}: ${message}`, {
    ...(hint === null ? {} : { hint }),
    ...(state === null ? {} : { facts: { sqlState: state } }),
    cause: error,
  });
}

/** The five characters that say what a server error is, also behind a BackupError; null when it is not the server's. */
export function sqlState(error: unknown): string | null {
  if (error instanceof BackupError) return sqlState(error.cause);
  return error instanceof pg.DatabaseError ? (error.code ?? null) : null;
}

interface Meaning {
  readonly code: ErrorCode;
  readonly hint: string | null;
}

const RETRY_HINT = 'look at the server and try again';
const TABLES_HINT = 'check the address; `eventcore init --create-store` makes the tables';
const RIGHTS_HINT = 'GRANT SELECT on the event tables to back up; to restore, own them';
const ALL_RIGHTS_HINT = '`eventcore doctor` names all that is missing, docs/roles.md what each command needs';

const DISK_HINT = 'a file of the server is missing or cannot be read: see its log and the log of the system';

/** What the server says of bytes that it did not write so, where it has no state of its own for that. */
const STORED_DAMAGE = /invalid memory alloc request|toast|jsonb|corrupt|compress/i;

const DAMAGED_STORE: Meaning = {
  code: 'damaged',
  hint: 'the store itself is damaged: restore it from a backup',
};

const BY_STATE: Readonly<Record<string, Meaning>> = {
  '3D000': {
    code: 'not_an_event_store',
    hint: 'check the address, or create the database; `eventcore init --create-store` then makes the tables',
  },
  '3F000': { code: 'not_an_event_store', hint: TABLES_HINT },
  '42P01': { code: 'not_an_event_store', hint: TABLES_HINT },
  '25006': { code: 'store_refused', hint: 'the server is a standby or read-only: name the primary' },
  '40001': { code: 'store_unreachable', hint: 'on a standby set hot_standby_feedback = on, then try again' },
  '40P01': { code: 'store_unreachable', hint: 'two transactions waited for each other: try again' },
  '42704': { code: 'store_refused', hint: null },
  '55P03': { code: 'store_refused', hint: 'another session holds the table: end it or try later' },
  '57014': { code: 'store_refused', hint: 'the server or an administrator cancelled the statement' },
  '57P01': { code: 'store_unreachable', hint: 'the server ended the connection: try again' },
  '57P02': { code: 'store_unreachable', hint: RETRY_HINT },
  '57P03': { code: 'store_unreachable', hint: 'the server is starting or stopping: try again' },
  '57P05': { code: 'store_unreachable', hint: RETRY_HINT },
  '25P03': { code: 'store_unreachable', hint: RETRY_HINT },
  '53100': { code: 'store_refused', hint: "the server's disk is full: make room and try again" },
  '53300': { code: 'store_unreachable', hint: 'raise max_connections or lower --parallel' },
  '58030': { code: 'damaged', hint: DISK_HINT },
  '58P01': { code: 'damaged', hint: DISK_HINT },
  XX001: DAMAGED_STORE,
  XX002: { code: 'damaged', hint: 'an index of the store is damaged: REINDEX it' },
};

const BY_CLASS: Readonly<Record<string, Meaning>> = {
  '08': { code: 'store_unreachable', hint: RETRY_HINT },
  '28': { code: 'store_refused', hint: 'check user and password (PGPASSWORD, ~/.pgpass) and pg_hba.conf' },
};

function meaningOfState(state: string, message: string): Meaning {
  const refusal = state === '08P01' ? poolerRefusal(message) : null;
  if (refusal !== null) return refusal;
  if (state === '42501' && message.includes('row-level security')) {
    return {
      code: 'store_refused',
      hint: 'row-level security would hide events: use a role with BYPASSRLS or the owner of the tables',
    };
  }
  if (state === '42501') {
    return { code: 'store_refused', hint: `${grantFor(message) ?? RIGHTS_HINT}; ${ALL_RIGHTS_HINT}` };
  }
  if (state === 'XX000' && STORED_DAMAGE.test(message)) return DAMAGED_STORE;
  return BY_STATE[state] ?? BY_CLASS[state.slice(0, 2)] ?? { code: 'store_refused', hint: null };
}

/** The server names what it keeps from a role, in English at least, and not the right that is missing. */
function grantFor(message: string): string | null {
  const database = /create temporary tables in database "(.*)"$/.exec(message)?.[1];
  if (database !== undefined)
    return `GRANT TEMPORARY ON DATABASE ${pg.escapeIdentifier(database)} to this role`;
  const [, kind, name] = /^permission denied for (schema|table) (.+)$/.exec(message) ?? [];
  if (name === undefined) return null;
  if (kind === 'schema') return `GRANT USAGE ON SCHEMA ${pg.escapeIdentifier(name)} to this role`;
  return `to read it, GRANT SELECT ON ${pg.escapeIdentifier(name)} to this role; to restore, be a member of its owner`;
}

const NETWORK_CODES: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there: check host and port and start the server',
  ENOTFOUND: 'the host name is not known: check the address',
  EAI_AGAIN: 'the host name could not be looked up: try again',
  ENOENT: 'there is no such socket: check the folder in the address and start the server',
  EACCES: 'this user may not use the socket',
  ETIMEDOUT: 'check host, port and firewall',
  EHOSTUNREACH: 'check the network',
  ENETUNREACH: 'check the network',
  ECONNRESET: RETRY_HINT,
  EPIPE: RETRY_HINT,
};

/** The driver has no codes for these; the texts are those of pg 8. */
const DRIVER_MESSAGES =
  /^(Connection terminated|timeout expired|timeout exceeded when trying to connect|Client was closed|Client has encountered a connection error|Cannot use a pool after)/;

function meaningOfNetwork(error: unknown, message: string): Meaning | undefined {
  const hint = NETWORK_CODES[networkCode(error) ?? ''];
  if (hint !== undefined) return { code: 'store_unreachable', hint };
  if (DRIVER_MESSAGES.test(message)) return { code: 'store_unreachable', hint: RETRY_HINT };
  if (/\b(SSL|TLS|certificate|SASL|password)\b/i.test(message)) {
    return { code: 'store_refused', hint: 'check sslmode, certificates, user and password' };
  }
  return undefined;
}

function networkCode(error: unknown): string | null {
  if (error instanceof AggregateError) return networkCode(error.errors[0]);
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}

function messageOf(error: unknown): string {
  // Node names every address that it tried, and leaves the message of the whole empty.
  if (error instanceof AggregateError && error.message === '') return messageOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}
