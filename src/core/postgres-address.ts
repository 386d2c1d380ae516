import { BackupError } from './errors.ts';

const PROTOCOLS = ['postgres:', 'postgresql:'];
const SECRET_PARAMETERS = ['password', 'sslpassword'];

/** Reads the address of a database of PostgreSQL. Throws `usage` for what is none, and never repeats a password. */
export function readPostgresUrl(address: string): URL {
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
    throw new BackupError('usage', `no database is named in ${redactPostgresUrl(url)}`, {
      hint: 'write postgres://user@host:5432/database',
    });
  }
  return url;
}

/** To show to people: without passwords. */
export function redactPostgresUrl(url: URL): string {
  const shown = new URL(url);
  shown.password = '';
  for (const name of SECRET_PARAMETERS) shown.searchParams.delete(name);
  return shown.href;
}

/** What is for the driver: everything but parameters of our own. May hold a password. */
export function driverUrl(url: URL, own: readonly string[]): URL {
  const rest = new URL(url);
  for (const name of own) rest.searchParams.delete(name);
  return rest;
}
