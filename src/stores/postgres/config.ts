import type { CustomMapping, CustomMappings } from '../../core/custom-mapping.ts';
import { BackupError } from '../../core/errors.ts';
import { type PostgresUri, readPostgresUri, redactPostgresAddress } from '../../core/postgres-address.ts';
import { checkUri } from '../../postgres/settings.ts';
import { LAYOUT_NAME } from '../layouts/eventcore-postgres.ts';
import type { ForeignLayout } from '../layouts/foreign.ts';
import { FOREIGN_LAYOUTS, LAYOUT_NAMES } from '../layouts/postgres-layouts.ts';

/** What a store address says: `postgres://user@host:5432/db?layout=eventcore&schema=public`. */
export interface PostgresAddress {
  /** To show to people: without the password. */
  readonly shown: string;
  /** How it is reached; may hold a password, so it is never shown. */
  readonly uri: PostgresUri;
  /** Of the events table. */
  readonly schema: string;
  readonly isSchemaNamed: boolean;
  /** Whose tables they are; null: EventCore's. */
  readonly foreign: ForeignLayout | null;
  /** Of the configuration, until it has been held against the tables: then it is `foreign`. */
  readonly custom: { readonly name: string; readonly mapping: CustomMapping } | null;
  /** False: whose tables they are is still to be found by looking. */
  readonly isLayoutNamed: boolean;
  /** How long a statement may wait for a lock, as the server spells it. */
  readonly lockTimeout: string;
}

const LOCK_TIMEOUT = '30s';
const TIMEOUT = /^\d{1,9}(ms|s|min)?$/;
/** PostgreSQL cuts longer names silently (NAMEDATALEN). */
const MAX_NAME_BYTES = 63;

/**
 * Reads a store address. All other parameters (`sslmode`, `host` for a socket folder, …) are libpq's. Throws
 * `usage` for what is no such address and `store_unsupported` for an unknown layout.
 */
export function parsePostgresAddress(address: string, layouts: CustomMappings = {}): PostgresAddress {
  const uri = readPostgresUri(address);
  const shown = redactPostgresAddress(address);
  checkUri(uri, shown);
  const { parameters } = uri;
  const layout = parameters.get('layout') ?? LAYOUT_NAME;
  const usual = FOREIGN_LAYOUTS.find(({ name }) => name === layout) ?? null;
  const custom = customOf(layout, layouts);
  if (usual === null && custom === null && layout !== LAYOUT_NAME) {
    const names = [...LAYOUT_NAMES, ...Object.keys(layouts)];
    throw new BackupError('store_unsupported', `layout ${layout} is not supported for PostgreSQL`, {
      hint: `leave the layout out, say one of ${names.join(', ')}, or describe it under \`layouts:\` in the configuration (docs/layouts.md)`,
    });
  }
  const foreign = withTable(usual, parameters.get('table') ?? null);
  const schema = parameters.get('schema') ?? foreign?.schema ?? custom?.mapping.schema ?? 'public';
  requireName('schema', schema);
  const isSchemaNamed = parameters.has('schema');
  const isLayoutNamed = parameters.has('layout') && custom === null;
  const lockTimeout = parameters.get('lock_timeout') ?? LOCK_TIMEOUT;
  if (!TIMEOUT.test(lockTimeout)) {
    throw new BackupError('usage', `lock_timeout "${lockTimeout}" is no time`, {
      hint: 'write milliseconds, or a number with ms, s or min; 0 waits for ever',
    });
  }
  return {
    shown,
    uri,
    schema,
    isSchemaNamed,
    foreign,
    custom,
    isLayoutNamed,
    lockTimeout,
  };
}

/** Throws `store_unsupported` for one that is called like a layout of ours. */
function customOf(name: string, layouts: CustomMappings): PostgresAddress['custom'] {
  if (!Object.hasOwn(layouts, name)) return null;
  if (!LAYOUT_NAMES.includes(name)) return { name, mapping: layouts[name]! };
  throw new BackupError('store_unsupported', `layouts.${name}: this program has a layout of that name`, {
    hint: 'call yours otherwise in the configuration',
  });
}

/** Throws `usage` for a layout whose table has one name only. */
function withTable(layout: ForeignLayout | null, table: string | null): ForeignLayout | null {
  if (table === null || table === layout?.table) return layout;
  requireName('table', table);
  if (layout?.renamed !== undefined) return layout.renamed(table);
  const named = FOREIGN_LAYOUTS.filter(({ renamed }) => renamed !== undefined).map(({ name }) => name);
  throw new BackupError('usage', `?table=${table} is for layouts whose users name the table`, {
    hint: `say ?layout= too: ${named.join(' or ')}`,
  });
}

function requireName(what: string, name: string): void {
  if (name !== '' && !name.includes('\0') && Buffer.byteLength(name) <= MAX_NAME_BYTES) return;
  throw new BackupError('usage', `${what} name "${name}" is not a name of 1 to ${MAX_NAME_BYTES} bytes`);
}
