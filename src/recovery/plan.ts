import { BackupError } from '../core/errors.ts';
import type { StoreDescription } from '../core/event-store.ts';
import type { ChunkFormat, Compression, Manifest, ManifestFile } from '../core/manifest.ts';
import { sealOf } from '../format/bundle-keys.ts';
import { type Chain, type ChainMember, chainTotals } from '../format/chain.ts';
import type { Seal } from '../format/seal.ts';
import { assertColumnsFit } from './column-drift.ts';
import { type Conversion, conversionNotes, conversionOf, type EnvelopeHandling } from './conversion.ts';

/** What a restore will do, decided before anything is touched. */
export interface RestorePlan {
  readonly backupId: string;
  /** Ids of the backups that are loaded, the full one first. */
  readonly chain: readonly string[];
  readonly events: number;
  readonly streams: number;
  /** Bytes to fetch from the vault. */
  readonly fetchBytes: number;
  /** `create`: the target has no event store yet; `fill`: an empty one; `replace`: what is there goes. */
  readonly action: 'create' | 'fill' | 'replace';
  /** Null: events go into the target as the backup has them. */
  readonly conversion: Conversion | null;
  /** What will be different from the source, and why, in words. */
  readonly notes: readonly string[];
}

/**
 * Decides whether what a chain holds can go into a target. Throws `target_not_empty` (with the flag that allows it),
 * `store_unsupported`, `not_an_event_store`, `value_not_storable` or `key_missing`.
 */
export function planRestore(
  chain: Chain,
  target: StoreDescription,
  replace: boolean,
  envelopes: EnvelopeHandling = 'open',
): RestorePlan {
  const { manifest } = chain.at(-1)!;
  for (const link of chain) sealOf(link);
  // All links of a chain are of one layout.
  const conversion = conversionOf(manifest.store, target, envelopes);
  if (target.state === 'missing' && target.made !== undefined) throw notMade(target.layout, target.made);
  assertColumnsFit(chain, target);
  if (target.state === 'filled' && !replace) {
    throw new BackupError('target_not_empty', 'the target already holds an event store with data', {
      hint: 'restore into an empty place, or pass --replace to throw away what is there (try --dry-run first)',
    });
  }
  const { totalEvents, totalStreams } = chainTotals(manifest);
  return {
    backupId: manifest.backupId,
    chain: chain.map((link) => link.manifest.backupId),
    events: totalEvents,
    streams: totalStreams,
    fetchBytes: chain.reduce((sum, link) => sum + link.manifest.sizeBytes, 0),
    action: target.state === 'missing' ? 'create' : target.state === 'empty' ? 'fill' : 'replace',
    conversion,
    notes: notesOn(manifest, target, conversion),
  };
}

function notMade(layout: string, made: string): BackupError {
  return new BackupError('not_an_event_store', `the target has no tables of ${layout} yet`, {
    hint: `make them with ${made}, or check the address (docs/layouts.md)`,
  });
}

/** Whether the target holds events of a link just as they are. Throws `store_unsupported`, `key_missing`. */
export function assertFits(link: ChainMember, target: StoreDescription): void {
  const { store } = link.manifest;
  sealOf(link);
  if (conversionOf(store, target, 'open') === null) return;
  throw new BackupError(
    'store_unsupported',
    `the backup is of a store of ${store.layout}, the target is one of ${target.layout}`,
    { hint: 'only a whole store, or streams into an empty place, can be restored into another layout' },
  );
}

function notesOn(manifest: Manifest, target: StoreDescription, conversion: Conversion | null): string[] {
  const notes: string[] = [];
  if (conversion !== null) notes.push(...conversionNotes(conversion));
  else if (manifest.store.kind !== target.kind) {
    notes.push(
      `from ${manifest.store.kind} to ${target.kind}: command snapshots are left out, they are rebuilt on use`,
    );
    if (target.kind === 'postgres')
      notes.push('payloads become jsonb, which keeps values, not spacing or key order');
  }
  const { missingVersions, duplicateVersions } = manifest.oddities;
  if (missingVersions > 0)
    notes.push(`the source itself lacked ${missingVersions} versions inside its streams`);
  if (duplicateVersions > 0) notes.push(`the source itself held ${duplicateVersions} doubled versions`);
  return notes;
}

/** An event file of one backup of a chain, and what it takes to read its chunks: links may differ in that. */
export interface FileSource {
  readonly folder: string;
  readonly format: ChunkFormat;
  readonly compression: Compression;
  /** Null: not sealed. */
  readonly seal: Seal | null;
  readonly file: ManifestFile;
}

/** Neighbouring chunks of a file, which one loader loads. */
export interface ChunkRun extends FileSource {
  readonly chunks: readonly number[];
}

/** Sizes of a file's chunks, in order. */
export interface FileChunks extends FileSource {
  readonly plainBytes: readonly number[];
}

/** Much for one request, little for one loader: they end at about the same time, each having taken what it could. */
const RUN_BYTES = 2 << 20;

/** Cuts the chunks of all files into runs of about `RUN_BYTES`, in order. Each chunk is in exactly one. */
export function cutIntoRuns(files: readonly FileChunks[]): ChunkRun[] {
  const runs: ChunkRun[] = [];
  for (const { plainBytes, ...source } of files) {
    let chunks: number[] = [];
    let bytes = 0;
    plainBytes.forEach((size, chunk) => {
      if (chunks.length > 0 && bytes + size > RUN_BYTES) {
        runs.push({ ...source, chunks });
        chunks = [];
        bytes = 0;
      }
      chunks.push(chunk);
      bytes += size;
    });
    if (chunks.length > 0) runs.push({ ...source, chunks });
  }
  return runs;
}
