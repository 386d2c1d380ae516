import { BackupError } from '../core/errors.ts';
import type { StoreDescription } from '../core/event-store.ts';
import type { Chain } from '../format/chain.ts';

/**
 * Holds the columns that the backups of a chain bring against those of the target, so that what would be refused after hours, or lost, is said
 * before anything is written. Says nothing where backups do not tell their columns, or the layout is another. Throws `value_not_storable`.
 */
export function assertColumnsFit(chain: Chain, target: StoreDescription): void {
  const { columns, neededColumns = [], layout } = target;
  if (columns === undefined) return;
  const brought = chain.flatMap(({ manifest: { store } }) =>
    store.layout === layout && store.columns !== undefined ? [store.columns] : [],
  );
  if (brought.length < chain.length) return;
  const faults = [...findHomeless(brought, columns), ...findWanting(brought, columns, neededColumns)];
  if (faults.length === 0) return;
  throw new BackupError(
    'value_not_storable',
    `the target’s events table has other columns than the backup: ${faults.map(({ what }) => what).join('; ')}`,
    {
      hint: `give the target the columns that were backed up (with the store’s own migrations, or: ${faults.map(({ wayOut }) => wayOut).join('; ')})`,
      facts: { columns: [...new Set(faults.map(({ column }) => column))].join(', ') },
    },
  );
}

/** Names and types of a table's columns. */
type Columns = Readonly<Record<string, string>>;

interface Fault {
  readonly column: string;
  readonly what: string;
  readonly wayOut: string;
}

/** Columns that have no place in the target, or one that does not take all that they may hold. */
function findHomeless(brought: readonly Columns[], target: Columns): Fault[] {
  const there = new Map(Object.entries(target));
  // A later backup says what the column is by now.
  return Object.entries(Object.assign({}, ...brought) as Columns).flatMap(([column, type]) => {
    const is = there.get(column);
    if (is === undefined) {
      const what = `${column} (${type}) is missing there`;
      return [{ column, what, wayOut: `ALTER TABLE … ADD COLUMN ${column} ${type}` }];
    }
    if (takesAll(is, type)) return [];
    const what = `${column} is ${is} there, and ${type} in the backup`;
    return [{ column, what, wayOut: `ALTER TABLE … ALTER COLUMN ${column} TYPE ${type}` }];
  });
}

/** Columns of the target that must have a value where the events of some backup have none. */
function findWanting(brought: readonly Columns[], target: Columns, needed: readonly string[]): Fault[] {
  return needed
    .filter((column) => !brought.every((columns) => column in columns))
    .map((column) => ({
      column,
      what: `${column} (${target[column]}) must have a value there, and the backup has none`,
      wayOut: `ALTER TABLE … ALTER COLUMN ${column} SET DEFAULT …`,
    }));
}

/** In rising order: each takes what those before it take. */
const LADDERS = [
  ['smallint', 'integer', 'bigint', 'numeric'],
  ['real', 'double precision'],
];

const TEXTS = ['text', 'character varying'];
/** As data of an event these are something else in a backup than a text is. */
const NOT_ITS_TEXT = ['json', 'jsonb', 'bytea'];
const SIZED = /^([a-z][a-z ]*?)\((\d+)\)(.*)$/;

/** Whether a column of type `to` holds every value of type `from` as it was. Both as format_type() spells them. */
export function takesAll(to: string, from: string): boolean {
  if (to === from) return true;
  if (TEXTS.includes(to)) return !NOT_ITS_TEXT.includes(from);
  const [wide, narrow] = [sizeOf(to), sizeOf(from)];
  if (wide.name === narrow.name) return wide.size >= narrow.size && !wide.name.startsWith('numeric');
  return LADDERS.some((types) => {
    const [above, below] = [types.indexOf(to), types.indexOf(from)];
    return below !== -1 && above > below;
  });
}

/** Length of a text, digits of a second; without one, as much as there may be. */
function sizeOf(type: string): { name: string; size: number } {
  const [, name, size, rest] = SIZED.exec(type) ?? [];
  if (name === undefined) return { name: type, size: Number.POSITIVE_INFINITY };
  return { name: `${name}${rest}`, size: Number(size) };
}
