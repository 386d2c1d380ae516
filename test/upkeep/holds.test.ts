import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isBackupError } from '../../src/core/errors.ts';
import type { Vault } from '../../src/core/vault.ts';
import {
  type Hold,
  isFrozen,
  readFreezes,
  readHolds,
  writeFreeze,
  writeHold,
} from '../../src/format/keep-marks.ts';
import { freeze, unfreeze } from '../../src/upkeep/freeze.ts';
import { addHold, listHolds, removeHold } from '../../src/upkeep/holds.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { allNames } from '../harness/aged-vault.ts';
import { makeChainOfFour } from '../harness/chain.ts';
import { overwrite, readObject, testClock } from '../harness/memory-backup.ts';

const ID = '00000000-0000-4000-8000-000000000001';
const HOLD: Hold = {
  ...{ id: ID, backupId: '00000000-0000-4000-8000-000000000002', reason: 'audit 2026' },
  ...{ createdAt: '2026-10-27T14:30:00.000Z', until: null, software: 'test' },
};

/** A vault that keeps objects from being removed, and has legal holds. */
function lockingVault(inner: Vault): { vault: Vault; held: Set<string> } {
  const held = new Set<string>();
  const vault: Vault = {
    ...inner,
    traits: async () => ({
      lock: { mode: 'governance', days: 30 },
      keepsVersions: true,
      createOnly: 'exact',
    }),
    removeObject: async (name) => assert.fail(`${name} is removed`),
    setLegalHold: async (name, isHeld) => {
      if (isHeld) held.add(name);
      else held.delete(name);
      return true;
    },
  };
  return { vault, held };
}

describe('a hold in a vault', () => {
  it('is written as the format says, and read back', async () => {
    const vault = memoryVault();
    await writeHold(vault, HOLD);
    const text = (await readObject(vault, `holds/${ID}.json`)).toString();
    assert.match(text, /^\{\n {2}"holdVersion": 1,\n {2}"holdId": /);
    assert.match(text, /"checksum": "[0-9a-f]{64}"\n\}\n$/);
    assert.deepEqual(await readHolds(vault), [HOLD]);
  });

  it('that was changed by a byte holds everything: nobody knows what it was for', async () => {
    const vault = memoryVault();
    await writeHold(vault, HOLD);
    const name = `holds/${ID}.json`;
    const bytes = await readObject(vault, name);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        const changed = Buffer.from(bytes);
        changed[at]! ^= mask;
        await overwrite(vault, name, changed);
        await assert.rejects(
          readHolds(vault),
          (error) => isBackupError(error, 'damaged') && error.facts.file === name,
        );
      }),
      { numRuns: 60 },
    );
    await overwrite(vault, name, Buffer.alloc(1 << 20));
    await assert.rejects(readHolds(vault), (error) => isBackupError(error, 'damaged'));
  });

  it('under the name of another one is none', async () => {
    const vault = memoryVault();
    await writeHold(vault, HOLD);
    await vault.copyObject(`holds/${ID}.json`, `holds/${ID.replace('1', '7').replace(/1$/, '7')}.json`);
    await assert.rejects(readHolds(vault), (error) => isBackupError(error, 'damaged'));
  });

  it('locks all objects of its chain where the vault can, until the last one that covers them ends', async () => {
    const { vault: inner, ids } = await makeChainOfFour();
    const { vault, held } = lockingVault(inner);
    const ports = { vault, clock: testClock };
    const request = { reason: 'audit', until: null, software: 'test' };
    const first = await addHold(ports, { ...request, backup: ids[1]! });
    assert.deepEqual(first.covers, ids.slice(0, 2));
    assert.equal(first.lockedObjects, held.size);
    const two = new Set(held);
    await addHold(ports, { ...request, backup: ids[3]! });
    assert.equal(held.size, (await allNames(vault)).filter((name) => name.startsWith('backups/')).length);
    await removeHold(ports, { wanted: ids[3]!, software: 'test' });
    assert.deepEqual(held, two);
    assert.deepEqual(
      (await listHolds(vault)).map(({ hold }) => hold.backupId),
      [ids[1]],
    );
    await removeHold(ports, { wanted: first.hold.id.slice(0, 8), software: 'test' });
    assert.equal(held.size, 0);
    assert.deepEqual(await readHolds(vault), []);
  });

  it('cannot be of a backup that is not there', async () => {
    const { vault } = await makeChainOfFour();
    const request = { backup: 'ffffffff', reason: 'audit', until: null, software: 'test' };
    await assert.rejects(addHold({ vault, clock: testClock }, request), (error) =>
      isBackupError(error, 'backup_not_found'),
    );
    assert.deepEqual(await readHolds(vault), []);
  });
});

describe('a freeze of a vault', () => {
  it('stands until it is ended, also where nothing can be removed', async () => {
    for (const { vault } of [{ vault: memoryVault() }, lockingVault(memoryVault())]) {
      const ports = { vault, clock: testClock };
      assert.equal(await isFrozen(vault), false);
      await freeze(ports, { reason: 'incident 7', software: 'test' });
      await freeze(ports, { reason: 'incident 8', software: 'test' });
      assert.equal(await isFrozen(vault), true);
      assert.deepEqual((await unfreeze(ports, 'test')).map(({ reason }) => reason).sort(), [
        'incident 7',
        'incident 8',
      ]);
      assert.equal(await isFrozen(vault), false);
      assert.deepEqual(await unfreeze(ports, 'test'), []);
      await freeze(ports, { reason: 'incident 9', software: 'test' });
      assert.equal(await isFrozen(vault), true);
    }
  });

  it('stands too where its mark cannot be read', async () => {
    const vault = memoryVault();
    await writeFreeze(vault, { id: ID, reason: 'incident 7', createdAt: HOLD.createdAt, software: 'test' });
    await overwrite(vault, `freeze/${ID}.json`, Buffer.from('{}'));
    assert.equal(await isFrozen(vault), true);
    assert.match((await readFreezes(vault))[0]!.reason, /cannot be read/);
  });
});
