import type { Manifest } from '../../src/core/manifest.ts';
import { bundleChecksum } from '../../src/format/manifest-codec.ts';

/** A manifest that holds together, for tests of what reads manifests. */
export function sampleManifest(changes: Partial<Manifest> = {}): Manifest {
  const files: Manifest['files'] = [
    {
      name: 'events-00001.columns.zst',
      role: 'events',
      sizeBytes: 1234,
      sha256: 'a'.repeat(64),
      plainBytes: 5678,
      chunks: 1,
      records: 9,
      index: { name: 'events-00001.index', sizeBytes: 321, sha256: 'b'.repeat(64) },
    },
  ];
  return {
    formatVersion: 1,
    backupId: '0b7e6c1e-6f0a-4c8e-9a3d-2f8d6c1e5b4a',
    kind: 'full',
    parentId: null,
    createdAt: '2026-11-23T04:05:06.789Z',
    finishedAt: '2026-11-23T04:05:07.000Z',
    durationMs: 211,
    software: 'eventcore-backup 0.1.0',
    format: 'columns',
    compression: 'zstd',
    level: null,
    sealed: false,
    store: { kind: 'sqlite', layout: 'eventcore', versionBase: 1, serverVersion: '3.53.4' },
    totalEvents: 9,
    totalStreams: 2,
    sizeBytes: 1555,
    plainBytes: 5678,
    eventRange: {
      earliestEvent: '1969-12-31T23:59:59.999999Z',
      latestEvent: '2026-11-23T04:05:06.000000Z',
      earliestVersion: '1',
      latestVersion: '7',
    },
    cursor: { kind: 'sqlite', maxRowid: 9, headsDigest: 'c'.repeat(64) },
    headsDigest: 'c'.repeat(64),
    oddities: {
      missingVersions: 0,
      duplicateVersions: 0,
      oddFirstVersions: 0,
      emptyFields: 0,
      belowBase: 0,
      futureTimes: 0,
    },
    files,
    checksum: bundleChecksum(files),
    ...changes,
  };
}
