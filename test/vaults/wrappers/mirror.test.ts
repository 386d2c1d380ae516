import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBackupError } from '../../../src/core/errors.ts';
import type { Vault } from '../../../src/core/vault.ts';
import { assertSameBytes, names, noise, put, text } from '../../../src/testing/vault/fixture.ts';
import { memoryVault } from '../../../src/vaults/memory/vault.ts';
import { type MirrorLapse, mirrorVault } from '../../../src/vaults/wrappers/mirror.ts';
import { readOnlyVault } from '../../../src/vaults/wrappers/read-only.ts';
import { faultyVault } from '../../harness/faulty-vault.ts';

function pair(onFailure: 'stop' | 'go_on', wrap: (vault: Vault, which: 'first' | 'second') => Vault) {
  const [first, second] = [memoryVault(), memoryVault()];
  const lapses: MirrorLapse[] = [];
  const vault = mirrorVault(wrap(first, 'first'), wrap(second, 'second'), {
    onFailure,
    onLapse: (lapse) => lapses.push(lapse),
  });
  return { vault, first, second, lapses };
}

const asTheyAre = (vault: Vault): Vault => vault;

describe('a mirror', () => {
  it('has what was written in both, and reads what one of them lost', async () => {
    const { vault, first, second } = pair('stop', asTheyAre);
    await put(vault, 'a/1', noise(1000));
    await vault.copyObject('a/1', 'a/2');
    assert.deepEqual(await names(first, ''), ['a/1', 'a/2']);
    assert.deepEqual(await names(second, ''), ['a/1', 'a/2']);
    await first.removeObject('a/1');
    await second.removeObject('a/2');
    assertSameBytes(await vault.readRange('a/1', 0, 1000), noise(1000));
    assert.deepEqual(await names(vault, ''), ['a/1', 'a/2']);
    assert.equal((await vault.stat('a/1'))?.sizeBytes, 1000);
    await first.removeObject('a/2');
    assert.equal(await vault.stat('a/2'), null);
  });

  it('reads from the second what is cut short or cannot be reached in the first', async () => {
    const { vault, first, second } = pair('stop', asTheyAre);
    await put(first, 'a', noise(10));
    await put(second, 'a', noise(1000));
    assertSameBytes(await vault.readRange('a', 0, 1000), noise(1000));
    const away = pair('stop', (inner, which) =>
      which === 'first' ? faultyVault(inner, { failAt: 1, forGood: true }).vault : inner,
    );
    await put(away.second, 'a', noise(10));
    assertSameBytes(await away.vault.readRange('a', 0, 10), noise(10));
    assert.equal((await away.vault.stat('a'))?.sizeBytes, 10);
    await assert.rejects(away.vault.stat('b'), (error) => isBackupError(error, 'vault_unreachable'));
    await assert.rejects(away.vault.readRange('b', 0, 1), (error) =>
      isBackupError(error, 'vault_unreachable'),
    );
  });

  for (const which of ['first', 'second'] as const) {
    it(`that is to stop leaves nothing in the other when the ${which} fails at any call of a write`, async () => {
      for (let failAt = 1; failAt <= 3; failAt += 1) {
        const { vault, first, second } = pair('stop', (inner, here) =>
          here === which ? faultyVault(inner, { failAt, forGood: true }).vault : inner,
        );
        await assert.rejects(put(vault, 'a', noise(100)), (error) =>
          isBackupError(error, 'vault_unreachable'),
        );
        assert.deepEqual([await names(first, ''), await names(second, '')], [[], []], `call ${failAt}`);
      }
    });

    it(`that may go on has it in the other when the ${which} fails at any call of a write, and says so`, async () => {
      for (let failAt = 1; failAt <= 3; failAt += 1) {
        const { vault, first, second, lapses } = pair('go_on', (inner, here) =>
          here === which ? faultyVault(inner, { failAt, forGood: true }).vault : inner,
        );
        await put(vault, 'a', noise(100));
        const other = which === 'first' ? second : first;
        assertSameBytes(await other.readRange('a', 0, 100), noise(100));
        assert.deepEqual(await names(which === 'first' ? first : second, ''), []);
        assert.equal(lapses.length, 1);
        assert.equal(lapses[0]!.doing, 'write "a" into');
      }
    });
  }

  it('that may go on fails when both fail', async () => {
    const { vault } = pair('go_on', (inner) => faultyVault(inner, { failAt: 2, forGood: true }).vault);
    await assert.rejects(put(vault, 'a', noise(100)), (error) => isBackupError(error, 'vault_unreachable'));
    const readOnly = pair('go_on', readOnlyVault);
    await assert.rejects(put(readOnly.vault, 'a', noise(1)), (error) =>
      isBackupError(error, 'vault_refused'),
    );
  });

  it('that may go on takes a name that one of them has for taken', async () => {
    for (const which of ['first', 'second'] as const) {
      const made = pair('go_on', asTheyAre);
      await put(made[which], 'a', text('old'));
      await assert.rejects(put(made.vault, 'a', text('new')), (error) =>
        isBackupError(error, 'vault_object_exists'),
      );
      assertSameBytes(await made.vault.readRange('a', 0, 3), text('old'));
      assert.deepEqual(await names(which === 'first' ? made.second : made.first, ''), []);
    }
  });

  it('says where something stays that could not be taken back', async () => {
    const { vault, first } = pair('stop', (inner, which) =>
      which === 'second'
        ? faultyVault(inner, { failAt: 3 }).vault
        : { ...inner, removeObject: readOnlyVault(inner).removeObject },
    );
    await assert.rejects(
      put(vault, 'a', noise(10)),
      (error) =>
        isBackupError(error, 'vault_unreachable') && /"a" stays in memory: alone/.test(error.message),
    );
    assert.deepEqual(await names(first, ''), ['a']);
  });

  it('removes from both, and fails when one did not, whatever else may go on', async () => {
    const { vault, first, second } = pair('go_on', (inner, which) =>
      which === 'second' ? { ...inner, removeObject: readOnlyVault(inner).removeObject } : inner,
    );
    await put(vault, 'a', noise(10));
    await assert.rejects(vault.removeObject('a'), (error) => isBackupError(error, 'vault_refused'));
    assert.deepEqual([await names(first, ''), await names(second, '')], [[], ['a']]);
  });

  it('that may go on lists what the other has, and one that stops fails', async () => {
    for (const onFailure of ['go_on', 'stop'] as const) {
      const { vault, second, lapses } = pair(onFailure, (inner, which) =>
        which === 'first' ? faultyVault(inner, { failAt: 1, forGood: true }).vault : inner,
      );
      await put(second, 'a', noise(10));
      if (onFailure === 'go_on') assert.deepEqual(await names(vault, ''), ['a']);
      else await assert.rejects(names(vault, ''), (error) => isBackupError(error, 'vault_unreachable'));
      assert.equal(lapses.length, onFailure === 'go_on' ? 1 : 0);
    }
  });

  it('promises no more than the weaker of the two', async () => {
    const { vault } = pair('stop', (inner, which) => ({
      ...inner,
      traits: async () => ({
        lock: { mode: which === 'first' ? 'compliance' : 'governance', days: which === 'first' ? 30 : 90 },
        keepsVersions: which === 'first',
        createOnly: which === 'first' ? 'exact' : 'claims',
      }),
      freeBytes: async () => (which === 'first' ? null : 5000),
    }));
    assert.deepEqual(await vault.traits(), {
      ...{ lock: { mode: 'governance', days: 30 }, keepsVersions: false, createOnly: 'claims' },
    });
    assert.equal(await vault.freeBytes(), 5000);
  });
});
