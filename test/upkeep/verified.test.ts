import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BackupError } from '../../src/core/errors.ts';
import type { UnderLease } from '../../src/core/lease.ts';
import type { Rung } from '../../src/core/rungs.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { writeFreeze } from '../../src/format/keep-marks.ts';
import { readVerified, VERIFIED_PREFIX, writeVerified } from '../../src/format/verified-record.ts';
import { applyPrune, planPrune } from '../../src/upkeep/prune.ts';
import { syncVault } from '../../src/upkeep/sync.ts';
import { surveyVault } from '../../src/upkeep/vault-facts.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { TEST_LEASE, TEST_WRITERS } from '../harness/aged-vault.ts';
import { makeChainOfFour, nextInstant } from '../harness/chain.ts';
import { testClock } from '../harness/memory-backup.ts';

const RULE = { last: 10 };
const options = () => ({ rule: RULE, nowMs: Date.now() + 10_000, writers: TEST_WRITERS, archive: null });

/** Says of a backup of a vault, by its place, what was found. */
async function find(vault: Vault, place: number, ...failed: Rung[]): Promise<void> {
  const { folder, manifest } = (await readCatalog(vault)).backups[place]!;
  await nextInstant();
  const recordedAt = new Date().toISOString();
  const unit = { name: folder, digest: manifest.checksum, verifiedAt: recordedAt, passed: [], failed };
  await writeVerified(vault, { recordId: testClock.uuid(), recordedAt, software: 'test', units: [unit] });
}

const verdicts = async (vault: Vault) =>
  (await surveyVault(vault, options())).facts.backups.map(({ verified }) => verified);
const records = async (vault: Vault) => (await readVerified(vault)).length;

describe('what retention knows of verifications', () => {
  it('is of a backup no better than what is known of all that it builds on', async () => {
    const { vault } = await makeChainOfFour();
    assert.deepEqual(await verdicts(vault), [null, null, null, null]);
    await find(vault, 0);
    await find(vault, 2);
    assert.deepEqual(await verdicts(vault), [true, null, null, null]);
    await find(vault, 1);
    assert.deepEqual(await verdicts(vault), [true, true, true, null]);
    await find(vault, 1, 'checksum');
    assert.deepEqual(await verdicts(vault), [true, false, false, false]);
    await find(vault, 1);
    assert.deepEqual(await verdicts(vault), [true, true, true, null]);
  });

  it('is cleared of what newer records say, but not while the vault is frozen', async () => {
    const { vault } = await makeChainOfFour();
    for (let i = 0; i < 3; i += 1) await find(vault, 0);
    const frozen = await planPrune(vault, options());
    await writeFreeze(vault, { id: testClock.uuid(), reason: 'audit', createdAt: '', software: 'test' });
    await assert.rejects(applyPrune(vault, frozen, { lease: TEST_LEASE }), /frozen: audit/);
    assert.ok((await planPrune(vault, options())).records.every(({ kept }) => kept));
    assert.equal(await records(vault), 3);
    for await (const { name } of vault.list('freeze/')) await vault.removeObject(name);
    const report = await applyPrune(vault, await planPrune(vault, options()), { lease: TEST_LEASE });
    assert.deepEqual([await records(vault), report.objects, report.refused], [1, 2, []]);
    assert.equal((await verdicts(vault))[0], true);
  });

  it('is as good whenever a prune dies, since nothing goes but what a newer record says', async () => {
    for (let dies = 1; dies <= 3; dies += 1) {
      const { vault } = await makeChainOfFour();
      for (const place of [0, 1, 0, 1, 0]) await find(vault, place);
      let removed = 0;
      const dying: Vault = {
        ...vault,
        removeObject: async (name) => {
          removed += 1;
          if (removed >= dies) throw new BackupError('vault_unreachable', 'the line is cut');
          await vault.removeObject(name);
        },
      };
      const plan = await planPrune(vault, options());
      await assert.rejects(applyPrune(dying, plan, { lease: TEST_LEASE }), /the line is cut/);
      assert.deepEqual(await verdicts(vault), [true, true, null, null]);
      await applyPrune(vault, await planPrune(vault, options()), { lease: TEST_LEASE });
      assert.deepEqual([await records(vault), await verdicts(vault)], [2, [true, true, null, null]]);
    }
  });

  it('stays where records are locked, and that is no failure', async () => {
    const { vault } = await makeChainOfFour();
    for (let i = 0; i < 3; i += 1) await find(vault, 0);
    const refuse = () => Promise.reject(new BackupError('vault_refused', 'it is locked'));
    const locked: Vault = { ...vault, removeObject: refuse };
    const report = await applyPrune(locked, await planPrune(vault, options()), { lease: TEST_LEASE });
    assert.deepEqual([report.refused, report.spared, await records(vault)], [[], [], 3]);
  });

  it('is of one vault: a sync leaves it where it is', async () => {
    const { vault } = await makeChainOfFour();
    await find(vault, 0);
    const target = memoryVault();
    const underLease: UnderLease = (work) => work(TEST_LEASE, new AbortController().signal);
    await syncVault({ source: vault, target, clock: testClock, underLease }, {});
    assert.equal((await readCatalog(target)).backups.length, 4);
    for await (const { name } of target.list(VERIFIED_PREFIX)) assert.fail(`${name} was copied`);
    assert.deepEqual(await verdicts(target), [null, null, null, null]);
  });
});
