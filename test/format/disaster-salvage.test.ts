import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isBackupError } from '../../src/core/errors.ts';
import {
  decodeSalvage,
  encodeSalvage,
  listSalvages,
  parseSalvageName,
  type SalvageRecord,
  salvageFileNames,
  salvageRecordName,
  writeSalvage,
} from '../../src/format/disaster-salvage.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';

const PLAN = '0b7e6c1e-6f0a-4c8e-9a3d-2f8d6c1e5b4a';
const DIGEST = 'ab'.repeat(32);

function fileOf(name: string, size: number) {
  const index = { name: name.replace('.jsonl', '.index'), sizeBytes: size, sha256: DIGEST };
  return { name, sizeBytes: size, sha256: DIGEST, plainBytes: size, chunks: 1, records: size, index };
}

function sample(changes: Partial<SalvageRecord> = {}): SalvageRecord {
  const number = changes.number ?? 1;
  const names = salvageFileNames(number, changes.sealing != null);
  return {
    ...{ planId: PLAN, number, createdAt: '2026-11-29T03:04:05.678Z', software: 'eventcore-backup 0.1.0' },
    ...{ from: 'postgres://dr@db-1.example/shop', into: 'postgres://dr@db-2.example/shop' },
    ...{ events: 2262, streams: 31, conflicts: 2, differing: 0 },
    ...{ earliest: '2026-11-29T03:00:00.000001Z', latest: '2026-11-29T03:00:01.437000Z' },
    ...{
      contentDigest: '2262 aabb',
      sealing: null,
      files: [fileOf(names.events, 100), fileOf(names.streams, 9)],
    },
    ...changes,
  };
}

describe('the record of a salvage', () => {
  it('reads as it was written, whatever is in it', () => {
    const count = fc.nat();
    fc.assert(
      fc.property(
        fc.record({ events: count, streams: count, conflicts: count, differing: count, from: fc.string() }),
        fc.option(fc.constant({ cipher: 'AES-256-GCM', keyId: '0f'.repeat(16) })),
        fc.integer({ min: 1, max: 999_999 }),
        (counts, sealing, number) => {
          const record = sample({ ...counts, sealing, number, earliest: null });
          assert.deepEqual(decodeSalvage(encodeSalvage(record)), record);
        },
      ),
    );
  });

  it('reads as damaged when any byte of it was changed, or it was cut', () => {
    const bytes = encodeSalvage(sample());
    for (let at = 0; at < bytes.length; at += 7) {
      const changed = Buffer.from(bytes);
      changed[at] = changed[at]! ^ 0x01;
      assert.throws(
        () => decodeSalvage(changed),
        (error) => isBackupError(error, 'damaged'),
      );
      assert.throws(
        () => decodeSalvage(bytes.subarray(0, at)),
        (error) => isBackupError(error, 'damaged'),
      );
    }
  });

  it('is found by its name alone, in the order of the numbers, with what is beside it left alone', async () => {
    const vault = memoryVault();
    for (const number of [10, 2, 1]) await writeSalvage(vault, sample({ number }));
    assert.deepEqual(
      (await listSalvages(vault, PLAN)).map(({ number }) => number),
      [1, 2, 10],
    );
    assert.deepEqual(await listSalvages(vault, PLAN.replace('0', '1')), []);
    assert.deepEqual(parseSalvageName(salvageRecordName(7)), { number: 7, isRecord: true });
    for (const name of Object.values(salvageFileNames(7, true)))
      assert.deepEqual(parseSalvageName(name), { number: 7, isRecord: false });
    for (const name of [
      'salvage-0.json',
      'salvage-01.json',
      '00001.json',
      'salvage-1.json.tmp',
      'outcome.json',
    ])
      assert.equal(parseSalvageName(name), null, name);
  });
});
