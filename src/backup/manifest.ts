import type { StoreDescription } from '../core/event-store.ts';
import { FORMAT_VERSION, type Manifest } from '../core/manifest.ts';
import { countOddities, eventRange } from '../core/summary.ts';
import { formatTime, timeFromUnixMs } from '../core/time.ts';
import { bundleChecksum } from '../format/manifest-codec.ts';
import type { FullBackupOptions, WrittenFiles } from './full.ts';

export interface ManifestInput extends WrittenFiles {
  readonly source: StoreDescription;
  readonly backupId: string;
  readonly finishedAtMs: number;
  readonly options: FullBackupOptions;
}

/** States what was written. The order of the keys is the order in the file. */
export function composeManifest(input: ManifestInput): Manifest {
  const { files, facts, table, source, options, headsDigest } = input;
  const sum = (size: (file: (typeof files)[number]) => number): number =>
    files.reduce((total, file) => total + size(file), 0);
  return {
    formatVersion: FORMAT_VERSION,
    backupId: input.backupId,
    kind: 'full',
    parentId: null,
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
    },
    totalEvents: facts.events,
    totalStreams: table.count,
    sizeBytes: sum((file) => file.sizeBytes + file.index.sizeBytes),
    plainBytes: sum((file) => file.plainBytes),
    eventRange: eventRange(facts),
    cursor: { ...input.cursor, headsDigest },
    headsDigest,
    oddities: countOddities(table, facts, source.versionBase),
    files,
    checksum: bundleChecksum(files),
  };
}
