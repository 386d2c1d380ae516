import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { describe, it } from 'node:test';
import { NO_TRUST_POLICY } from '../../src/core/trust.ts';
import type { Vault } from '../../src/core/vault.ts';
import { checkPrevious, isReportWhole, readEvidence } from '../../src/drills/evidence.ts';
import { writeObject } from '../../src/format/data-file-writer.ts';
import { encodeEvidence, evidenceName } from '../../src/format/drill-evidence.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { faultyVault } from '../harness/faulty-vault.ts';
import { overwrite, readObject } from '../harness/memory-backup.ts';
import { makeRegion, sync } from '../harness/region.ts';
import { sampleEvidence } from '../harness/sample-evidence.ts';

/** Three drills that follow one another, with their reports, and what a fourth left that still runs. */
async function drilledRegion(): Promise<{ vault: Vault; names: string[] }> {
  const { vault } = await makeRegion();
  const names: string[] = [];
  let previous: { name: string; sha256: string } | null = null;
  for (const day of [21, 22, 23]) {
    const about = {
      drillId: crypto.randomUUID(),
      startedAt: `2026-11-${day}T04:05:06.789Z`,
    };
    const name = evidenceName(about);
    const page = Buffer.from(`<h1>${day}</h1>`);
    const report = { name: name.replace(/json$/, 'html'), sha256: crypto.hash('sha256', page, 'hex') };
    const bytes = encodeEvidence(sampleEvidence({ ...about, report, previous }), null);
    await writeObject(vault, report.name, page);
    await writeObject(vault, name, bytes);
    previous = { name, sha256: crypto.hash('sha256', bytes, 'hex') };
    names.push(name);
  }
  await writeObject(vault, 'drills/scratch/host-1-2/backups/x', Buffer.from('x'));
  return { vault, names };
}

async function evidenceIn(vault: Vault): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of vault.list('drills/')) names.push(name);
  return names;
}

async function assertProven(vault: Vault, drills: number): Promise<void> {
  const { found } = await readEvidence(vault, NO_TRUST_POLICY, 100);
  assert.equal(found.length, drills);
  for (const [i, { evidence, problem }] of found.entries()) {
    assert.equal(problem, null);
    assert.equal(await isReportWhole(vault, evidence!), true);
    const { state } = await checkPrevious(vault, evidence!, found);
    assert.equal(state, i === found.length - 1 ? 'first' : 'follows');
  }
}

describe('evidence of drills', () => {
  it('is copied to a replica with its reports, and nothing of drills under way is', async () => {
    const { vault, names } = await drilledRegion();
    const replica = memoryVault();
    const report = await sync(vault, replica);
    assert.deepEqual(report.problems, []);
    const wanted = names.flatMap((name) => [name.replace(/json$/, 'html'), name]);
    assert.deepEqual(await evidenceIn(replica), wanted);
    await assertProven(replica, 3);
    assert.equal((await sync(vault, replica)).objects, 0);
  });

  it('is whole in the replica wherever a sync dies, and the next one goes on', async () => {
    const { vault } = await drilledRegion();
    const replica = memoryVault();
    await sync(vault, replica);
    for (const name of await evidenceIn(replica)) await replica.removeObject(name);
    for (let lastCall = 1; ; lastCall += 1) {
      const dying = faultyVault(replica, { failAt: lastCall, forGood: true });
      const died = await sync(vault, dying.vault).then(
        () => false,
        () => true,
      );
      const { found } = await readEvidence(replica, NO_TRUST_POLICY, 100);
      for (const { evidence } of found) {
        assert.equal(await isReportWhole(replica, evidence!), true);
        assert.notEqual((await checkPrevious(replica, evidence!, found)).state, 'missing');
      }
      if (!died) break;
    }
    await assertProven(replica, 3);
  });

  it('that is damaged, or whose report is, is named and stays where it is until that is put right', async () => {
    const { vault, names } = await drilledRegion();
    const [first, second] = names as [string, string];
    const page = second.replace(/json$/, 'html');
    const sound = { first: await readObject(vault, first), page: await readObject(vault, page) };
    await overwrite(vault, first, Buffer.concat([sound.first, Buffer.from('\n')]));
    await overwrite(vault, page, Buffer.from('<h1>all passed</h1>'));
    const replica = memoryVault();
    const { problems } = await sync(vault, replica);
    assert.deepEqual(
      problems.map(({ of, object, where }) => [of, object, where]),
      [
        [first, first, 'source'],
        [second, page, 'source'],
      ],
    );
    assert.deepEqual(
      (await evidenceIn(replica)).filter((name) => name.endsWith('.json')),
      names.slice(2),
    );
    await overwrite(vault, first, sound.first);
    await overwrite(vault, page, sound.page);
    assert.deepEqual((await sync(vault, replica)).problems, []);
    await assertProven(replica, 3);
  });
});
