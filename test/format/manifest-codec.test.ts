import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import type { Manifest } from '../../src/core/manifest.ts';
import { decodeManifest, encodeManifest } from '../../src/format/manifest-codec.ts';
import { sampleManifest } from '../harness/sample-manifest.ts';

const manifest = sampleManifest();
const { files } = manifest;

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
