import path from 'node:path';
import { BackupError } from '../../core/errors.ts';
import { EVENTCORE_SQLITE, type OwnSqliteLayout, type SqliteLayout } from '../layouts/eventcore-sqlite.ts';
import { SQLITE_LAYOUTS } from '../layouts/sqlite-layouts.ts';

export interface SqliteConfig {
  /** As it was given. */
  readonly address: string;
  /** Absolute. */
  readonly path: string;
  readonly layout: SqliteLayout;
  /** False: whose tables they are is found by looking. */
  readonly isLayoutNamed: boolean;
}

export type OwnSqliteConfig = SqliteConfig & { readonly layout: OwnSqliteLayout };

/** For what is not done to stores of others. Throws `store_unsupported`. */
export function requireOwn(config: SqliteConfig, what: string): OwnSqliteConfig {
  const { layout } = config;
  if (layout.foreign === null) return { ...config, layout };
  throw new BackupError('store_unsupported', `a store of ${layout.name}: ${what}`, {
    hint: 'docs/layouts.md says what can be done with a store of which layout',
  });
}

const SCHEME = /^sqlite:/i;

/**
 * Reads `sqlite:./events.db`, `sqlite:/var/lib/app/events.db` or `sqlite:///var/lib/app/events.db`, all with an optional
 * `?layout=emmett`. The path is taken as it is, without percent decoding. Throws `usage`.
 */
export function parseSqliteAddress(address: string): SqliteConfig {
  if (!SCHEME.test(address)) throw badAddress(address, 'it does not begin with sqlite:');
  const rest = address.replace(SCHEME, '');
  const query = rest.includes('?') ? rest.indexOf('?') : rest.length;
  const file = rest.slice(0, query).replace(/^\/\/(?=\/)/, '');
  assertFile(file, address);
  const options = new URLSearchParams(rest.slice(query + 1));
  const isLayoutNamed = options.has('layout');
  return { address, path: path.resolve(file), layout: readOptions(options, address), isLayoutNamed };
}

const EXAMPLE = 'write it as sqlite:./events.db';

function assertFile(file: string, address: string): void {
  if (file === '' || file.includes('\0')) throw badAddress(address, 'it names no file');
  if (file.startsWith('//')) throw badAddress(address, 'it names another host');
  if (!/^:memory:|^file:/.test(file)) return;
  throw badAddress(
    address,
    'it names no file that another process could open',
    `a database in memory ends with its process and cannot be backed up from outside; ${EXAMPLE}`,
  );
}

function badAddress(address: string, reason: string, hint = EXAMPLE): BackupError {
  return new BackupError('usage', `not a SQLite address: ${JSON.stringify(address)}: ${reason}`, { hint });
}

function readOptions(options: URLSearchParams, address: string): SqliteLayout {
  for (const key of options.keys()) {
    if (key === 'layout') continue;
    throw new BackupError('usage', `unknown option ${JSON.stringify(key)} in ${address}`, {
      hint: 'SQLite addresses have one option: layout',
    });
  }
  return layoutNamed(options.get('layout') ?? EVENTCORE_SQLITE.name);
}

/** Throws `usage` where there is none. */
export function layoutNamed(name: string): SqliteLayout {
  const layout = SQLITE_LAYOUTS.find((known) => known.name === name);
  if (layout !== undefined) return layout;
  throw new BackupError('usage', `no layout ${JSON.stringify(name)} for SQLite`, {
    hint: `layouts for SQLite are: ${SQLITE_LAYOUTS.map((known) => known.name).join(', ')}`,
  });
}
