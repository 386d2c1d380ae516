import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BackupError, isBackupError } from '../../../src/core/errors.ts';
import type { Vault } from '../../../src/core/vault.ts';
import { memoryVault } from '../../../src/vaults/memory/vault.ts';
import { leaveSilent } from '../../../src/vaults/wrappers/leave-silent.ts';

function makeScene() {
  const memory = memoryVault();
  const scene = {
    nowMs: 0,
    calls: 0,
    answer: null as null | (() => Promise<void>),
    late: Promise.withResolvers<void>(),
  };
  const inner: Vault = {
    ...memory,
    open: () => {
      scene.calls += 1;
      return scene.answer === null ? scene.late.promise : scene.answer();
    },
    stat: (name) => {
      scene.calls += 1;
      return memory.stat(name);
    },
    list: (prefix) => {
      scene.calls += 1;
      return memory.list(prefix);
    },
  };
  const vault = leaveSilent(inner, { openMs: 20, restMs: 1000, steadyMs: () => scene.nowMs });
  return { scene, vault };
}

const open = (vault: Vault) => vault.open({ create: false });
const isAway = (error: unknown) =>
  isBackupError(error, 'vault_unreachable') && /did not answer/.test(error.message);

async function listAll(vault: Vault): Promise<void> {
  for await (const _ of vault.list(''));
}

describe('a vault that says nothing', () => {
  it('is asked for nothing else, and whoever asks hears so at once', async () => {
    const { scene, vault } = makeScene();
    await assert.rejects(open(vault), isAway);
    assert.equal(scene.calls, 1);
    await assert.rejects(vault.stat('x'), isAway);
    await assert.rejects(listAll(vault), isAway);
    await assert.rejects(open(vault), isAway);
    assert.equal(scene.calls, 1);
  });

  it('is opened again after a while, and is there again when it could be', async () => {
    const { scene, vault } = makeScene();
    await assert.rejects(open(vault), isAway);
    scene.nowMs = 1000;
    await assert.rejects(open(vault), isAway);
    assert.equal(scene.calls, 2);
    scene.nowMs = 2000;
    scene.answer = async () => undefined;
    await open(vault);
    assert.equal(await vault.stat('x'), null);
    await listAll(vault);
  });

  it('is there again when its answer comes late', async () => {
    const { scene, vault } = makeScene();
    await assert.rejects(open(vault), isAway);
    scene.late.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(await vault.stat('x'), null);
  });

  it('is not taken for one that fails by itself, which is asked as ever', async () => {
    const { scene, vault } = makeScene();
    scene.answer = async () => {
      throw new BackupError('vault_refused', 'no rights');
    };
    await assert.rejects(open(vault), /no rights/);
    assert.equal(await vault.stat('x'), null);
  });
});
