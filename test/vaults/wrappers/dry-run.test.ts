import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBackupError } from '../../../src/core/errors.ts';
import type { Vault } from '../../../src/core/vault.ts';
import { assertSameBytes, names, noise, put, text } from '../../../src/testing/vault/fixture.ts';
import { memoryVault } from '../../../src/vaults/memory/vault.ts';
import { dryRunVault } from '../../../src/vaults/wrappers/dry-run.ts';
import { readOnlyVault } from '../../../src/vaults/wrappers/read-only.ts';

async function filled(): Promise<Vault> {
  const vault = memoryVault();
  for (const name of ['a/1', 'a/3', 'b/1']) await put(vault, name, text(name));
  return vault;
}

describe('a dry run', () => {
  it('shows what was written and removed as if it were so, and notes it in order; the vault stays as it was', async () => {
    const inner = await filled();
    // What would reach the vault fails.
    const { vault, changes } = dryRunVault(readOnlyVault(inner));
    await vault.open({ create: true });
    await put(vault, 'a/2', noise(100));
    await vault.removeObject('a/1');
    await vault.removeObject('nothing');
    await vault.copyObject('a/2', 'c/copy');
    await vault.copyObject('a/3', 'c/old');
    await vault.removeObject('a/3');
    await vault.removeLeftovers('a/');
    assert.deepEqual(await names(vault, ''), ['a/2', 'b/1', 'c/copy', 'c/old']);
    assert.equal(await vault.stat('a/1'), null);
    assertSameBytes(await vault.readRange('c/copy', 10, 20), noise(100).subarray(10, 30));
    assertSameBytes(await vault.readRange('c/old', 0, 3), text('a/3'));
    await assert.rejects(vault.readRange('a/1', 0, 1), (error) =>
      isBackupError(error, 'vault_object_missing'),
    );
    assert.deepEqual(changes(), [
      { kind: 'write', name: 'a/2', sizeBytes: 100 },
      { kind: 'remove', name: 'a/1', sizeBytes: 3 },
      { kind: 'copy', name: 'c/copy', from: 'a/2' },
      { kind: 'copy', name: 'c/old', from: 'a/3' },
      { kind: 'remove', name: 'a/3', sizeBytes: 3 },
      { kind: 'remove leftovers', prefix: 'a/' },
    ]);
    assert.deepEqual(await names(inner, ''), ['a/1', 'a/3', 'b/1']);
  });

  it('takes a name that it removed for free, and one that the vault has for taken', async () => {
    const { vault } = dryRunVault(await filled());
    await assert.rejects(put(vault, 'a/1', text('x')), (error) =>
      isBackupError(error, 'vault_object_exists'),
    );
    await vault.removeObject('a/1');
    await put(vault, 'a/1', text('new'));
    assertSameBytes(await vault.readRange('a/1', 0, 3), text('new'));
  });

  it('keeps as much as it may, and says of the rest that it has not kept it', async () => {
    const { vault, changes } = dryRunVault(memoryVault(), { keepBytes: 1000 });
    await put(vault, 'large', noise(1001));
    await put(vault, 'small', noise(900));
    await put(vault, 'too-much', noise(101));
    assertSameBytes(await vault.readRange('small', 0, 900), noise(900));
    for (const name of ['large', 'too-much'])
      await assert.rejects(vault.readRange(name, 0, 1), (error) => isBackupError(error, 'vault_refused'));
    assert.equal((await vault.stat('large'))?.sizeBytes, 1001);
    assert.equal(changes().length, 3);
  });

  it('asks for no archived object, and holds nothing', async () => {
    const inner = await filled();
    const archived: Vault = {
      ...inner,
      stat: async (name) => ({ ...(await inner.stat(name))!, isArchived: true }),
      recall: () => assert.fail('it was asked for'),
      setLegalHold: () => assert.fail('it was held'),
      traits: async () => ({ ...(await inner.traits()), lock: { mode: 'governance', days: 30 } }),
    };
    const { vault, changes } = dryRunVault(archived);
    assert.deepEqual(await vault.recall('a/1'), { state: 'asked', usuallyMs: null });
    assert.equal(await vault.setLegalHold('a/1', true), true);
    assert.deepEqual(changes(), [
      { kind: 'recall', name: 'a/1' },
      { kind: 'hold', name: 'a/1', isHeld: true },
    ]);
  });
});

describe('a vault for reading only', () => {
  it('reads as the vault does, and refuses all that would change it', async () => {
    const inner = await filled();
    const vault = readOnlyVault(inner);
    await vault.open({ create: true });
    assertSameBytes(await vault.readRange('a/1', 0, 3), text('a/1'));
    assert.deepEqual(await names(vault, 'a/'), ['a/1', 'a/3']);
    for (const change of [
      () => vault.createObject('c'),
      () => vault.copyObject('a/1', 'c'),
      () => vault.copyFrom(inner, 'c'),
      () => vault.removeObject('a/1'),
      () => vault.removeLeftovers(''),
      () => vault.setLegalHold('a/1', true),
    ])
      await assert.rejects(change(), (error) => isBackupError(error, 'vault_refused'));
    assert.deepEqual(await names(inner, ''), ['a/1', 'a/3', 'b/1']);
  });
});
