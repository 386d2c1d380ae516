import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { BackupError, isBackupError } from '../../src/core/errors.ts';
import type { Vault } from '../../src/core/vault.ts';
import { bundleFolder } from '../../src/format/bundle.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { requireChain } from '../../src/format/chain.ts';
import { writeObject } from '../../src/format/data-file-writer.ts';
import { encodeManifest, manifestChecksum } from '../../src/format/manifest-codec.ts';
import { verifyChains } from '../../src/integrity/verify/chains.ts';
import { freeze } from '../../src/upkeep/freeze.ts';
import { addHold } from '../../src/upkeep/holds.ts';
import {
  AGED_RULE,
  type AgedVault,
  allNames,
  copyVault,
  DAY,
  idsIn,
  LEFTOVER,
  makeAgedVault,
  NOW,
  planAged,
  pruneAged,
} from '../harness/aged-vault.ts';
import { entryOf } from '../harness/chain.ts';
import { datedVault } from '../harness/dated-vault.ts';
import { testClock } from '../harness/memory-backup.ts';
import { assertAllRestore } from '../harness/restore-all.ts';
import { sampleManifest } from '../harness/sample-manifest.ts';

let aged: AgedVault;
before(async () => {
  aged = await makeAgedVault();
});

/** A vault that does something of its own before it removes an object. */
function watched(vault: Vault, before: (name: string) => Promise<void>): Vault {
  return {
    ...vault,
    removeObject: async (name) => {
      await before(name);
      await vault.removeObject(name);
    },
  };
}

const locked = (pattern: RegExp) => async (name: string) => {
  if (pattern.test(name)) throw new BackupError('vault_refused', `${name} is locked`);
};

describe('while a prune removes', () => {
  it('an object that is locked is named, and all else goes', async () => {
    const vault = await copyVault(aged.vault);
    const folder = (await entryOf(vault, aged.chained.get(3)!)).folder;
    const report = await pruneAged(watched(vault, locked(new RegExp(`^${folder}heads`))), AGED_RULE);
    assert.deepEqual(
      report.refused.map(({ name }) => name),
      [`${folder}heads.index`, `${folder}heads.jsonl.zst`],
    );
    assert.deepEqual(
      (await allNames(vault)).filter((name) => name.startsWith(folder)),
      report.refused.map(({ name }) => name),
    );
    assert.equal((await readCatalog(vault)).backups.length, 4);
  });

  it('a backup whose manifest is locked stays whole, with all that it builds on', async () => {
    const vault = await copyVault(aged.vault);
    const { folder } = await entryOf(vault, aged.chained.get(3)!);
    const report = await pruneAged(watched(vault, locked(new RegExp(`^${folder}manifest.json$`))), AGED_RULE);
    assert.equal(report.refused.length, 1);
    const ids = await idsIn(vault);
    for (const day of [1, 2, 3]) assert.ok(ids.includes(aged.chained.get(day)!), `day ${day}`);
    assert.ok(!ids.includes(aged.chained.get(4)!));
    assert.deepEqual(report.spared.length, 2);
    await assertAllRestore(vault);
  });

  it('a log whose oldest file is locked keeps all behind it', async () => {
    const vault = await copyVault(aged.vault);
    const logs = (await allNames(vault)).filter((name) => name.startsWith('log/'));
    const report = await pruneAged(watched(vault, locked(new RegExp(logs[1]!))), AGED_RULE);
    assert.equal(report.refused.length, 1);
    assert.deepEqual(
      (await allNames(vault)).filter((name) => name.startsWith('log/')),
      logs.slice(1),
    );
  });

  it('a backup that comes to build on another keeps it, whenever it comes', async () => {
    const parent = aged.chained.get(4)!;
    let calls = 0;
    for (let at = 1; at <= 20; at += 1) {
      const vault = await copyVault(aged.vault);
      const child = await manifestOn(vault, parent);
      calls = 0;
      const racing = watched(vault, async () => {
        calls += 1;
        if (calls === at) await child.write();
      });
      const report = await pruneAged(racing, AGED_RULE);
      const catalog = await readCatalog(vault);
      const found = catalog.backups.find(({ manifest }) => manifest.backupId === child.backupId);
      // Where the parent was gone altogether, who takes the backup finds that out himself.
      if (catalog.backups.some(({ manifest }) => manifest.backupId === parent)) {
        assert.ok(requireChain(catalog, found!).length > 1);
        assert.ok(report.spared.length > 0);
      }
    }
    const vault = await copyVault(aged.vault);
    const child = await manifestOn(vault, parent);
    let isWritten = false;
    const report = await pruneAged(
      watched(vault, async (name) => {
        if (isWritten || !name.includes(aged.chained.get(1)!)) return;
        isWritten = true;
        await child.write();
      }),
      AGED_RULE,
    );
    assert.match(report.spared[0]!.reason, /is new and builds on it; it was put back/);
    const catalog = await readCatalog(vault);
    assert.equal(requireChain(catalog, await entryOf(vault, child.backupId)).length, 5);
    const parents = catalog.backups.filter(({ manifest }) => manifest.backupId !== child.backupId);
    const ports = { vault, clock: testClock };
    const checked = await verifyChains(ports, catalog, parents, { quick: false, parallel: 1 });
    assert.ok(checked.every(({ verification }) => verification.overallValid));
  });

  it('a hold that is set keeps its chain', async () => {
    const vault = await copyVault(aged.vault);
    let isHeld = false;
    const report = await pruneAged(
      watched(vault, async (name) => {
        if (isHeld || !name.includes(aged.chained.get(4)!)) return;
        isHeld = true;
        await addHold(
          { vault, clock: testClock },
          { backup: aged.chained.get(3)!, reason: 'audit', until: null, software: 'test' },
        );
      }),
      AGED_RULE,
    );
    assert.match(report.spared[0]!.reason, /held since: audit/);
    const ids = await idsIn(vault);
    for (const day of [1, 2, 3, 4]) assert.ok(ids.includes(aged.chained.get(day)!), `day ${day}`);
    await assertAllRestore(vault);
  });

  it('a freeze stops it before the next chain', async () => {
    const vault = await copyVault(aged.vault);
    let isFrozenNow = false;
    const frozen = watched(vault, async () => {
      if (!isFrozenNow) await freeze({ vault, clock: testClock }, { reason: 'incident 7', software: 'test' });
      isFrozenNow = true;
    });
    await assert.rejects(
      pruneAged(frozen, AGED_RULE),
      (error) => isBackupError(error, 'would_overwrite') && /incident 7/.test(error.message),
    );
    assert.equal((await readCatalog(vault)).backups.length, 15);
    assert.ok((await planAged(vault, AGED_RULE)).backups.every(({ kept }) => kept));
  });

  it('an attempt that a backup takes up stays', async () => {
    const vault = datedVault(await copyVault(aged.vault), () => NOW - 11 * DAY);
    const folder = LEFTOVER.slice(0, LEFTOVER.lastIndexOf('/') + 1);
    await writeObject(vault, `${folder}attempt-1.json`, Buffer.from('{}'));
    const taken = watched(vault, async (name) => {
      if (name.endsWith('attempt-1.json'))
        await writeObject(vault, `${folder}attempt-2.json`, Buffer.from('{}'));
    });
    const report = await pruneAged(taken, AGED_RULE);
    assert.deepEqual(report.spared, [{ name: folder, reason: 'it was written to since' }]);
    assert.ok((await allNames(vault)).includes(LEFTOVER));
  });

  it('a lease that has ended stops it before the next object', async () => {
    const vault = await copyVault(aged.vault);
    const before = (await allNames(vault)).length;
    let asked = 0;
    const assertHeld = (): void => {
      asked += 1;
      if (asked > 5) throw new BackupError('lease_held', 'it may have ended');
    };
    await assert.rejects(pruneAged(vault, AGED_RULE, { lease: { epoch: 1, assertHeld } }), (error) =>
      isBackupError(error, 'lease_held'),
    );
    assert.equal((await allNames(vault)).length, before - 5);
    await assertAllRestore(vault);
  });
});

/** What a host would write that takes an incremental backup on this one, of which the prune does not know. */
async function manifestOn(vault: Vault, parentId: string) {
  const { manifest } = await entryOf(vault, parentId);
  const backupId = '99999999-0000-4000-8000-000000000000';
  const chain = {
    ...{
      baseId: manifest.chain!.baseId,
      parentChecksum: manifestChecksum(manifest),
      length: manifest.chain!.length + 1,
    },
    ...{ totalEvents: manifest.chain!.totalEvents + 9, totalStreams: 2, method: 'rows' as const },
  };
  const bytes = encodeManifest(
    sampleManifest({
      backupId,
      kind: 'incremental',
      parentId,
      chain,
      createdAt: new Date(NOW - DAY / 2).toISOString(),
    }),
  );
  return {
    backupId,
    write: () => writeObject(vault, `${bundleFolder('incremental', backupId)}manifest.json`, bytes),
  };
}
