import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import type { BackupVerification } from '../../src/core/report.ts';
import { decodeCompanions } from '../../src/format/line-files.ts';
import { verifyBackup } from '../../src/integrity/verify/backup.ts';
import { forge, plainSample } from '../harness/forged-backup.ts';
import { overwrite, readObject, testClock, verifyAll } from '../harness/memory-backup.ts';

const codes = (result: BackupVerification | undefined): string[] =>
  result!.problems.map((problem) => problem.code);

describe('a backup whose digests fit, but that is not what it says', () => {
  it('is found out when its heads file holds other heads than the events give', async () => {
    const backup = await plainSample();
    await forge(backup, 'heads', (text) => text.replace('"lastVersion":1', '"lastVersion":9'));
    assert.deepEqual(codes((await verifyAll(backup.vault))[0]), ['heads_differ']);
  });

  it('is reported, not thrown, when a line of a chunk table has no description of its events', async () => {
    const backup = await plainSample();
    await forge(
      backup,
      'events',
      (text) => text,
      (entry) => ({ ...entry, events: null }),
    );
    assert.deepEqual(codes((await verifyAll(backup.vault))[0]), ['index_damaged']);
  });
});

describe('lines of companions', () => {
  for (const values of ['null', '[1]', '[]', '["a"]', '{"name":{}}', '7']) {
    it(`are damaged when their values are ${values}`, () => {
      const line = Buffer.from(`{"table":"t","role":"checkpoints","values":${values}}\n`);
      assert.throws(
        () => decodeCompanions(line),
        (error) => isBackupError(error, 'damaged'),
      );
    });
  }
});

describe('a comparison with the live store', () => {
  for (const quick of [true, false]) {
    it(`reports damaged heads instead of failing over them, ${quick ? 'quick' : 'in full'}`, async () => {
      const backup = await plainSample();
      const name = `${backup.folder}heads.jsonl`;
      const bytes = await readObject(backup.vault, name);
      bytes[5] = bytes[5]! ^ 1;
      await overwrite(backup.vault, name, bytes);
      const result = await verifyBackup({ vault: backup.vault, clock: testClock }, backup, {
        ...{ quick, parallel: 1, againstStore: backup.store },
      });
      assert.equal(result.overallValid, false);
      assert.equal(result.completenessVerified, false);
      assert.equal(result.problems[0]?.file, 'heads.jsonl');
    });
  }
});
