import { resolve } from 'node:path';
import { BackupError } from '../core/errors.ts';
import { databaseOf, hostsOf, parsePostgresUri, redactPostgresAddress } from '../core/postgres-address.ts';

/**
 * Addresses of stores and vaults as people write them. Nothing is opened here. An address may hold a password:
 * no message repeats one before `redactAddress` has seen it.
 */

const STORE_SCHEMES = {
  ...{ sqlite: 'sqlite', postgres: 'postgres', postgresql: 'postgres' },
  'eventcore-fs': 'eventcore-fs',
  // Named in the configuration, where their addresses are.
  shards: 'shards',
} as const;
export type StoreScheme = (typeof STORE_SCHEMES)[keyof typeof STORE_SCHEMES];

/** The kind of store that an address names. Throws `usage`. */
export function storeScheme(address: string): StoreScheme {
  const scheme = schemeOf(address);
  if (scheme !== null && Object.hasOwn(STORE_SCHEMES, scheme)) {
    if (address.length > scheme.length + 1) return STORE_SCHEMES[scheme as keyof typeof STORE_SCHEMES];
    throw badAddress('store', address, 'it names no database');
  }
  throw badAddress('store', address, scheme === null ? 'it names no kind of store' : unknownKind(scheme));
}

const VAULT_SCHEMES = { file: 'file', s3: 's3', glacier: 's3' } as const;

/** The kind of place that a vault address names: a directory, or a bucket of S3. Throws `usage`. */
export function vaultScheme(address: string): 'file' | 's3' {
  const scheme = schemeOf(address) ?? 'file';
  if (Object.hasOwn(VAULT_SCHEMES, scheme)) return VAULT_SCHEMES[scheme as keyof typeof VAULT_SCHEMES];
  throw badAddress('vault', address, unknownKind(scheme));
}

/** The directory that a vault address names: `file:PATH`, `file:///PATH` or a bare path. Throws `usage`. */
export function vaultPath(address: string): string {
  if (vaultScheme(address) !== 'file')
    throw badAddress('vault', address, 'it names a bucket, not a directory');
  const scheme = schemeOf(address);
  const path = scheme === null ? address : address.slice('file:'.length);
  if (path === '' || path.includes('\0')) throw badAddress('vault', address, 'it names no directory');
  if (!path.startsWith('//')) return path;
  if (path.startsWith('///')) return path.slice(2);
  throw badAddress('vault', address, 'it names another host');
}

/** The same address with the relative path in it, if there is one, seen from `folder`. Throws `usage`. */
export function resolveStoreAddress(address: string, folder: string): string {
  const scheme = storeScheme(address);
  if (scheme === 'postgres' || scheme === 'shards') return address;
  const [path, query] = splitQuery(address.slice(`${scheme}:`.length));
  return isLocalPath(path) ? `${scheme}:${resolve(folder, path)}${query}` : address;
}

/** As `resolveStoreAddress`, for a vault. */
export function resolveVaultAddress(address: string, folder: string): string {
  if (vaultScheme(address) !== 'file') return address;
  return `file:${resolve(folder, vaultPath(address))}`;
}

/** True when both addresses name the same database, however they are written. Throws `usage`. */
export function isSameStore(a: string, b: string): boolean {
  return storeIdentity(a) === storeIdentity(b);
}

function storeIdentity(address: string): string {
  const scheme = storeScheme(address);
  if (scheme === 'shards') return address;
  if (scheme !== 'postgres') {
    const [path] = splitQuery(address.slice(`${scheme}:`.length));
    return `${scheme}:${resolve(path.replace(/^\/\/(?=\/)/, ''))}`;
  }
  const uri = parsePostgresUri(address);
  if (uri === null) return address;
  const hosts = hostsOf(uri).map(({ host, port }) => [host || 'localhost', port || '5432']);
  const places = hosts.length === 0 ? [['localhost', '5432']] : hosts;
  return JSON.stringify([places, databaseOf(uri), uri.parameters.get('schema') ?? 'public']);
}

const SECRET_PARAMETER = /password|secret|token/i;

/** An address without its password, to show to people. What cannot be parsed loses more rather than less. */
export function redactAddress(address: string): string {
  // Without the slashes nothing tells where the password is.
  if (/^postgres(?:ql)?:(?!\/\/)/i.test(address)) return `${address.slice(0, address.indexOf(':'))}:…`;
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(address)) return address;
  if (/^postgres(?:ql)?:/i.test(address)) return redactPostgresAddress(address);
  if (!URL.canParse(address)) return address.replace(/^([^:]+:\/\/[^:/?#]*):.*@/s, '$1@');
  const url = new URL(address);
  const secrets = [...url.searchParams.keys()].filter((name) => SECRET_PARAMETER.test(name));
  if (url.password === '' && secrets.length === 0) return address;
  url.password = '';
  for (const name of secrets) url.searchParams.delete(name);
  return url.href;
}

/** Text of unknown origin with the passwords of all addresses in it taken out. */
export function redactText(text: string): string {
  return text
    .replace(/\b([a-z][a-z0-9+.-]*:\/\/[^\s:/?#"']*):[^\s"']*@/gi, '$1@')
    .replace(/([?&][\w.-]*(?:password|secret|token)[\w.-]*=)[^&\s"']*/gi, '$1***');
}

/** A path such as `C:\backups` has no scheme: schemes have two letters or more. */
function schemeOf(address: string): string | null {
  return /^([a-z][a-z0-9+.-]+):/i.exec(address)?.[1]?.toLowerCase() ?? null;
}

function splitQuery(text: string): [path: string, query: string] {
  const at = text.indexOf('?');
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at)];
}

function isLocalPath(path: string): boolean {
  return path !== '' && !path.startsWith('/') && !path.startsWith(':');
}

function unknownKind(scheme: string): string {
  return `${scheme}: is not supported by this version`;
}

const SUPPORTED = {
  store:
    'stores are sqlite:./events.db, postgres://user@host:5432/database, eventcore-fs:./folder, or shards:NAME of the configuration',
  vault:
    'vaults are directories: file:./backups or a bare path, and buckets: s3://bucket/prefix (docs/s3.md)',
};

function badAddress(what: 'store' | 'vault', address: string, reason: string): BackupError {
  const shown = JSON.stringify(redactAddress(address));
  return new BackupError('usage', `not the address of a ${what}: ${shown}: ${reason}`, {
    hint: SUPPORTED[what],
  });
}
