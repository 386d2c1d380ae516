import { BackupError } from '../core/errors.ts';
import { type EventBatch, NULL_LENGTH } from '../core/event-batch.ts';
import { nameBytes, nameText } from '../core/name-text.ts';
import type { Vault } from '../core/vault.ts';
import type { Chain } from '../format/chain.ts';
import { searchStreams } from '../format/chain-events.ts';
import { eventDigest } from '../format/content-digest.ts';
import type { Differences } from './differences.ts';

/**
 * Events that the store shows as perhaps new and that the chain has already: each is held against the chain's own, so
 * that one that was changed in the store does not pass for the one that was backed up.
 */
export interface KnownEvents {
  /** Takes one event; the batch may be reused after that. */
  readonly note: (batch: EventBatch, row: number) => void;
  /** True when as many wait to be compared as memory allows. */
  readonly isFull: () => boolean;
  /** Compares all that were noted and forgets them. Throws `damaged` when the chain lacks what its heads say it has. */
  readonly compare: () => Promise<void>;
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
  chain: Chain,
  differences: Differences,
  signal?: AbortSignal,
): KnownEvents {
  const noted = new Map<string, Noted>();
  return {
    note: (batch, row) => {
      const stream = textAt(batch, batch.stream, row);
      const version = batch.versions[row]!;
      const event: Noted = {
        stream,
        version,
        id: idAt(batch, row),
        digest: eventDigest(batch, row),
        found: 'nothing',
      };
      noted.set(keyOf(stream, version), event);
    },
    isFull: () => noted.size >= MAX_NOTED,
    compare: async () => {
      if (noted.size === 0) return;
      const names = (): Uint8Array[] =>
        [...new Set([...noted.values()].map(({ stream }) => stream))].map(nameBytes);
      const take = (batch: EventBatch): void => dropEqual(noted, batch);
      await searchStreams(vault, chain, { names, take, signal });
      for (const event of noted.values()) report(event, differences);
      noted.clear();
    },
  };
}

function dropEqual(noted: Map<string, Noted>, batch: EventBatch): void {
  const wanted = new Set([...noted.values()].map(({ stream }) => stream));
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
