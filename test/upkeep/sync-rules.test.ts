import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RetentionRule } from '../../src/core/retention-rule.ts';
import type { Vault } from '../../src/core/vault.ts';
import { applyPrune, planPrune } from '../../src/upkeep/prune.ts';
import { type SyncReport, syncVault } from '../../src/upkeep/sync.ts';
import { rulesOf } from '../../src/upkeep/sync-rules.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { allNames, DAY, makeAgedVault, NOW, TEST_LEASE, TEST_WRITERS } from '../harness/aged-vault.ts';
import { datedVault } from '../harness/dated-vault.ts';
import { testClock } from '../harness/memory-backup.ts';
import { leaseOf } from '../harness/region.ts';

const RULES: readonly RetentionRule[] = [
  { withinMs: 4 * DAY },
  { last: 2 },
  { daily: 3, weekly: 2 },
  { monthly: 1, minimumRedundancy: 2 },
  { last: 1, logMs: 2 * DAY },
  { withinMs: 100 * DAY },
];

async function syncUnder(
  source: Vault,
  target: Vault,
  rule: RetentionRule,
  nowMs: number,
): Promise<SyncReport> {
  const clock = { ...testClock, now: () => nowMs };
  const rules = await rulesOf(source, target, { rule, nowMs, writers: TEST_WRITERS });
  return syncVault({ source, target, clock, underLease: leaseOf(target) }, { rules });
}

async function prune(vault: Vault, rule: RetentionRule, nowMs: number): Promise<readonly string[]> {
  const options = { rule, nowMs, writers: TEST_WRITERS, archive: null, trustClock: true };
  const plan = await planPrune(vault, options);
  return (await applyPrune(vault, plan, { lease: TEST_LEASE })).backups;
}

describe('a replica with a retention of its own', () => {
  for (const rule of RULES) {
    it(`is brought nothing that its prune takes away: ${JSON.stringify(rule)}`, async () => {
      const { vault } = await makeAgedVault();
      const replica = datedVault(memoryVault(), () => NOW);
      const first = await syncUnder(vault, replica, rule, NOW);
      assert.deepEqual(first.problems, []);
      assert.ok(first.copied.length > 0);
      assert.deepEqual(await prune(replica, rule, NOW), [], 'what was just copied stays');
      const again = await syncUnder(vault, replica, rule, NOW);
      assert.deepEqual([again.copied, again.objects, again.log.objects], [[], 0, 0]);
    });
  }

  it('keeps what the primary has let go, and gets only what is new', async () => {
    const { vault } = await makeAgedVault();
    const replica = datedVault(memoryVault(), () => NOW);
    const long = { withinMs: 100 * DAY };
    const { copied } = await syncUnder(vault, replica, long, NOW);
    const gone = await prune(vault, { last: 1 }, NOW);
    assert.ok(gone.length > 5, `${gone.length} went`);
    const again = await syncUnder(vault, replica, long, NOW);
    assert.deepEqual([again.copied, again.left, again.problems], [[], [], []]);
    assert.deepEqual(await prune(replica, long, NOW), []);
    for (const backupId of gone) assert.ok(copied.includes(backupId));
  });

  it('is not brought again what its prune took away, be it backups or the log', async () => {
    const { vault } = await makeAgedVault();
    const replica = datedVault(memoryVault(), () => NOW);
    await syncUnder(vault, replica, { withinMs: 100 * DAY }, NOW);
    const files = async (): Promise<number> => (await allNames(replica)).length;
    const before = await files();
    const shorter = { withinMs: 2 * DAY, logMs: 2 * DAY };
    assert.ok((await prune(replica, shorter, NOW + DAY)).length > 0);
    assert.ok((await files()) < before);
    const again = await syncUnder(vault, replica, shorter, NOW);
    assert.deepEqual([again.copied, again.log.objects], [[], 0]);
  });
});
