import { BackupError, throwIfAborted } from '../core/errors.ts';
import type { EventBatch } from '../core/event-batch.ts';
import type { EventStore } from '../core/event-store.ts';
import { copyEvent, type GatheredEvent, packEvents } from '../core/gathered-batch.ts';
import type { Manifest, ManifestFile } from '../core/manifest.ts';
import { holdsVersion } from '../core/stream-entry.ts';
import {
  addBatch,
  findStream,
  makeStreamTable,
  releaseTable,
  type StreamTable,
} from '../core/stream-table.ts';
import type { Vault } from '../core/vault.ts';
import type { Chain } from '../format/chain.ts';
import { loadHeads } from '../format/chain-heads.ts';
import { chunkCodec } from '../format/chunk-codec.ts';
import type { ChunkEntry } from '../format/chunk-index.ts';
import { makeCompress } from '../format/compression.ts';
import { readIndex } from '../format/data-file-reader.ts';
import { makeFileDigest } from '../format/file-digest.ts';

export interface RebuildPorts {
  readonly vault: Vault;
  readonly store: EventStore;
}

const BATCH_BYTES = 1 << 20;

/**
 * The bytes of an event file of the last backup of a chain, chunk by chunk, made anew of what the store holds: of its events those that this
 * backup was the first to hold, in the order in which they lie. That is what was read when it was taken, as long as rows stayed where they
 * were; each chunk is held against the digest in the chunk table, so it is the same bytes or an error. Throws `vault_refused`, with the reason.
 */
export async function* rebuildFile(
  { vault, store }: RebuildPorts,
  chain: Chain,
  file: ManifestFile,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { folder, manifest } = chain.at(-1)!;
  const entries = await readIndex(vault, folder, file, null);
  const codec = chunkCodec(manifest.format);
  const compress = eitherWay(manifest);
  const events = ownEvents({ vault, store }, chain, signal);
  try {
    await skip(events, recordsBefore(chain, file), file);
    for (const [number, entry] of entries.entries()) {
      throwIfAborted(signal);
      const batch = await take(events, entry, file);
      const stored = await compress(encode(codec, batch), entry.sha256);
      if (stored === null) throw otherBytes(file, number);
      yield stored;
    }
  } finally {
    await events.return(undefined);
  }
}

/**
 * Compresses in this thread, and in the thread pool: with zstd the frames differ, and a backup may have been written either way. The one that
 * fitted last is tried first. Null when neither gives the bytes with this digest.
 */
function eitherWay({ compression, level }: Manifest) {
  let ways = [true, false].map((inline) => makeCompress(compression, level, inline));
  return async (plain: Uint8Array, sha256: string): Promise<Uint8Array | null> => {
    for (const compress of ways) {
      const stored = await compress(plain);
      if (digestOf(stored) !== sha256) continue;
      ways = ways.toSorted((a, b) => Number(b === compress) - Number(a === compress));
      return stored;
    }
    return null;
  };
}

interface OwnEvent {
  readonly event: GatheredEvent;
  readonly kind: Pick<EventBatch, 'idKind' | 'jsonIsCompact'>;
}

/** Events of the store, in the order in which they lie, that the last backup of the chain holds and those before it do not. */
async function* ownEvents(
  { vault, store }: RebuildPorts,
  chain: Chain,
  signal: AbortSignal | undefined,
): AsyncGenerator<OwnEvent, undefined> {
  const after = await loadHeads(vault, chain);
  const before = chain.length === 1 ? makeStreamTable() : await loadHeads(vault, chain.slice(0, -1));
  const snapshot = await store.openSnapshot();
  try {
    const options = { batchBytes: BATCH_BYTES, ...(signal === undefined ? {} : { signal }) };
    for (const range of await snapshot.planRanges(1)) {
      for await (const batch of snapshot.readRange(range, options)) {
        for (let row = 0; row < batch.count; row += 1) {
          if (!holds(after, batch, row) || holds(before, batch, row)) continue;
          yield { event: copyEvent(batch, row, batch.idKind), kind: batch };
        }
      }
    }
  } finally {
    await snapshot.close();
    releaseTable(after);
    releaseTable(before);
  }
}

function holds(table: StreamTable, { bytes, stream, versions }: EventBatch, row: number): boolean {
  const index = findStream(table, bytes, stream.starts[row]!, stream.lengths[row]!);
  return index !== -1 && holdsVersion(table, index, versions[row]!);
}

/** The files of a backup hold ranges of the store one behind the other. */
function recordsBefore(chain: Chain, file: ManifestFile): number {
  const files = chain.at(-1)!.manifest.files.filter(({ role }) => role === 'events');
  return files
    .slice(
      0,
      files.findIndex(({ name }) => name === file.name),
    )
    .reduce((sum, { records }) => sum + records, 0);
}

type OwnEvents = ReturnType<typeof ownEvents>;

async function skip(events: OwnEvents, count: number, file: ManifestFile): Promise<void> {
  for (let skipped = 0; skipped < count; skipped += 1) {
    if ((await events.next()).done) throw tooFew(file);
  }
}

async function take(events: OwnEvents, { records }: ChunkEntry, file: ManifestFile): Promise<EventBatch> {
  const taken: GatheredEvent[] = [];
  let kind: OwnEvent['kind'] = { idKind: 'text', jsonIsCompact: false };
  while (taken.length < records) {
    const step = await events.next();
    if (step.done) throw tooFew(file);
    taken.push(step.value.event);
    kind = step.value.kind;
  }
  return packEvents(taken, { idKind: kind.idKind, jsonIsCompact: kind.jsonIsCompact });
}

function encode(codec: ReturnType<typeof chunkCodec>, batch: EventBatch): Uint8Array {
  const table = makeStreamTable();
  try {
    return codec.encode({ ...batch, streamNumbers: addBatch(table, batch).numbers });
  } finally {
    releaseTable(table);
  }
}

function digestOf(bytes: Uint8Array): string {
  const digest = makeFileDigest();
  digest.update(bytes);
  return digest.hex();
}

const HINT =
  'take a new full backup: `eventcore backup full`; what this one holds stays readable but for this file';

function tooFew(file: ManifestFile): BackupError {
  return refused(file, 'the store does not hold all of its events any more');
}

function otherBytes(file: ManifestFile, chunk: number): BackupError {
  return refused(
    file,
    `chunk ${chunk} made of the store's events has other bytes: events were changed, lie in another order, or another version compressed them`,
  );
}

function refused(file: ManifestFile, why: string): BackupError {
  return new BackupError('vault_refused', `${file.name} cannot be made anew from the store: ${why}`, {
    hint: HINT,
  });
}
