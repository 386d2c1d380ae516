import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { collect, noise, put, text } from '../../../src/testing/vault/fixture.ts';
import { memoryVault } from '../../../src/vaults/memory/vault.ts';
import { DURATION_CLASSES_MS, meteredVault } from '../../../src/vaults/wrappers/metered.ts';
import { faultyVault } from '../../harness/faulty-vault.ts';

describe('a metered vault', () => {
  it('counts calls, bytes, objects and failures', async () => {
    const { vault, read } = meteredVault(memoryVault());
    await put(vault, 'a', noise(1000));
    await put(vault, 'b', noise(500));
    await vault.readRange('a', 0, 300);
    await assert.rejects(vault.readRange('c', 0, 1));
    await assert.rejects(put(vault, 'a', text('again')));
    assert.equal((await collect(vault, '')).length, 2);
    const { bytesWritten, bytesRead, objectsListed, operations } = read();
    assert.deepEqual([bytesWritten, bytesRead, objectsListed], [1500, 300, 2]);
    const { createObject, commit, readRange, list, stat } = operations;
    assert.deepEqual([createObject.calls, createObject.errors], [3, { vault_object_exists: 1 }]);
    assert.deepEqual([commit.calls, commit.errors], [2, {}]);
    assert.deepEqual([readRange.calls, readRange.errors], [2, { vault_object_missing: 1 }]);
    assert.deepEqual([list.calls, stat.calls], [1, 0]);
  });

  it('counts how long calls take, in classes', async () => {
    const times = [0, 0.5, 10, 110, 1000, 30_000];
    const { vault, read } = meteredVault(memoryVault(), () => times.shift()!);
    await vault.stat('a');
    await vault.stat('a');
    await vault.stat('a');
    const { calls, totalMs, longestMs, durations } = read().operations.stat;
    assert.deepEqual([calls, totalMs, longestMs], [3, 29_100.5, 29_000]);
    assert.equal(durations.length, DURATION_CLASSES_MS.length + 1);
    assert.deepEqual(durations, [1, 0, 0, 1, 0, 0, 0, 1]);
  });

  it('counts of a listing only what was waited for, and one that was left early or failed too', async () => {
    let nowMs = 0;
    const inner = memoryVault();
    await put(inner, 'a', text('a'));
    await put(inner, 'b', text('b'));
    const { vault, read } = meteredVault(inner, () => nowMs);
    for await (const _ of vault.list('')) {
      nowMs += 1000;
      break;
    }
    const broken = meteredVault(faultyVault(inner, { failAt: 1 }).vault, () => nowMs);
    await assert.rejects(collect(broken.vault, ''));
    assert.deepEqual([read().operations.list.calls, read().operations.list.totalMs], [1, 0]);
    assert.deepEqual(broken.read().operations.list.errors, { vault_unreachable: 1 });
  });

  it('gives counts that are the reader’s own', async () => {
    const { vault, read } = meteredVault(memoryVault());
    const before = read();
    await vault.stat('a');
    assert.equal(before.operations.stat.calls, 0);
    assert.equal(read().operations.stat.calls, 1);
    assert.doesNotThrow(() => JSON.stringify(read()));
  });
});
