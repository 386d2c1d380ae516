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

  // Each found by the fuzzer.
  it('is refused as damaged when it is nested deeper than a program that writes JSON can bear', () => {
    for (const depth of [40, 4000, 20_000]) {
      const text = `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`;
      assert.throws(
        () => decodeManifest(Buffer.from(text)),
        (error) => isBackupError(error, 'damaged'),
        `${depth} levels`,
      );
    }
  });

  it('is refused when its version, or its cipher, is something that makes no text', () => {
    const odd = JSON.parse('{"toString":1,"valueOf":1}') as never;
    for (const changes of [
      { formatVersion: odd },
      { sealed: true, sealing: { cipher: odd, keyId: 'a'.repeat(32), memoryKeyId: null } },
    ]) {
      assert.throws(
        () => decodeManifest(encodeManifest({ ...manifest, ...changes })),
        (error) => isBackupError(error, 'store_unsupported'),
      );
    }
  });

  it('is refused as damaged when bytes that are no UTF-8 stand for the sign that such bytes are read as', () => {
    const bytes = encodeManifest({ ...manifest, software: 'x\ufffdx' });
    const at = bytes.indexOf('\ufffd');
    const changed = Buffer.concat([bytes.subarray(0, at), Buffer.of(0xff), bytes.subarray(at + 3)]);
    assert.throws(
      () => decodeManifest(changed),
      (error) => isBackupError(error, 'damaged'),
    );
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
