import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import { timeFromUnixMs } from '../../src/core/time.ts';
import { type Attempt, encodeAttempt } from '../../src/format/attempt-codec.ts';
import { writeObject } from '../../src/format/data-file-writer.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { openLogs } from '../../src/format/log-keys.ts';
import { verifyLog } from '../../src/integrity/verify/log.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { applyPrune } from '../../src/upkeep/prune.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
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
  TEST_LEASE,
} from '../harness/aged-vault.ts';
import { entryOf } from '../harness/chain.ts';
import { datedVault } from '../harness/dated-vault.ts';
import { faultyVault } from '../harness/faulty-vault.ts';
import { recover } from '../harness/log-model.ts';
import { backUp, overwrite, readObject, testClock, verifyAll } from '../harness/memory-backup.ts';
import { assertAllRestore } from '../harness/restore-all.ts';
import { keysOf, makePerson, makeRing } from '../harness/test-keys.ts';

let aged: AgedVault;
before(async () => {
  aged = await makeAgedVault();
});

describe('a prune', () => {
  it('leaves what the rule keeps, whole, and says of all else why it goes', async () => {
    const vault = await copyVault(aged.vault);
    const report = await pruneAged(vault, AGED_RULE);
    const { logged, chained } = aged;
    assert.deepEqual(
      (await idsIn(vault)).sort(),
      [logged.get(6), chained.get(9), chained.get(10), chained.get(11)].sort(),
    );
    assert.equal(report.backups.length, 11);
    assert.ok((await verifyAll(vault)).every(({ overallValid }) => overallValid));
    assert.ok(!(await allNames(vault)).includes(LEFTOVER));
    assert.deepEqual([report.refused, report.spared], [[], []]);
  });

  it('brings back every instant of the window afterwards, as before', async () => {
    const vault = await copyVault(aged.vault);
    await pruneAged(vault, AGED_RULE);
    for (let hours = 0; hours <= 4 * 24 - 2; hours += 5) {
      const target = { kind: 'time', time: timeFromUnixMs(NOW - hours * 3_600_000 - 3_600_000) } as const;
      const [now, then] = [await recover(vault, target), await recover(aged.vault, target)];
      assert.deepEqual(now.ids, then.ids, `${hours} hours ago`);
      assert.deepEqual(now.plan.reached, then.plan.reached);
    }
  });

  it('changes nothing the second time', async () => {
    const vault = await copyVault(aged.vault);
    await pruneAged(vault, AGED_RULE);
    const names = await allNames(vault);
    assert.equal((await pruneAged(vault, AGED_RULE)).objects, 0);
    assert.deepEqual(await allNames(vault), names);
  });
});

describe('a prune that dies', () => {
  it('at any call, for once or as the vault goes away, leaves every backup whole or none, and the next one ends it', async () => {
    // Fewer days: a chain, a base, some of the log and a leftover are still to go.
    const begun = await copyVault(aged.vault);
    await pruneAged(begun, { last: 5, logMs: 6 * DAY });
    await writeObject(begun, LEFTOVER, Buffer.from('left'));
    const whole = await copyVault(begun);
    await pruneAged(whole, AGED_RULE, { graceMs: 0 });
    const end = await allNames(whole);
    const seen = new Set<string>();
    for (const forGood of [false, true]) {
      for (let failAt = 1; ; failAt += 1) {
        const vault = await copyVault(begun);
        const faulty = faultyVault(vault, { failAt, forGood });
        const failure = await pruneAged(faulty.vault, AGED_RULE, { graceMs: 0 }).catch(
          (error: unknown) => error,
        );
        if (faulty.calls() < failAt) break;
        assert.ok(isBackupError(failure, 'vault_unreachable'), String(failure));
        const state = (await allNames(vault)).join();
        if (seen.has(state)) continue;
        seen.add(state);
        await assertAllRestore(vault);
        await pruneAged(vault, AGED_RULE, { graceMs: 0 });
        assert.deepEqual(await allNames(vault), end, `after call ${failAt}`);
      }
    }
    assert.ok(seen.size > 20, `it stopped in ${seen.size} states`);
  });
});

describe('a prune of a sealed log', () => {
  const owner = makePerson('owner');
  const isKey = (name: string): boolean => name.includes('/key-');

  it('removes the records of keys that seal nothing any more, last of all, and no other', async () => {
    const sealed = await makeAgedVault(memoryVault(), { ring: makeRing([owner]), signer: null });
    const vault = await copyVault(sealed.vault);
    const removed: string[] = [];
    await pruneAged(vault, AGED_RULE, { onRemoved: (name) => removed.push(name) });
    // Days 0 to 5 went: the first key sealed no other, the second one also the last file.
    assert.equal(removed.filter(isKey).length, 1);
    assert.ok(isKey(removed.at(-1)!));
    assert.equal((await allNames(vault)).filter(isKey).length, 3);
    assert.deepEqual((await pruneAged(vault, AGED_RULE)).objects, 0);
    const keys = keysOf(makeRing([], [owner]));
    const [log] = openLogs(vault, await readLogCatalog(vault), keys);
    assert.deepEqual((await verifyLog(vault, log!, { quick: false })).problems, []);
  });

  it('keeps a record that seals nothing yet, and all of them where a file cannot be read', async () => {
    const sealed = await makeAgedVault(memoryVault(), { ring: makeRing([owner]), signer: null });
    const vault = await copyVault(sealed.vault);
    const name = (await allNames(vault)).find((found) => found.endsWith('.log'))!;
    await overwrite(vault, name, Buffer.from('no log'));
    await pruneAged(vault, AGED_RULE);
    assert.equal((await allNames(vault)).filter(isKey).length, 4);
  });
});

describe('what is strange in a vault', () => {
  it('stops a prune: a backup from the future, and a clock that is behind what was written', async () => {
    const vault = await copyVault(aged.vault);
    const behind = await planAged(vault, AGED_RULE, { nowMs: NOW - 3 * DAY });
    assert.equal(behind.stopped?.kind, 'clock');
    assert.ok(behind.backups.every(({ kept }) => kept));
    const refused = applyPrune(vault, behind, { lease: TEST_LEASE });
    await assert.rejects(
      refused,
      (error) => isBackupError(error, 'would_overwrite') && /by this host's clock/.test(error.message),
    );
    const skewed = await planAged(vault, AGED_RULE, { vaultNowMs: NOW - 3_600_000 });
    assert.match(skewed.stopped!.message, /by the vault's clock/);
  });

  it('lets a prune go on, when it is told so, that keeps what is from the future and counts it for nothing', async () => {
    const vault = await copyVault(aged.vault);
    const clock = { ...testClock, now: () => NOW + 400 * DAY };
    const store = memoryStore();
    await store.initialise();
    const { manifest } = await backUp(store, vault, {}, undefined, clock);
    assert.match((await planAged(vault, AGED_RULE)).stopped!.message, new RegExp(manifest.backupId));
    const plan = await planAged(vault, AGED_RULE, { trustClock: true });
    const kept = plan.backups.filter((decision) => decision.kept).map(({ item }) => item.backupId);
    assert.deepEqual(
      kept.toSorted(),
      [
        ...[9, 10, 11].map((day) => aged.chained.get(day)!),
        aged.logged.get(6)!,
        manifest.backupId,
      ].toSorted(),
    );
  });

  it('expires nothing more for a clock that has jumped ahead', async () => {
    const rule = { ...AGED_RULE, withinMs: 2 * DAY, daily: 2 };
    const far = await planAged(aged.vault, rule, { nowMs: NOW + 900 * DAY });
    const near = await planAged(aged.vault, rule);
    assert.deepEqual(far.backups, near.backups);
    assert.deepEqual(far.logs, near.logs);
  });

  it('is not touched: damaged manifests, formats of a newer program, and what they seem to build on', async () => {
    const vault = await copyVault(aged.vault);
    const { folder } = await entryOf(vault, aged.chained.get(3)!);
    const name = `${folder}manifest.json`;
    const bytes = await readObject(vault, name);
    await overwrite(vault, name, Buffer.from(bytes.toString().replace('"durationMs": ', '"durationMs": 1')));
    const plan = await planAged(vault, AGED_RULE);
    assert.match(plan.damaged[0]!.reasons.join(), /never removed by a rule/);
    await pruneAged(vault, AGED_RULE);
    const ids = await idsIn(vault);
    for (const day of [1, 2]) assert.ok(ids.includes(aged.chained.get(day)!), `day ${day}`);
    assert.ok((await allNames(vault)).includes(`${folder}heads.index`));
    await overwrite(vault, name, bytes);
    await assertAllRestore(vault);
  });

  it('is not touched: what is being written, or was until a moment ago', async () => {
    const vault = datedVault(await copyVault(aged.vault), () => NOW - 3_600_000);
    const young = 'backups/incremental-backup-00000000-1111-4222-8333-555555555555.eventcore/heads.index';
    await writeObject(vault, young, Buffer.from('young'));
    const writers = { self: 'here', stateOf: () => 'alive' as const };
    const plan = await planAged(vault, AGED_RULE, { writers });
    const [old, recent] = plan.unfinished;
    assert.deepEqual([old!.kept, recent!.kept], [false, true]);
    assert.match(recent!.reasons[0]!, /less than 1d before the newest object/);
  });

  it('is not touched: an attempt whose writer lives, however old its files are', async () => {
    const attempt: Attempt = {
      ...{ attemptVersion: 1, backupId: '00000000-1111-4222-8333-444444444444', number: 1 },
      ...{ startedAt: '2026-10-16T15:30:00.000Z', writer: 'them', format: 'columns', compression: 'zstd' },
      ...{ level: null, cursor: { kind: 'memory' } as never, reads: [] },
    };
    const vault = datedVault(await copyVault(aged.vault), () => NOW - 11 * DAY);
    await writeObject(
      vault,
      `${LEFTOVER.slice(0, LEFTOVER.lastIndexOf('/'))}/attempt-1.json`,
      encodeAttempt(attempt),
    );
    for (const [self, state, kept] of [
      ['us', 'alive', true],
      ['us', 'dead', false],
      ['us', 'unknown', false],
      ['them', 'dead', true],
    ] as const) {
      const plan = await planAged(vault, AGED_RULE, { writers: { self, stateOf: () => state } });
      assert.equal(plan.unfinished[0]!.kept, kept, `${self}, ${state}`);
    }
  });
});
