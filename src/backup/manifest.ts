import {
  type ChainLink,
  FORMAT_VERSION,
  type Manifest,
  type ManifestStore,
  type Oddities,
} from '../core/manifest.ts';
import { countOddities, eventRange } from '../core/summary.ts';
import { formatTime, timeFromUnixMs } from '../core/time.ts';
import { bundleChecksum } from '../format/manifest-codec.ts';
import type { FullBackupOptions, WrittenFiles } from './full.ts';

export interface ManifestInput extends Omit<WrittenFiles, 'stages'> {
  readonly source: ManifestStore;
  readonly backupId: string;
  readonly finishedAtMs: number;
  readonly options: Pick<FullBackupOptions, 'software' | 'format' | 'compression' | 'level'>;
  /** Of an incremental backup. */
  readonly link?: { readonly parentId: string; readonly chain: ChainLink; readonly oddities: Oddities };
}

/** States what was written. The order of the keys is the order in the file. */
export function composeManifest(input: ManifestInput): Manifest {
  const { files, facts, table, source, options, headsDigest, link } = input;
  const sum = (size: (file: (typeof files)[number]) => number): number =>
    files.reduce((total, file) => total + size(file), 0);
  return {
    formatVersion: FORMAT_VERSION,
    backupId: input.backupId,
    kind: link === undefined ? 'full' : 'incremental',
    parentId: link?.parentId ?? null,
    createdAt: formatTime(timeFromUnixMs(input.startedAtMs), 3),
    finishedAt: formatTime(timeFromUnixMs(input.finishedAtMs), 3),
    durationMs: Math.max(0, input.finishedAtMs - input.startedAtMs),
    software: options.software,
    format: options.format,
    compression: options.compression,
    level: options.level,
    sealed: false,
    store: {
      kind: source.kind,
      layout: source.layout,
      versionBase: source.versionBase,
      serverVersion: source.serverVersion,
      ...(source.columns === undefined ? {} : { columns: source.columns }),
    },
    totalEvents: facts.events,
    totalStreams: table.count,
    sizeBytes: sum((file) => file.sizeBytes + file.index.sizeBytes),
    plainBytes: sum((file) => file.plainBytes),
    eventRange: eventRange(facts),
    cursor: { ...input.cursor, headsDigest },
    ...(link === undefined ? {} : { chain: link.chain }),
    headsDigest,
    oddities: link?.oddities ?? countOddities(table, facts, source.versionBase),
    files,
    checksum: bundleChecksum(files),
  };
}
