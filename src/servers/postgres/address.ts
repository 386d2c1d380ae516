import { BackupError } from '../../core/errors.ts';
import {
  hostsOf,
  type PostgresUri,
  readPostgresUri,
  redactPostgresAddress,
} from '../../core/postgres-address.ts';
import { checkUri } from '../../postgres/settings.ts';

/** Where a server is, and as whom it is spoken to. */
export interface ServerAddress {
  /** To show to people: without the password. */
  readonly shown: string;
  /** How it is reached; may hold a password, so it is never shown. */
  readonly uri: PostgresUri;
  /** Of the table of events. */
  readonly schema: string;
}

/** Throws `usage` for what is no address of one server of PostgreSQL. */
export function parseServerAddress(address: string): ServerAddress {
  const uri = readPostgresUri(address);
  const shown = redactPostgresAddress(address);
  checkUri(uri, shown);
  if (hostsOf(uri).length > 1) {
    throw new BackupError('usage', `${shown} names several servers, and one is asked here`, {
      hint: 'give each server an address of its own',
    });
  }
  return { shown, uri, schema: uri.parameters.get('schema') ?? 'public' };
}

/** The same place for somebody else, with a password that opens nothing, and nothing else that does. */
export function asStranger({ uri }: ServerAddress, user: string): PostgresUri {
  const kept = [...uri.parameters].filter(([name]) => !IDENTITY.includes(name));
  return { ...uri, user, password: NO_PASSWORD, parameters: new Map([...kept, ['sslcertmode', 'disable']]) };
}

/** What says who somebody is. */
const IDENTITY = ['user', 'password', 'passfile', 'sslcert', 'sslkey', 'sslpassword', 'sslcertmode'];
const NO_PASSWORD = 'nobody';
