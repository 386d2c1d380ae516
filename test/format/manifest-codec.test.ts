import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import type { Manifest } from '../../src/core/manifest.ts';
import { bundleChecksum, decodeManifest, encodeManifest } from '../../src/format/manifest-codec.ts';

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

const manifest: Manifest = {
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
};

describe('a manifest', () => {
  it('comes back as it was written', () => {
    assert.deepEqual(decodeManifest(encodeManifest(manifest)), manifest);
  });

  it('is refused as damaged when any one bit of it has changed', () => {
    const bytes = encodeManifest(manifest);
    for (let at = 0; at < bytes.length; at += 1) {
      for (const bit of [0x01, 0x20, 0x80]) {
        const changed = Buffer.from(bytes);
        changed[at] = changed[at]! ^ bit;
        assert.throws(
          () => decodeManifest(changed),
          (error) => isBackupError(error, 'damaged'),
          `byte ${at}`,
        );
      }
    }
  });

  it('is refused as damaged when it is cut off, empty, or has something behind it', () => {
    const bytes = encodeManifest(manifest);
    for (const changed of [
      bytes.subarray(0, 0),
      bytes.subarray(0, -1),
      Buffer.concat([bytes, Buffer.from(' ')]),
    ]) {
      assert.throws(
        () => decodeManifest(changed),
        (error) => isBackupError(error, 'damaged'),
      );
    }
  });

  it('is refused with a hint when a newer program wrote it', () => {
    const newer = encodeManifest({ ...manifest, formatVersion: 2 } as unknown as Manifest);
    assert.throws(
      () => decodeManifest(newer),
      (error) => isBackupError(error, 'store_unsupported') && error.hint !== null,
    );
  });

  it('is refused when a field is missing or names a file outside its folder', () => {
    const { checksum: _, ...without } = manifest;
    const outside = { ...manifest, files: [{ ...files[0]!, name: '../../etc/passwd' }] };
    for (const wrong of [
      without,
      outside,
      { ...manifest, format: 'xml' },
      { ...manifest, totalEvents: -1 },
    ]) {
      assert.throws(
        () => decodeManifest(encodeManifest(wrong as Manifest)),
        (error) => isBackupError(error, 'damaged'),
      );
    }
  });
});
