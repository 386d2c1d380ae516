import { driverUrl, readPostgresUrl, redactPostgresUrl } from '../../core/postgres-address.ts';

/** Where a server is, and as whom it is spoken to. */
export interface ServerAddress {
  /** To show to people: without the password. */
  readonly shown: string;
  /** For the driver; may hold a password, so it is never shown. */
  readonly connectionString: string;
  /** Of the table of events. */
  readonly schema: string;
}

const OWN_PARAMETERS = ['layout', 'schema', 'table', 'lock_timeout'];

/** Throws `usage` for what is no address of PostgreSQL. */
export function parseServerAddress(address: string): ServerAddress {
  const url = readPostgresUrl(address);
  const redacted = redactPostgresUrl(url);
  return {
    // As it was written, where that may be shown: people look for it in the configuration.
    shown: redacted === url.href ? address : redacted,
    connectionString: driverUrl(url, OWN_PARAMETERS).href,
    schema: url.searchParams.get('schema') ?? 'public',
  };
}

/** The same place for somebody else, with a password that opens nothing. */
export function asStranger({ connectionString }: ServerAddress, user: string): string {
  const url = driverUrl(new URL(connectionString), ['user', 'password']);
  // An address without a host cannot hold a user.
  if (url.hostname === '') {
    url.searchParams.set('user', user);
    url.searchParams.set('password', NO_PASSWORD);
    return url.href;
  }
  url.username = user;
  url.password = NO_PASSWORD;
  return url.href;
}

const NO_PASSWORD = 'nobody';
