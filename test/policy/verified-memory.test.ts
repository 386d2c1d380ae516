import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ManifestFile } from '../../src/core/manifest.ts';
import type { Rung } from '../../src/core/rungs.ts';
import type { VerifiedUnit } from '../../src/core/verified.ts';
import {
  type BackupFiles,
  foldVerified,
  planRecords,
  stateOfBackup,
  stateOfFile,
  stateOfLogFile,
} from '../../src/policy/verified-memory.ts';
import { sampleManifest } from '../harness/sample-manifest.ts';

const NOW = Date.UTC(2026, 10, 29, 14, 30);
const HOUR = 3_600_000;
const [event] = sampleManifest().files as [ManifestFile];
const heads: ManifestFile = { ...event, name: 'heads.jsonl.zst', role: 'heads', sha256: 'c'.repeat(64) };
const backup: BackupFiles = {
  folder: 'backups/one/',
  manifest: { checksum: 'd'.repeat(64), files: [event, heads] },
};
const LOG = 'log/7-1/000A-000B.log';
const logs = [{ spans: [{ files: [{ name: LOG, sizeBytes: 1, modifiedAtMs: NOW }] }] }];

function unit(name: string, digest: string | null, hoursAgo: number, ...failed: Rung[]): VerifiedUnit {
  const verifiedAt = new Date(NOW - hoursAgo * HOUR).toISOString();
  return { name, digest, verifiedAt, passed: [], failed };
}

const ofEvents = (hoursAgo: number, ...failed: Rung[]) =>
  unit(backup.folder + event.name, event.sha256, hoursAgo, ...failed);
const ofHeads = (hoursAgo: number, ...failed: Rung[]) =>
  unit(backup.folder + heads.name, heads.sha256, hoursAgo, ...failed);
const ofAll = (hoursAgo: number, ...failed: Rung[]) =>
  unit(backup.folder, backup.manifest.checksum, hoursAgo, ...failed);

const stateAfter = (...units: VerifiedUnit[]) => stateOfBackup(foldVerified(units, NOW), backup);

describe('what is remembered of verifications', () => {
  it('is of a backup known once all of its files were verified, or all of it at once', () => {
    assert.deepEqual(stateAfter(), { verifiedAtMs: null, isSound: null });
    assert.deepEqual(stateAfter(ofEvents(5)), { verifiedAtMs: null, isSound: null });
    assert.deepEqual(stateAfter(ofEvents(5), ofHeads(2)), { verifiedAtMs: NOW - 5 * HOUR, isSound: true });
    assert.deepEqual(stateAfter(ofAll(3)), { verifiedAtMs: NOW - 3 * HOUR, isSound: true });
    assert.deepEqual(stateAfter(ofAll(3), ofEvents(1)), { verifiedAtMs: NOW - 3 * HOUR, isSound: true });
  });

  it('is the newest word on each thing, in whatever order it was written', () => {
    assert.equal(stateAfter(ofAll(9), ofEvents(1, 'checksum')).isSound, false);
    assert.equal(stateAfter(ofEvents(1, 'checksum'), ofAll(9)).isSound, false);
    assert.equal(stateAfter(ofEvents(5, 'checksum'), ofAll(2)).isSound, true);
    assert.equal(stateAfter(ofAll(5, 'checksum'), ofEvents(2), ofHeads(1)).isSound, true);
  });

  it('is not taken back by single files where no single file showed it', () => {
    for (const rung of ['seal', 'structure', 'order', 'counts'] as const) {
      assert.equal(stateAfter(ofAll(5, rung), ofEvents(2), ofHeads(1)).isSound, false, rung);
      assert.equal(stateAfter(ofAll(5, rung), ofAll(1)).isSound, true, rung);
    }
  });

  it('says nothing of other content under the same name', () => {
    const other = { ...ofAll(1), digest: 'e'.repeat(64) };
    assert.deepEqual(stateAfter(other), { verifiedAtMs: null, isSound: null });
  });

  it('is never praise from the future, and blame from there counts as of now', () => {
    assert.deepEqual(stateAfter(ofAll(-9)), { verifiedAtMs: null, isSound: null });
    assert.deepEqual(stateAfter(ofAll(-9, 'checksum'), ofAll(0.5)), { verifiedAtMs: NOW, isSound: false });
    // Hosts' clocks differ by some minutes.
    assert.deepEqual(stateAfter(ofAll(-0.1)), { verifiedAtMs: NOW, isSound: true });
  });

  const some: fc.Arbitrary<VerifiedUnit> = fc
    .record({
      of: fc.constantFrom(ofEvents, ofHeads, ofAll, (...args: Parameters<typeof ofAll>) =>
        unit(LOG, null, ...args),
      ),
      hours: fc.integer({ min: -3, max: 8 }),
      failed: fc.constantFrom<Rung[]>([], [], ['checksum'], ['counts']),
      isGone: fc.boolean(),
    })
    .map(({ of, hours, failed, isGone }) => ({
      ...of(hours, ...failed),
      ...(isGone && hours % 2 === 0 ? { name: 'backups/gone/x' } : {}),
    }));

  it('is the same without the records that are needless, and none of those that stay is', () => {
    const records = fc.array(fc.array(some, { minLength: 1, maxLength: 4 }), { maxLength: 8 });
    fc.assert(
      fc.property(records, (listed) => {
        const facts = listed.map((units, i) => ({ name: `${i}`, sizeBytes: 1, units }));
        const kept = planRecords(facts, [backup], logs, NOW).filter((decision) => decision.kept);
        const states = (all: readonly { units: readonly VerifiedUnit[] | null }[], nowMs: number) => {
          const memory = foldVerified(
            all.flatMap(({ units }) => units ?? []),
            nowMs,
          );
          return [
            stateOfBackup(memory, backup),
            ...backup.manifest.files.map((file) => stateOfFile(memory, backup, file)),
            stateOfLogFile(memory, LOG),
          ];
        };
        const left = kept.map(({ item }) => item);
        assert.deepEqual(states(left, NOW), states(facts, NOW));
        assert.ok(left.length <= 4, 'no more records than things that they are about');
        assert.deepEqual(
          planRecords(left, [backup], logs, NOW).map((decision) => decision.kept),
          left.map(() => true),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('has records that cannot be read, and they stay', () => {
    const [decision] = planRecords([{ name: 'x', sizeBytes: 1, units: null }], [], [], NOW);
    assert.deepEqual([decision!.kept, decision!.reasons.length], [true, 1]);
  });
});
