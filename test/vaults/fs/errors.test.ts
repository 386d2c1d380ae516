import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BackupError, type ErrorCode, isBackupError } from '../../../src/core/errors.ts';
import { toVaultError } from '../../../src/vaults/fs/errors.ts';

const EXPECTED: Record<string, ErrorCode> = {
  ENOSPC: 'vault_full',
  EDQUOT: 'vault_full',
  EACCES: 'vault_refused',
  EROFS: 'vault_refused',
  ENOTDIR: 'vault_refused',
  EIO: 'vault_unreachable',
  ESTALE: 'vault_unreachable',
  ENOENT: 'vault_unreachable',
  EOWNERDEAD: 'vault_unreachable',
};

test('each errno has a meaning, a hint, and keeps its cause', () => {
  for (const [code, expected] of Object.entries(EXPECTED)) {
    const cause = Object.assign(new Error(`${code}: it failed`), { code, errno: -1 });
    const error = toVaultError(cause, 'write "/vault/object"');
    assert.ok(isBackupError(error, expected), `${code} is ${String(error)}`);
    assert.equal(error.message, `cannot write "/vault/object" (${code})`);
    assert.ok((error.hint ?? '').length > 10, `${code} has no hint`);
    assert.equal(error.cause, cause);
  }
});

test('what is no failed system call is passed on as it is', () => {
  const bug = new TypeError('not a function');
  assert.equal(toVaultError(bug, 'write'), bug);
  const known = new BackupError('damaged', 'cut short');
  assert.equal(toVaultError(known, 'write'), known);
});
