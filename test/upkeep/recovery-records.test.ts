/** What a recovery leaves in a vault is no backup, no log and no litter: nothing that looks after vaults touches it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { writeObject } from '../../src/format/data-file-writer.ts';
import { entryName } from '../../src/format/disaster-journal.ts';
import { encodePlan, planName } from '../../src/format/disaster-plan.ts';
import { primaryName } from '../../src/format/disaster-primary.ts';
import { sampleName } from '../../src/format/disaster-sample.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { AGED_RULE, allNames, copyVault, makeAgedVault, pruneAged } from '../harness/aged-vault.ts';
import { verifyAll } from '../harness/memory-backup.ts';
import { assertSound, makeRegion, sync } from '../harness/region.ts';
import { sampleEntry, samplePlan, samplePosition } from '../harness/sample-disaster.ts';

async function addRecords(vault: Vault): Promise<void> {
  const { planId } = samplePlan();
  await writeObject(vault, planName(samplePlan()), encodePlan(samplePlan(), null));
  // Whatever is in them: torn ones, and names that other places have too.
  const junk = [entryName(sampleEntry()), sampleName(samplePosition()), primaryName(1)];
  const like = ['outcome.json', 'salvage-1.jsonl', 'salvage-1.index', 'manifest.json', 'key-0-1.json'];
  for (const name of [...junk, ...like.map((one) => `disaster/runs/${planId}/${one}`)])
    await writeObject(vault, name, Buffer.from('{'));
}

const ofRecovery = async (vault: Vault): Promise<string[]> =>
  (await allNames(vault)).filter((name) => name.startsWith('disaster/'));

describe('records of a recovery', () => {
  it('are left alone by prune, verify and the catalog', async () => {
    const { vault: aged } = await makeAgedVault();
    const vault = await copyVault(aged);
    await addRecords(vault);
    const before = await ofRecovery(vault);
    assert.equal(before.length, 9);
    const report = await pruneAged(vault, AGED_RULE);
    assert.ok(report.backups.length > 0);
    assert.deepEqual(await ofRecovery(vault), before);
    assert.ok((await verifyAll(vault)).every(({ overallValid }) => overallValid));
    const { damaged, unfinished } = await readCatalog(vault);
    assert.ok([...damaged, ...unfinished].every(({ folder }) => !folder.startsWith('disaster/')));
  });

  it('are not copied by sync, nor does their likeness hinder it: the journal copies itself', async () => {
    const { vault } = await makeRegion();
    await addRecords(vault);
    const replica = memoryVault();
    assert.deepEqual((await sync(vault, replica)).problems, []);
    assert.deepEqual(await ofRecovery(replica), []);
    await assertSound(replica, 'in the replica');
    await addRecords(replica);
    assert.deepEqual((await sync(vault, replica)).copied, []);
    assert.equal((await ofRecovery(replica)).length, 9);
  });
});
