import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import type { UnderLease } from '../../src/core/lease.ts';
import type { Vault } from '../../src/core/vault.ts';
import { salvage } from '../../src/disaster/salvage.ts';
import { recordVanished } from '../../src/disaster/salvage-epoch.ts';
import { hasOwnChecksum } from '../../src/format/checked-json.ts';
import { writeObject } from '../../src/format/data-file-writer.ts';
import { listSalvages } from '../../src/format/disaster-salvage.ts';
import type { EpochRecord } from '../../src/format/epoch.ts';
import type { TestEvent } from '../../src/testing/batches.ts';
import { syncVault } from '../../src/upkeep/sync.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { TEST_LEASE } from '../harness/aged-vault.ts';
import { faultyVault } from '../harness/faulty-vault.ts';
import { readObject, testClock } from '../harness/memory-backup.ts';
import { keysOf, makeOpenRing } from '../harness/test-keys.ts';
import { carryOut, lookupIn, namesIn, open, PLAIN, PLAN, RECOVERY, run } from './two-stores.ts';

async function epochsIn(vault: Vault): Promise<string[]> {
  return (await namesIn(vault)).filter((name) => name.startsWith('epochs/'));
}

async function readEpoch(vault: Vault, name: string | null): Promise<EpochRecord> {
  const bytes = await readObject(vault, name!);
  assert.ok(hasOwnChecksum(bytes));
  return JSON.parse(bytes.toString('utf8')) as EpochRecord;
}

const idsOf = (events: readonly TestEvent[]) => events.map(({ id }) => String(id));

/** Of the stream `both` two events cannot be merged; they were written before and after those of `ahead`, which can. */
async function openConflict() {
  const both = [...run('ahead', 0, 1), ...run('both', 0, 1)];
  const [first, ahead, last] = [run('both', 1, 1), run('ahead', 1, 2), run('both', 2, 1)];
  const world = await open({ both, old: [...ahead, ...first, ...last], fresh: run('both', 1, 1) });
  return { world, ahead, conflicting: [...first, ...last], lost: [...first, ...ahead, ...last] };
}

describe('the record of what vanished', () => {
  it('lists what only the old store had in the order of time, and names the recovery', async () => {
    const { world, lost } = await openConflict();
    const { vanished, epochRecord } = await carryOut(world);
    assert.equal(vanished, 4);
    const record = await readEpoch(world.vault, epochRecord);
    assert.equal(epochRecord, `epochs/epoch-${record.epoch}.json`);
    assert.match(record.epoch, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const ids = idsOf(lost);
    assert.deepEqual(record.vanished, { events: 4, firstId: ids[0], lastId: ids[3], ids });
    const { recoveredAt, store, chain, target, reachedTime, reachedLsn, cutLsn } = record;
    assert.deepEqual([recoveredAt, cutLsn], [RECOVERY.recoveredAt, RECOVERY.cutLsn]);
    assert.deepEqual([store, chain, reachedLsn], [world.fresh.address, [], null]);
    assert.equal(target, `regional_failover by plan ${PLAN}`);
    const [earliest] = await listSalvages(world.vault, PLAN);
    assert.equal(reachedTime, earliest!.earliest);
  });

  it('leaves out what was merged, and is not there when all was', async () => {
    const { world, conflicting } = await openConflict();
    const report = await carryOut(world, true);
    assert.deepEqual([report.events, report.merged, report.vanished], [4, 2, 2]);
    const record = await readEpoch(world.vault, report.epochRecord);
    assert.deepEqual(record.vanished.ids, idsOf(conflicting));

    const whole = await open({ both: run('s', 0, 1), old: run('s', 1, 2) });
    const merged = await carryOut(whole, true);
    assert.deepEqual([merged.vanished, merged.epochRecord], [0, null]);
    assert.deepEqual(await epochsIn(whole.vault), []);
  });

  it('is the same one whoever does it again, merges later, or looks at a copy of the old store', async () => {
    const { world } = await openConflict();
    const first = await carryOut(world);
    const bytes = await readObject(world.vault, first.epochRecord!);
    const again = await carryOut(world);
    const copy = await carryOut({ ...world, old: { ...world.old, address: 'memory:copy' } });
    const merged = await carryOut(world, true);
    for (const { epochRecord } of [again, merged, copy]) assert.equal(epochRecord, first.epochRecord);
    assert.deepEqual([again.vanished, merged.vanished], [4, 2]);
    assert.deepEqual(await epochsIn(world.vault), [first.epochRecord]);
    assert.deepEqual(await readObject(world.vault, first.epochRecord!), bytes);
  });

  it('is one where two write it at the same time, and another one where more was found later', async () => {
    const { world } = await openConflict();
    const both = await Promise.all([carryOut(world), carryOut(world)]);
    assert.equal(both[0].epochRecord, both[1].epochRecord);
    assert.equal((await epochsIn(world.vault)).length, 1);
    await world.old.append([{ streamId: 'late', events: [{ type: 'Late', data: '{}' }] }]);
    const later = await carryOut(world);
    assert.notEqual(later.epochRecord, both[0].epochRecord);
    assert.equal((await readEpoch(world.vault, later.epochRecord)).vanished.ids?.length, 5);
  });

  it('counts an event with other content as there, and one that its writer appended again', async () => {
    const [retried, changed] = [run('s', 1, 1)[0]!, run('t', 0, 1, '{"amount":1}')[0]!];
    const lost = run('s', 2, 1);
    const world = await open({
      both: run('s', 0, 1),
      old: [retried, changed, ...lost],
      fresh: [...run('s', 1, 1), { ...retried, version: 2 }, { ...changed, data: '{"amount":2}' }],
    });
    const { vanished, epochRecord } = await carryOut(world);
    assert.equal(vanished, 1);
    assert.deepEqual((await readEpoch(world.vault, epochRecord)).vanished.ids, idsOf(lost));
  });

  it('lists so many ids, and of more only the first and the last', async () => {
    const { world, lost } = await openConflict();
    await carryOut(world);
    const [record] = await listSalvages(world.vault, PLAN);
    const { signal } = new AbortController();
    for (const [mostIds, listed] of [
      [4, idsOf(lost)],
      [3, null],
    ] as const) {
      const vault = memoryVault();
      await copyAll(world.vault, vault);
      const place = { vault, fresh: world.fresh, lookup: lookupIn(world.fresh), now: '' };
      const found = await recordVanished(place, { record: record!, seal: null }, RECOVERY, {
        signal,
        mostIds,
      });
      const { vanished } = await readEpoch(vault, found.epochRecord);
      assert.deepEqual(
        [vanished.events, vanished.firstId, vanished.lastId, vanished.ids],
        [4, lost[0]!.id, lost[3]!.id, listed],
      );
    }
  });

  it('is copied by a sync', async () => {
    const { world } = await openConflict();
    const { epochRecord } = await carryOut(world);
    const target = memoryVault();
    const underLease: UnderLease = (work) => work(TEST_LEASE, new AbortController().signal);
    await syncVault({ source: world.vault, target, clock: testClock, underLease });
    assert.deepEqual(await epochsIn(target), [epochRecord]);
  });

  for (const [kind, keys] of [
    ['plain', PLAIN],
    ['sealed', keysOf(makeOpenRing())],
  ] as const) {
    it(`is written once by whoever comes after a run that died anywhere (${kind})`, async () => {
      const { world, conflicting } = await openConflict();
      let died = 0;
      for (let failAt = 1; ; failAt += 1) {
        const faulty = faultyVault(world.vault, { failAt, forGood: true });
        try {
          const report = await carryOut({ ...world, vault: faulty.vault }, true, keys);
          assert.deepEqual([report.merged, report.vanished], [2, 2]);
          if (faulty.calls() < failAt) break;
        } catch (error) {
          assert.ok(isBackupError(error, 'vault_unreachable'), String(error));
          died += 1;
        }
      }
      assert.ok(died > 5, `${died}`);
      const [name, ...others] = await epochsIn(world.vault);
      assert.deepEqual(others, []);
      const { vanished } = await readEpoch(world.vault, name!);
      assert.deepEqual(vanished.ids, idsOf(conflicting));
    });
  }

  it('waits for the merge: a run that dies in it has told nobody', async () => {
    const { world } = await openConflict();
    const { signal } = new AbortController();
    const fresh = { ...world.fresh, openMerge: () => Promise.reject(new Error('the process dies here')) };
    const ports = { ...world, fresh, keys: PLAIN, clock: testClock, software: 'test', lookup: lookupIn };
    const options = { planId: PLAN, merge: true, recovery: RECOVERY, signal };
    await assert.rejects(salvage(ports, options), /dies here/);
    assert.deepEqual(await epochsIn(world.vault), []);
    assert.equal((await carryOut(world, true)).vanished, 2);
  });
});

async function copyAll(source: Vault, target: Vault): Promise<void> {
  for (const name of await namesIn(source)) {
    if (name.startsWith('epochs/')) continue;
    await writeObject(target, name, await readObject(source, name));
  }
}
