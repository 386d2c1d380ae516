import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { giveUp } from '../../src/backup/finish.ts';
import { BackupError, type ErrorCode, isBackupError } from '../../src/core/errors.ts';
import { type Attempt, attemptName, encodeAttempt } from '../../src/format/attempt-codec.ts';
import { bundleFolder, eventFileName, indexFileName } from '../../src/format/bundle.ts';
import { writeObject } from '../../src/format/data-file-writer.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';

const ID = '912dd880-2d2d-4df5-957f-dae97b09cb36';
const ATTEMPT: Attempt = {
  ...{ attemptVersion: 1, backupId: ID, number: 1, startedAt: '2026-11-24T04:05:06.000Z', writer: 'other' },
  ...{ format: 'columns', compression: 'zstd', level: null },
  cursor: { kind: 'postgres', snapshot: '866:868:866' },
  reads: [0, 1].map((part) => ({ part, file: part + 1, spec: `part ${part}` })),
};

/** What is left of a backup that had finished one of two files when it failed. */
async function giveUpWith(code: ErrorCode): Promise<{ left: number; error: unknown }> {
  const vault = memoryVault();
  await vault.open({ create: true });
  const folder = bundleFolder('full', ID);
  const file = eventFileName(1, 'columns', { compression: 'zstd', isSealed: false }, '5eb127b300');
  for (const name of [file, indexFileName(file)]) await writeObject(vault, folder + name, Buffer.from('x'));
  await writeObject(vault, folder + attemptName(1), encodeAttempt(ATTEMPT));
  const error = await giveUp(vault, { folder, backupId: ID }, new BackupError(code, 'it failed'));
  let left = 0;
  for await (const _ of vault.list(folder)) left += 1;
  return { left, error };
}

describe('a backup that fails when some of it is finished', () => {
  for (const code of [
    'store_unreachable',
    'vault_unreachable',
    'queue_unreachable',
    'queue_refused',
  ] as const) {
    it(`keeps that after ${code}, and says so`, async () => {
      const { left, error } = await giveUpWith(code);
      assert.equal(left, 3);
      assert.ok(isBackupError(error, code));
      assert.match(error.hint ?? '', /the same command goes on from there/);
    });
  }

  it('leaves nothing after what would fail again', async () => {
    assert.equal((await giveUpWith('vault_full')).left, 0);
  });
});
