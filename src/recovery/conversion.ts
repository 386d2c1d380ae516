import { BackupError } from '../core/errors.ts';
import type { BatchWriter, StoreDescription } from '../core/event-store.ts';
import type { ManifestStore } from '../core/manifest.ts';
import { type EnvelopeContents, makeOpener } from '../format/envelope.ts';
import type { HeadLine } from '../format/heads.ts';
import type { LogPart } from './plan-recovery.ts';

/** How events of one layout become events of another. Survives structured cloning. */
export interface Conversion {
  readonly from: string;
  readonly to: string;
  /** What is added to each version: streams of the two begin with different ones. */
  readonly versionShift: number;
  /** Events come in envelopes of a store of others, which are taken off. */
  readonly opens: boolean;
  /** The target is a store of others and takes them as EventCore's. */
  readonly adopts: boolean;
}

/**
 * `open`: what a store of others had as metadata becomes the metadata, and the rest is lost, or refused. `keep`: envelopes (FORMAT.md §25) and versions
 * stay as the backup has them, for a store that is made only to see that the backup restores.
 */
export type EnvelopeHandling = 'open' | 'keep';

/** What a target of another layout has no place for. */
export interface Loss {
  /** Name of a column or table, or `DELIVERY_ORDER`. */
  readonly field: string;
  readonly kind: 'column' | 'table' | 'order';
  /** Events that have it; rows of a table. */
  readonly count: number;
}

/** Fields that may be lost. */
export type AllowedLoss = 'all' | readonly string[];

/** In EventCore the order of the ids is the order in which events are delivered; ids that are no UUIDs of version 7 give another one. */
export const DELIVERY_ORDER = 'delivery-order';

export const OWN_LAYOUT = 'eventcore';

/** Null: the target holds events just as the backup has them. Throws `store_unsupported` where it cannot hold them. */
export function conversionOf(
  source: ManifestStore,
  target: StoreDescription,
  envelopes: EnvelopeHandling,
): Conversion | null {
  const isSame = source.layout === target.layout;
  if (isSame && (source.layout === OWN_LAYOUT || source.kind === target.kind)) {
    if (source.versionBase === target.versionBase) return null;
    throw noPlace(source, target);
  }
  const adopts = target.layout !== OWN_LAYOUT;
  if (isSame || (adopts && target.adopts !== true)) throw noPlace(source, target);
  if (envelopes === 'keep' && !adopts) return null;
  return {
    ...{ from: source.layout, to: target.layout, adopts },
    versionShift: target.versionBase - source.versionBase,
    opens: source.layout !== OWN_LAYOUT,
  };
}

function noPlace(source: ManifestStore, target: StoreDescription): BackupError {
  if (source.layout === target.layout && source.kind === target.kind) {
    return new BackupError(
      'store_unsupported',
      `streams start at version ${source.versionBase} in the backup, at ${target.versionBase} in the target`,
      { hint: 'restore into a store with the same layout' },
    );
  }
  const [from, to] = [source, target].map(({ layout, kind }) => `${layout} in ${kind}`);
  const also = source.layout === OWN_LAYOUT ? '' : `, or one of ${OWN_LAYOUT}`;
  return new BackupError(
    'store_unsupported',
    `the backup is of a store of ${from}, the target is one of ${to}: its tables need what these events do not have`,
    { hint: `restore into a store of ${from}${also}` },
  );
}

/** What a change log has goes into a store just as it is. Throws `store_unsupported`. */
export function assertWithoutLog(conversion: Conversion | null, log: LogPart | null): void {
  if (conversion === null || log === null) return;
  const { from, to } = conversion;
  throw new BackupError(
    'store_unsupported',
    `the change log of a store of ${from} cannot be replayed into one of ${to}`,
    { hint: 'name a backup, which is restored without the log: --backup' },
  );
}

/** For the plan, in words. */
export function conversionNotes({ from, to, versionShift, opens, adopts }: Conversion): string[] {
  const notes = [
    `from a store of ${from} to one of ${to}: ids, streams, types, data, metadata and times stay`,
  ];
  if (versionShift !== 0)
    notes.push(
      `streams begin with another version in ${to} than in ${from}: each is one ${versionShift > 0 ? 'higher' : 'lower'}`,
    );
  if (opens) notes.push(`where ${from} has SQL NULL, data becomes null and metadata {}`);
  if (adopts) notes.push(`${to} has events delivered in the order of their ids, and positions are new`);
  return notes;
}

/** A writer that is given events as a backup has them. */
export function convertingWriter<Writer extends Pick<BatchWriter, 'write'>>(
  writer: Writer,
  { versionShift, opens }: Conversion,
): { readonly writer: Writer; readonly contents: EnvelopeContents } {
  const opener = makeOpener();
  const write: BatchWriter['write'] = async (batch) => {
    const opened = opens ? opener.open(batch) : batch;
    const versions = versionShift === 0 ? batch.versions : shifted(batch.versions, batch.count, versionShift);
    await writer.write({ ...opened, versions });
  };
  return { writer: { ...writer, write }, contents: opener.contents };
}

function shifted(versions: Float64Array, count: number, by: number): Float64Array {
  const moved = new Float64Array(count);
  for (let row = 0; row < count; row += 1) moved[row] = versions[row]! + by;
  return moved;
}

/** What the heads of a backup are in the target. */
export async function* convertedHeads(
  heads: AsyncIterable<HeadLine>,
  conversion: Conversion | null,
): AsyncGenerator<HeadLine> {
  for await (const head of heads) yield conversion === null ? head : convertedHead(head, conversion);
}

export function convertedHead(head: HeadLine, { versionShift }: Conversion): HeadLine {
  return {
    ...head,
    firstVersion: head.firstVersion + versionShift,
    lastVersion: head.lastVersion + versionShift,
  };
}

/** A column that is null everywhere is no loss; null in some envelopes only stands for SQL NULL in a column that is otherwise whole. */
export function lossesOf(
  { events, unorderedIds, columns }: EnvelopeContents,
  tables: ReadonlyMap<string, number>,
): Loss[] {
  const lost = columns.map(({ name, present, nulls }): Loss => {
    return { field: name, kind: 'column', count: present < events ? present : present - nulls };
  });
  return [
    ...lost.toSorted((a, b) => (a.field < b.field ? -1 : 1)),
    ...[...tables].map(([field, count]): Loss => ({ field, kind: 'table', count })),
    { field: DELIVERY_ORDER, kind: 'order' as const, count: unorderedIds },
  ].filter(({ count }) => count > 0);
}

export function isAllowed({ field }: Loss, allowed: AllowedLoss): boolean {
  return allowed === 'all' || allowed.includes(field);
}

/** Throws `would_lose` with the flag that allows it. */
export function requireAllowed(
  { from, to }: Conversion,
  losses: readonly Loss[],
  allowed: AllowedLoss,
): void {
  const refused = losses.filter((loss) => !isAllowed(loss, allowed));
  if (refused.length === 0) return;
  const fields = losses.map(({ field }) => field).join(',');
  throw new BackupError(
    'would_lose',
    `a store of ${to} has no place for ${refused.map(({ field }) => field).join(', ')} of a store of ${from}`,
    {
      hint: `name what may be lost, --allow-loss ${fields}, or restore into a store of ${from}; --dry-run counts it`,
      facts: { flag: '--allow-loss', fields, refused: refused.map(({ field }) => field).join(',') },
    },
  );
}
