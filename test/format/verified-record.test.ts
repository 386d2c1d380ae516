import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RUNGS } from '../../src/core/rungs.ts';
import type { VerifiedUnit } from '../../src/core/verified.ts';
import { hasOwnChecksum } from '../../src/format/checked-json.ts';
import { writeObject } from '../../src/format/data-file-writer.ts';
import {
  decodeVerified,
  encodeVerified,
  MAX_RECORD_UNITS,
  readVerified,
  type VerifiedRecord,
  verifiedName,
  writeVerified,
} from '../../src/format/verified-record.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';

const FOLDER = 'backups/full-backup-0b7e6c1e-6f0a-4c8e-9a3d-2f8d6c1e5b4a.eventcore/';
const unit: VerifiedUnit = {
  ...{ name: FOLDER, digest: 'a'.repeat(64), verifiedAt: '2026-11-23T04:05:06.789Z' },
  ...{ passed: ['existence', 'size'], failed: ['checksum'] },
};
const record: VerifiedRecord = {
  ...{ recordId: '0d5b52ef-6f0a-4c8e-9a3d-2f8d6c1e5b4a', recordedAt: '2026-11-23T04:05:07.001Z' },
  ...{ software: 'eventcore-backup 0.1.0', units: [unit] },
};

const units: fc.Arbitrary<VerifiedUnit> = fc
  .record({
    name: fc.constantFrom(FOLDER, `${FOLDER}events-00001.columns.zst`, 'log/7-1/000A-000B.log'),
    digest: fc.constantFrom(null, 'b'.repeat(64)),
    verifiedAt: fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true }),
    states: fc.array(fc.constantFrom('passed', 'failed', 'skipped'), {
      minLength: RUNGS.length,
      maxLength: RUNGS.length,
    }),
  })
  .map(({ name, digest, verifiedAt, states }) => {
    const named = (state: string) => RUNGS.filter((_, place) => states[place] === state);
    return {
      ...{ name, digest, verifiedAt: verifiedAt.toISOString() },
      ...{ passed: named('passed'), failed: named('failed') },
    };
  });

describe('a record of verifications', () => {
  it('is read as it was written, and proves itself without anybody who knows it', () => {
    fc.assert(
      fc.property(fc.array(units, { minLength: 1, maxLength: 5 }), (listed) => {
        const bytes = encodeVerified({ ...record, units: listed });
        assert.deepEqual(decodeVerified(bytes), { ...record, units: listed });
        assert.ok(hasOwnChecksum(bytes));
      }),
    );
  });

  it('is none with any byte flipped, left out or put in', () => {
    const bytes = encodeVerified(record);
    for (let at = 0; at < bytes.length; at += 1) {
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 1 << (at % 8);
      assert.equal(decodeVerified(flipped), null, `byte ${at}`);
      assert.equal(decodeVerified(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)])), null);
    }
    assert.equal(decodeVerified(Buffer.concat([bytes, Buffer.from(' ')])), null);
  });

  const wrong: [string, Partial<Record<keyof VerifiedUnit, unknown>>][] = [
    ['a name that leads out of the vault', { name: '../secret' }],
    ['a name that is no text', { name: 7 }],
    ['a digest of other length', { digest: 'ab' }],
    ['a time without milliseconds', { verifiedAt: '2026-11-23T04:05:06Z' }],
    ['a time that is none', { verifiedAt: '2026-13-23T04:05:06.789Z' }],
    ['a rung that nobody knows', { passed: ['roof'] }],
    ['rungs in another order', { passed: ['size', 'existence'] }],
    ['a rung twice', { passed: ['size', 'size'] }],
    ['a rung that passed and failed', { failed: ['size'] }],
  ];
  for (const [what, change] of wrong) {
    it(`is none with ${what}, although its checksum is right`, () => {
      const bytes = encodeVerified({ ...record, units: [{ ...unit, ...change } as VerifiedUnit] });
      assert.ok(hasOwnChecksum(bytes));
      assert.equal(decodeVerified(bytes), null);
    });
  }

  it('is none without units, or with more than it may have', () => {
    assert.equal(decodeVerified(encodeVerified({ ...record, units: [] })), null);
    const many = Array.from({ length: MAX_RECORD_UNITS + 1 }, () => unit);
    assert.equal(decodeVerified(encodeVerified({ ...record, units: many })), null);
    assert.notEqual(decodeVerified(encodeVerified({ ...record, units: many.slice(1) })), null);
  });
});

describe('the records of a vault', () => {
  it('are in the order of their times; what is no record says nothing and harms nobody', async () => {
    const vault = memoryVault();
    const later = {
      ...record,
      recordId: record.recordId.replace('0d', '00'),
      recordedAt: '2027-01-01T00:00:00.000Z',
    };
    await writeVerified(vault, later);
    await writeVerified(vault, record);
    const misplaced = verifiedName({ ...record, recordedAt: '2028-01-01T00:00:00.000Z' });
    await writeObject(vault, misplaced, encodeVerified(record));
    await writeObject(vault, 'integrity/verified/notes.txt', Buffer.from('hello'));
    await writeObject(vault, 'integrity/others/x.json', Buffer.from('{}'));
    const found = await readVerified(vault);
    assert.deepEqual(
      found.map(({ record: read }) => read),
      [record, later, null],
    );
  });
});
