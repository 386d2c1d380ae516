import { BackupError } from '../../core/errors.ts';
import { LAYOUT_NAME } from '../layouts/eventcore-postgres.ts';

/** What a store address says: `postgres://user@host:5432/db?layout=eventcore&schema=public`. */
export interface PostgresAddress {
  /** To show to people: without the password. */
  readonly shown: string;
  /** For the driver: everything but our own parameters; may hold a password, so it is never shown. */
  readonly connectionString: string;
  /** Of the events table. */
  readonly schema: string;
  /** How long a statement may wait for a lock, as the server spells it. */
  readonly lockTimeout: string;
}

const PROTOCOLS = ['postgres:', 'postgresql:'];
const LOCK_TIMEOUT = '30s';
const TIMEOUT = /^\d{1,9}(ms|s|min)?$/;
/** PostgreSQL cuts longer names silently (NAMEDATALEN). */
const MAX_NAME_BYTES = 63;
const SECRET_PARAMETERS = ['password', 'sslpassword'];

/**
 * Reads a store address. All other parameters (`sslmode`, `host` for a socket folder, …) are the driver's. Throws
 * `usage` for what is no such address and `store_unsupported` for an unknown layout.
 */
export function parsePostgresAddress(address: string): PostgresAddress {
  const url = parseUrl(address);
  const layout = url.searchParams.get('layout') ?? LAYOUT_NAME;
  if (layout !== LAYOUT_NAME) {
    throw new BackupError('store_unsupported', `layout ${layout} is not supported for PostgreSQL`, {
      hint: `leave the layout out or say layout=${LAYOUT_NAME}`,
    });
  }
  const schema = url.searchParams.get('schema') ?? 'public';
  if (schema === '' || schema.includes('\0') || Buffer.byteLength(schema) > MAX_NAME_BYTES) {
    throw new BackupError('usage', `schema name "${schema}" is not a name of 1 to ${MAX_NAME_BYTES} bytes`);
  }
  const lockTimeout = url.searchParams.get('lock_timeout') ?? LOCK_TIMEOUT;
  if (!TIMEOUT.test(lockTimeout)) {
    throw new BackupError('usage', `lock_timeout "${lockTimeout}" is no time`, {
      hint: 'write milliseconds, or a number with ms, s or min; 0 waits for ever',
    });
  }
  return { shown: redact(url), connectionString: driverPart(url), schema, lockTimeout };
}

function parseUrl(address: string): URL {
  // Without the slashes all of it is a path, and the password is not known as one.
  if (!URL.canParse(address) || !/^[^/]*:\/\//.test(address)) {
    // The address itself may hold a password, so the message does not repeat it.
    throw new BackupError('usage', 'the PostgreSQL address cannot be read', {
      hint: 'write postgres://user@host:5432/database, and %-encode special characters in user and password',
    });
  }
  const url = new URL(address);
  if (!PROTOCOLS.includes(url.protocol)) {
    throw new BackupError('usage', `a PostgreSQL address starts with postgres://, not ${url.protocol}//`);
  }
  if (url.pathname.length < 2) {
    throw new BackupError('usage', `no database is named in ${redact(url)}`, {
      hint: 'write postgres://user@host:5432/database',
    });
  }
  return url;
}

function redact(url: URL): string {
  const shown = new URL(url);
  shown.password = '';
  for (const name of SECRET_PARAMETERS) shown.searchParams.delete(name);
  return shown.href;
}

function driverPart(url: URL): string {
  const rest = new URL(url);
  rest.searchParams.delete('layout');
  rest.searchParams.delete('schema');
  rest.searchParams.delete('lock_timeout');
  return rest.href;
}
