import type { Differences } from '../core/differences.ts';
import { BackupError } from '../core/errors.ts';
import { type EventBatch, NULL_LENGTH, selectRows } from '../core/event-batch.ts';
import { partRows, type TakeKnown } from '../core/known-rows.ts';
import { nameBytes, nameText } from '../core/name-text.ts';
import { addBatch, makeStreamTable, releaseTable, type StreamTable } from '../core/stream-table.ts';
import type { Vault } from '../core/vault.ts';
import { type EventFiles, searchStreams } from './chain-events.ts';
import {
  addToContentDigest,
  type ContentDigest,
  contentDigestText,
  eventDigest,
  makeContentDigest,
} from './content-digest.ts';

/**
 * Events that the store shows as perhaps new and that the chain has already: each is held against the chain's own, so
 * that one that was changed in the store does not pass for the one that was backed up. Usually they are few. Where a
 * table was written anew they are all: then only a sum over all of them is compared.
 */
export interface KnownEvents {
  readonly take: TakeKnown;
  /**
   * Compares what was taken, and notes what differs. Gives why it is not known which events differ, null otherwise. Throws
   * `damaged` when the chain lacks what its heads say it has.
   */
  readonly compare: () => Promise<string | null>;
}

interface Noted {
  readonly stream: string;
  readonly version: number;
  readonly id: string;
  readonly digest: Buffer;
  /** What the chain has in its place: nothing so far, another event, or the same event with other content. */
  found: 'nothing' | 'other' | 'changed';
}

/** Some 30 MiB. */
const MAX_NOTED = 100_000;

export function makeKnownEvents(
  vault: Vault,
  chain: readonly EventFiles[],
  differences: Differences,
  { signal, maxNoted = MAX_NOTED }: { signal?: AbortSignal | undefined; maxNoted?: number } = {},
): KnownEvents {
  const noted = new Map<string, Noted>();
  const summed = { table: makeStreamTable(), digest: makeContentDigest() };
  return {
    take: (batch, rows) => {
      if (noted.size + rows.length <= maxNoted) {
        for (const row of rows) note(noted, batch, row);
        return;
      }
      const selected = selectRows(batch, rows);
      addBatch(summed.table, selected);
      addToContentDigest(summed.digest, selected);
    },
    compare: async () => {
      if (noted.size > 0) {
        const wanted = new Set([...noted.values()].map(({ stream }) => stream));
        const names = () => [...new Set([...noted.values()].map(({ stream }) => stream))].map(nameBytes);
        const take = (batch: EventBatch): void => dropEqual(noted, wanted, batch);
        await searchStreams(vault, chain, { names, take, signal });
        for (const event of noted.values()) report(event, differences);
      }
      return summed.digest.events === 0 ? null : compareSums(vault, chain, summed, signal);
    },
  };
}

function note(noted: Map<string, Noted>, batch: EventBatch, row: number): void {
  const stream = textAt(batch, batch.stream, row);
  const version = batch.versions[row]!;
  const digest = eventDigest(batch, row);
  noted.set(keyOf(stream, version), { stream, version, id: idAt(batch, row), digest, found: 'nothing' });
}

async function compareSums(
  vault: Vault,
  chain: readonly EventFiles[],
  { table, digest }: { table: StreamTable; digest: ContentDigest },
  signal: AbortSignal | undefined,
): Promise<string | null> {
  const held = makeContentDigest();
  const take = (batch: EventBatch): void => {
    const { known } = partRows(batch, table);
    if (known.length > 0) addToContentDigest(held, selectRows(batch, known));
  };
  await searchStreams(vault, chain, { names: () => 'all', take, signal });
  releaseTable(table);
  if (held.events === digest.events && contentDigestText(held) === contentDigestText(digest)) return null;
  return `${digest.events} events were written anew, and not all of them are as they were backed up`;
}

function dropEqual(noted: Map<string, Noted>, wanted: ReadonlySet<string>, batch: EventBatch): void {
  for (let row = 0; row < batch.count; row += 1) {
    const stream = textAt(batch, batch.stream, row);
    if (!wanted.has(stream)) continue;
    const key = keyOf(stream, batch.versions[row]!);
    const event = noted.get(key);
    if (event === undefined) continue;
    if (event.digest.equals(eventDigest(batch, row))) noted.delete(key);
    else event.found = idAt(batch, row).toLowerCase() === event.id.toLowerCase() ? 'changed' : 'other';
  }
}

function report({ stream, version, found }: Noted, differences: Differences): void {
  if (found === 'nothing') {
    const which = `version ${version} of stream ${JSON.stringify(stream)}`;
    throw new BackupError(
      'damaged',
      `the heads of the chain name ${which}, which is in none of its backups`,
      {
        hint: 'run `eventcore verify`, then `eventcore backup full` to begin a new chain',
      },
    );
  }
  differences.note(stream, found === 'changed' ? 'changed' : 'diverged', 1, version);
}

function keyOf(stream: string, version: number): string {
  return `${version} ${stream}`;
}

function textAt(batch: EventBatch, spans: EventBatch['stream'], row: number): string {
  const start = spans.starts[row]!;
  return nameText(batch.bytes.subarray(start, start + spans.lengths[row]!));
}

const HEX = 'hex';

/** UUIDs as digits without hyphens, whether they are kept as bytes or as text. */
function idAt({ bytes, id, idKind }: EventBatch, row: number): string {
  const start = id.starts[row]!;
  const length = id.lengths[row]!;
  if (length === NULL_LENGTH) return '';
  const value = Buffer.from(bytes.buffer, bytes.byteOffset + start, length);
  return idKind === 'uuid' ? value.toString(HEX) : value.toString('latin1').replaceAll('-', '');
}
