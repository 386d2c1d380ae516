import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import type { Vault } from '../../src/core/vault.ts';
import { probeVault } from '../../src/doctor/vault-probe.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { faultyVault } from '../harness/faulty-vault.ts';

const clock = { now: Date.now, uuid: () => '6f1c6f0e-0000-4000-8000-000000000001' };

async function namesIn(vault: Vault): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of vault.list('')) names.push(name);
  return names;
}

test('a sound vault keeps its promises, and nothing of a probe stays', async () => {
  const vault = memoryVault();
  const { broken, clockAheadMs } = await probeVault(vault, clock);
  assert.deepEqual(broken, []);
  assert.ok(Math.abs(clockAheadMs) < 1000, String(clockAheadMs));
  assert.deepEqual(await namesIn(vault), []);
});

test('what an earlier probe left is removed once it is old', async () => {
  const vault = memoryVault();
  for (const name of ['doctor/left', 'backups/left']) await (await vault.createObject(name)).commit();
  await probeVault(vault, clock);
  assert.deepEqual(await namesIn(vault), ['backups/left', 'doctor/left']);
  await probeVault(vault, { ...clock, now: () => Date.now() + 2 * 3_600_000 });
  assert.deepEqual(await namesIn(vault), ['backups/left']);
});

test('a vault that overwrites, loses, garbles or hides is found out', async () => {
  const sound = memoryVault();
  const probe = async (unsound: Partial<Vault>) =>
    (await probeVault({ ...sound, ...unsound }, clock)).broken.join('; ');
  const overwriting = await probe({
    createObject: async (name) => {
      const object = await memoryVault().createObject(name);
      return { ...object, commit: async () => void (await (await sound.createObject(`${name}x`)).abort()) };
    },
    stat: async (name) => ({ name, sizeBytes: 26, modifiedAtMs: Date.now() }),
  });
  assert.match(overwriting, /of two .* 2 succeeded; an object that was there was overwritten/);
  assert.match(overwriting, /still there/);
  const garbled = async (_name: string, _offset: number, length: number) => new Uint8Array(length);
  assert.match(await probe({ readRange: garbled }), /what was read is not what was written/);
  assert.match(await probe({ list: async function* () {} }), /a listing does not show/);
  assert.match(await probe({ stat: async () => null }), /not there whole/);
});

test('a vault that fails at any call is reported as that failure, and is left clean', async () => {
  for (let failAt = 1; ; failAt += 1) {
    const inner = memoryVault();
    const { vault } = faultyVault(inner, { failAt });
    const failure = await probeVault(vault, clock).then(
      () => null,
      (error: unknown) => error,
    );
    if (failure === null) {
      assert.ok(failAt > 10, `${failAt} calls`);
      return;
    }
    assert.ok(isBackupError(failure, 'vault_unreachable'), String(failure));
    assert.deepEqual(await namesIn(inner), []);
  }
});
