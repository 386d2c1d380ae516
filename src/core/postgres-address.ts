import { BackupError } from './errors.ts';

/**
 * The address of a database of PostgreSQL, as libpq reads it: `postgres://user:password@host:5432,[::1]:5433/database?name=value`. Texts are
 * decoded. `URL` cannot be used for it: it knows one host only, and takes a plus sign for a blank.
 */
export interface PostgresUri {
  readonly user: string | null;
  readonly password: string | null;
  /** In the order of the address; empty where it names none. A port that is not named is empty. */
  readonly hosts: readonly { readonly host: string; readonly port: string }[];
  readonly database: string | null;
  /** Behind the question mark; they count for more than what stands before it. */
  readonly parameters: ReadonlyMap<string, string>;
}

const SCHEME = /^postgres(?:ql)?:\/\//i;
const SECRET_PARAMETER = /password|secret|token/i;

/** Parameters that are this program's own: libpq and drivers do not know them. */
export const OWN_PARAMETERS = ['layout', 'schema', 'table', 'lock_timeout'] as const;

/** Reads the address of a database of PostgreSQL. Throws `usage` for what is none, and never repeats a password. */
export function readPostgresUri(address: string): PostgresUri {
  if (!SCHEME.test(address)) {
    const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(address)?.[1];
    if (scheme === undefined) throw unreadable();
    throw new BackupError('usage', `a PostgreSQL address starts with postgres://, not ${scheme}://`);
  }
  const uri = parsePostgresUri(address);
  if (uri === null) throw unreadable();
  return uri;
}

/** Null for what is no such address. */
export function parsePostgresUri(address: string): PostgresUri | null {
  const text = SCHEME.test(address) ? address.replace(SCHEME, '') : null;
  if (text === null) return null;
  // libpq takes the first @. No host has one, and a password in which it stands as it is must not be shown as one.
  const [, , credentials = '', rest = ''] = /^(([^/?]*)@)?(.*)$/s.exec(text) ?? [];
  const [, places = '', , database = '', , query = ''] = /^([^/?]*)(\/([^?]*))?(\?(.*))?$/s.exec(rest) ?? [];
  try {
    const [, user = '', , password = ''] = /^([^:]*)(:(.*))?$/.exec(credentials) ?? [];
    return {
      user: decode(user) || null,
      password: decode(password) || null,
      hosts: readHosts(places),
      database: decode(database) || null,
      parameters: readParameters(query),
    };
  } catch {
    return null;
  }
}

export function formatPostgresUri(uri: PostgresUri): string {
  const password = uri.password === null ? '' : `:${encodeURIComponent(uri.password)}`;
  const user =
    uri.user === null && password === '' ? '' : `${encodeURIComponent(uri.user ?? '')}${password}@`;
  const hosts = uri.hosts.map(({ host, port }) => `${encodeHost(host)}${port === '' ? '' : `:${port}`}`);
  const database = uri.database === null ? '' : `/${encodeURIComponent(uri.database)}`;
  const query = [...uri.parameters].map((pair) => pair.map(encodeURIComponent).join('='));
  return `postgres://${user}${hosts.join(',')}${database}${query.length === 0 ? '' : `?${query.join('&')}`}`;
}

/** To show to people: as it was written where it holds no password, else without. What cannot be read loses more rather than less. */
export function redactPostgresAddress(address: string): string {
  const uri = parsePostgresUri(address);
  if (uri === null) return 'postgres://…';
  const open = [...uri.parameters].filter(([name]) => !SECRET_PARAMETER.test(name));
  if (uri.password === null && open.length === uri.parameters.size) return address;
  return formatPostgresUri({ ...uri, password: null, parameters: new Map(open) });
}

/** The same without what is this program's own. Throws `usage`. */
export function addressForOthers(address: string): string {
  const uri = readPostgresUri(address);
  const kept = [...uri.parameters].filter(([name]) => !(OWN_PARAMETERS as readonly string[]).includes(name));
  return kept.length === uri.parameters.size
    ? address
    : formatPostgresUri({ ...uri, parameters: new Map(kept) });
}

/** Another database in the same place. Throws `usage`. */
export function withDatabase(address: string, database: string): string {
  const uri = readPostgresUri(address);
  const kept = [...uri.parameters].filter(([name]) => name !== 'dbname');
  return formatPostgresUri({ ...uri, database, parameters: new Map(kept) });
}

/** The database that an address names, in either of the two places; null where it names none. */
export function databaseOf(uri: PostgresUri): string | null {
  return uri.parameters.get('dbname') || uri.database;
}

/** Hosts and ports that an address names, in either of the two places. A port that is not named is empty. */
export function hostsOf({ hosts, parameters }: PostgresUri): PostgresUri['hosts'] {
  const named = parameters.get('host');
  const ports = parameters.get('port')?.split(',') ?? hosts.map(({ port }) => port);
  const names = named === undefined ? hosts.map(({ host }) => host) : named.split(',');
  return names.map((host, i) => ({ host, port: ports[i] ?? (ports.length === 1 ? ports[0]! : '') }));
}

function readHosts(text: string): PostgresUri['hosts'] {
  if (text === '') return [];
  return text.split(',').map((place) => {
    const [, bracketed, plain, port = ''] = /^(?:\[([^\]]+)\]|([^:[\]]*))(?::(\d*))?$/.exec(place) ?? [];
    if (bracketed === undefined && plain === undefined) throw new Error('no host');
    return { host: bracketed ?? decode(plain!), port };
  });
}

function readParameters(query: string): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const part of query.split('&')) {
    if (part === '') continue;
    const [name, value, more] = part.split('=');
    if (value === undefined || more !== undefined) throw new Error('no parameter');
    parameters.set(decode(name!), decode(value));
  }
  return parameters;
}

/** Throws for what is no encoding, and for a NUL, which no text of libpq can hold. */
function decode(text: string): string {
  const decoded = decodeURIComponent(text);
  if (decoded.includes('\0')) throw new Error('NUL');
  return decoded;
}

function encodeHost(host: string): string {
  return host.includes(':') ? `[${host}]` : encodeURIComponent(host);
}

function unreadable(): BackupError {
  // The address itself may hold a password, so the message does not repeat it.
  return new BackupError('usage', 'the PostgreSQL address cannot be read', {
    hint: 'write postgres://user@host:5432/database, and %-encode special characters in user and password',
  });
}
