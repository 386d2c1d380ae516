import pg from 'pg';
import { BackupError } from '../../core/errors.ts';

/**
 * Says in the words of BackupError why a server did not do what it was asked. `store_refused`: it answered, and said no.
 * `store_unreachable`: nothing came from it; with the fact `timedOut` where the wait for it was over. SQLSTATE codes: PostgreSQL's
 * manual, appendix A.
 */
export function toServerError(error: unknown, shown: string): BackupError {
  if (error instanceof BackupError) return error;
  const state = sqlState(error);
  if (state === CANCELLED) return timedOut(shown, 'the statement took too long', error);
  const message = `${shown}: ${messageOf(error)}`;
  if (state !== null) {
    const hint = HINTS[state] ?? HINTS[state.slice(0, 2)];
    const facts = { sqlState: state };
    return new BackupError('store_refused', message, {
      ...(hint === undefined ? {} : { hint }),
      facts,
      cause: error,
    });
  }
  if (LATE.test(messageOf(error)) || networkCode(error) === 'ETIMEDOUT')
    return timedOut(shown, 'nothing came', error);
  if (ANSWERED.test(messageOf(error))) {
    const hint = 'check sslmode, certificates, user and password';
    return new BackupError('store_refused', message, { hint, cause: error });
  }
  if (networkCode(error) === null && !LOST.test(messageOf(error))) {
    return new BackupError('internal', message, { cause: error });
  }
  return new BackupError('store_unreachable', message, {
    hint: 'look at the server and the network',
    cause: error,
  });
}

export function timedOut(shown: string, what: string, cause?: unknown): BackupError {
  return new BackupError('store_unreachable', `${shown}: ${what} before the time was over`, {
    hint: 'look at the server and the network: a connection that is cut says nothing',
    facts: { timedOut: true },
    cause,
  });
}

/** The five characters that say what a server error is; null when it is not the server's. */
export function sqlState(error: unknown): string | null {
  if (error instanceof BackupError) return sqlState(error.cause);
  return error instanceof pg.DatabaseError ? (error.code ?? null) : null;
}

/** By our own statement_timeout. */
const CANCELLED = '57014';

export const POOLER_HINT =
  'a recovery speaks to servers themselves: name the host and port of PostgreSQL, not those of PgBouncer';

const HINTS: Readonly<Record<string, string>> = {
  '08P01': POOLER_HINT,
  '28': 'check user and password (PGPASSWORD, ~/.pgpass) and pg_hba.conf; a fence lets only the role in that set it',
  '3D000': 'check the database in the address',
  '42501': 'use a superuser, or grant what docs/disaster-recovery.md lists',
  '53300': 'all connections are taken: a superuser has some of its own',
  '57P03': 'the server is starting or stopping: try again',
};

/** The driver has no codes for these; the texts are those of pg 8. */
const LATE =
  /^(timeout expired|timeout exceeded when trying to connect|Connection terminated due to connection timeout)/;
const LOST = /^(Connection terminated|Client was closed|Client has encountered a connection error)/;
/** The server spoke, and the driver did not like it. */
const ANSWERED = /\b(SSL|TLS|certificate|SASL|password)\b/i;

function networkCode(error: unknown): string | null {
  if (error instanceof AggregateError) return networkCode(error.errors[0]);
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}

function messageOf(error: unknown): string {
  // Node names every address that it tried, and leaves the message of the whole empty.
  if (error instanceof AggregateError && error.message === '') return messageOf(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}
