import { existsSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { BackupError } from '../core/errors.ts';
import { databaseOf, type PostgresUri } from '../core/postgres-address.ts';
import { environmentParameters, type Parameters, readParameters } from './keywords.ts';
import { readService } from './service-file.ts';

/** A place where a server may be. */
export interface Place {
  /** As it is written: the name that a certificate must bear. A path is the folder of a socket. */
  readonly host: string;
  /** Where to connect to instead of looking the name up. */
  readonly address: string | null;
  readonly port: number;
}

export type SslMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';
export type TargetSession = 'any' | 'read-write' | 'read-only' | 'primary' | 'standby' | 'prefer-standby';

/** All that a connection needs, of an address, the environment and libpq's files. */
export interface ConnectionSettings {
  /** In the order in which they are tried. */
  readonly places: readonly Place[];
  readonly user: string;
  readonly database: string;
  /** Null: asked of the password file, for each place. */
  readonly password: string | null;
  readonly passwordFile: string;
  /** Null: whatever the server asks for. Else the ways that may be gone, or with `!` in front of each, may not. */
  readonly requireAuth: readonly string[] | null;
  readonly channelBinding: 'disable' | 'prefer' | 'require';
  readonly ssl: SslSettings;
  readonly targetSession: TargetSession;
  readonly isInAnyOrder: boolean;
  /** For each place; null where nobody said, 0 for ever. */
  readonly connectTimeoutMs: number | null;
  readonly applicationName: string | null;
  readonly options: string | null;
  readonly keepAlive: boolean;
  readonly keepAliveIdleMs: number | null;
}

export interface SslSettings {
  readonly mode: SslMode;
  readonly negotiation: 'postgres' | 'direct';
  /** `system`: what the system trusts. Null: the file of libpq, where there is one. */
  readonly rootCert: string | null;
  /** Null: the file of libpq, where there is one. */
  readonly crl: string | null;
  /** A folder of such files, named by hashes. */
  readonly crlFolder: string | null;
  /** Null: the files of libpq, where there are any; '' for none. */
  readonly cert: string | null;
  readonly key: string | null;
  readonly keyPassword: string | null;
  readonly sendsName: boolean;
  readonly minVersion: string | null;
  readonly maxVersion: string | null;
  /** Where libpq keeps certificates of a user. */
  readonly folder: string;
}

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly login: string;
  readonly exists: (path: string) => boolean;
}

const DEFAULT_PORT = '5432';
/** Of Debian and its like, and of PostgreSQL as it comes. */
export const SOCKET_FOLDERS = ['/var/run/postgresql', '/tmp'];

export function surroundings(): Surroundings {
  const { env } = process;
  return { env, home: env.HOME || homedir(), login: loginName(env), exists: existsSync };
}

/** An account may have a number and no name, as in a container. */
function loginName(env: Surroundings['env']): string {
  try {
    return userInfo().username;
  } catch {
    return env.USER ?? '';
  }
}

/** Throws `usage` for what an address says that means nothing, and where nobody says which database, before anything is connected. */
export function checkUri(uri: PostgresUri, shown: string, env: Surroundings['env'] = process.env): void {
  const { service } = readParameters(uri.parameters, 'the PostgreSQL address');
  if (databaseOf(uri) === null && !(env.PGDATABASE || service || env.PGSERVICE)) throw noDatabase(shown);
}

function noDatabase(shown: string): BackupError {
  return new BackupError('usage', `no database is named in ${shown}`, {
    hint: 'write postgres://user@host:5432/database, or set PGDATABASE',
  });
}

/**
 * What counts first: parameters of the address, the address itself, the service that it names, the environment, what is usual. Throws
 * `usage`.
 */
export function connectionSettings(
  uri: PostgresUri,
  around: Surroundings = surroundings(),
): ConnectionSettings {
  const named = { ...ofUri(uri), ...readParameters(uri.parameters, 'the PostgreSQL address') };
  const env = environmentParameters(around.env);
  const service = named.service ?? env.service;
  const file = named.servicefile ?? env.servicefile;
  const paths = file !== undefined ? [file] : servicePaths(around);
  const parameters: Parameters = {
    ...env,
    ...(service === undefined ? {} : readService(service, paths)),
    ...named,
  };
  return toSettings(parameters, around);
}

function servicePaths({ env, home }: Surroundings): string[] {
  const paths = [join(home, '.pg_service.conf')];
  return env.PGSYSCONFDIR ? [...paths, join(env.PGSYSCONFDIR, 'pg_service.conf')] : paths;
}

function ofUri(uri: PostgresUri): Parameters {
  const host = uri.hosts.map((place) => place.host).join(',');
  const port = uri.hosts.map((place) => place.port).join(',');
  const database = databaseOf(uri);
  return {
    ...(host === '' ? {} : { host }),
    ...(port === '' ? {} : { port }),
    ...(database === null ? {} : { dbname: database }),
    ...(uri.user === null ? {} : { user: uri.user }),
    ...(uri.password === null ? {} : { password: uri.password }),
  };
}

function toSettings(parameters: Parameters, around: Surroundings): ConnectionSettings {
  const user = parameters.user || around.login;
  if (!parameters.dbname) throw noDatabase('the PostgreSQL address');
  const timeout = parameters.connect_timeout === undefined ? null : Number(parameters.connect_timeout);
  const idle = Number(parameters.keepalives_idle ?? 0);
  return {
    places: toPlaces(parameters, around),
    user,
    database: parameters.dbname,
    password: parameters.password || null,
    passwordFile: parameters.passfile || join(around.home, '.pgpass'),
    requireAuth: parameters.require_auth?.split(',') ?? null,
    channelBinding: (parameters.channel_binding ?? 'prefer') as ConnectionSettings['channelBinding'],
    ssl: toSsl(parameters, around),
    targetSession: (parameters.target_session_attrs ?? 'any') as TargetSession,
    isInAnyOrder: parameters.load_balance_hosts === 'random',
    // Less than two seconds are two, as in libpq; none, and less than none, are for ever.
    connectTimeoutMs: timeout === null ? null : timeout <= 0 ? 0 : Math.max(2, timeout) * 1000,
    applicationName: parameters.application_name || parameters.fallback_application_name || null,
    options: parameters.options || null,
    keepAlive: Number(parameters.keepalives ?? 1) !== 0,
    keepAliveIdleMs: idle > 0 ? idle * 1000 : null,
  };
}

function toPlaces(parameters: Parameters, around: Surroundings): Place[] {
  const hosts = (parameters.host ?? '').split(',');
  const addresses = (parameters.hostaddr ?? '').split(',');
  const count = parameters.hostaddr ? addresses.length : hosts.length;
  const ports = (parameters.port ?? '').split(',');
  if (parameters.hostaddr && parameters.host && hosts.length !== addresses.length) {
    throw new BackupError(
      'usage',
      `${hosts.length} hosts and ${addresses.length} addresses (hostaddr) do not match`,
    );
  }
  if (ports.length !== 1 && ports.length !== count) {
    throw new BackupError('usage', `${ports.length} ports and ${count} hosts do not match`);
  }
  return Array.from({ length: count }, (_, i) => {
    const port = toPort(ports[ports.length === 1 ? 0 : i]!);
    const address = addresses[i] || null;
    return { host: hosts[i] || address || defaultHost(port, around), address, port };
  });
}

function toPort(text: string): number {
  const port = Number(text || DEFAULT_PORT);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new BackupError('usage', `${JSON.stringify(text)} is no port`);
}

/** A socket of this machine where there is one. */
function defaultHost(port: number, { exists }: Surroundings): string {
  const folder = SOCKET_FOLDERS.find((path) => exists(join(path, socketName(port))));
  return folder ?? 'localhost';
}

export function socketName(port: number): string {
  return `.s.PGSQL.${port}`;
}

/** What stands for it in a password file, and in messages of libpq. */
export function isSocket({ host, address }: Place): boolean {
  return address === null && (host.startsWith('/') || host.startsWith('@'));
}

function toSsl(parameters: Parameters, { home }: Surroundings): SslSettings {
  const isSystem = parameters.sslrootcert === 'system';
  const isDirect = parameters.sslnegotiation === 'direct';
  const mode = (parameters.sslmode ??
    (isSystem ? 'verify-full' : isDirect ? 'require' : 'prefer')) as SslMode;
  if (isSystem && mode !== 'verify-full') {
    throw new BackupError('usage', `sslmode=${mode} is too weak for sslrootcert=system`, {
      hint: 'anybody can have a certificate of a public authority: say sslmode=verify-full',
    });
  }
  if (isDirect && ['disable', 'allow', 'prefer'].includes(mode)) {
    throw new BackupError('usage', `sslmode=${mode} is too weak for sslnegotiation=direct`, {
      hint: 'say sslmode=require, or better verify-full',
    });
  }
  return {
    mode,
    negotiation: isDirect ? 'direct' : 'postgres',
    rootCert: parameters.sslrootcert || null,
    crl: parameters.sslcrl || null,
    crlFolder: parameters.sslcrldir || null,
    cert: parameters.sslcertmode === 'disable' ? '' : parameters.sslcert || null,
    key: parameters.sslkey || null,
    keyPassword: parameters.sslpassword || null,
    sendsName: parameters.sslsni !== '0',
    minVersion: parameters.ssl_min_protocol_version ?? null,
    maxVersion: parameters.ssl_max_protocol_version ?? null,
    folder: join(home, '.postgresql'),
  };
}
