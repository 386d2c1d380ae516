import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { rewrapKeys } from '../../src/backup/rewrap.ts';
import { isBackupError } from '../../src/core/errors.ts';
import type { EventBatch } from '../../src/core/event-batch.ts';
import { idText } from '../../src/core/event-id.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { Vault } from '../../src/core/vault.ts';
import { type SalvageReport, salvage } from '../../src/disaster/salvage.ts';
import { openSalvageSeal, readSalvagedStreams } from '../../src/disaster/salvage-files.ts';
import { findLost, type SalvageSide } from '../../src/disaster/salvage-find.ts';
import { mergeLost } from '../../src/disaster/salvage-merge.ts';
import { sumUp } from '../../src/disaster/salvage-table.ts';
import { writeObject } from '../../src/format/data-file-writer.ts';
import { listSalvages } from '../../src/format/disaster-salvage.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { openSqliteStore } from '../../src/stores/sqlite/store.ts';
import type { TestEvent } from '../../src/testing/batches.ts';
import { readAll } from '../../src/testing/event-store/restoring.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { faultyVault } from '../harness/faulty-vault.ts';
import { fill, readObject, testClock } from '../harness/memory-backup.ts';
import { keysOf, makeOpenRing, makePerson, makeRing } from '../harness/test-keys.ts';
import { carryOut, lookupIn, namesIn, open, PLAIN, PLAN, RECOVERY, run, storeOf } from './two-stores.ts';

async function sideOf(store: EventStore): Promise<SalvageSide> {
  return { store, snapshot: await store.openSnapshot(), lookup: lookupIn(store) };
}

async function linesOf(vault: Vault, { object }: SalvageReport): Promise<Record<string, unknown>[]> {
  const text = (await readObject(vault, object!)).toString('utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

const bodyOf = ({ table: _, ...rest }: SalvageReport) => rest;

describe('salvage', () => {
  it('finds nothing, and writes nothing, where the new store has all that the old one has', async () => {
    const both = [...run('a', 0, 3), ...run('b', 0, 1)];
    const world = await open({ both, fresh: [...run('a', 3, 2), ...run('new', 0, 2)] });
    const report = await carryOut(world, true);
    const nothing = {
      events: 0,
      streams: 0,
      conflicts: 0,
      merged: 0,
      differing: 0,
      spanMs: null,
      object: null,
      ...{ vanished: 0, epochRecord: null, ghosts: [] },
    };
    assert.deepEqual(report, { ...nothing, table: [] });
    assert.deepEqual(await namesIn(world.vault), []);
  });

  it('tells what can be merged from what both have gone on with, and keeps every field of all of it', async () => {
    const lost = [
      ...run('ahead', 2, 3, '{"n": 1.50}'),
      ...run('both-went-on', 4, 2),
      ...run('only-here', 0, 2),
    ];
    const both = [...run('ahead', 0, 2), ...run('both-went-on', 0, 4), ...run('same', 0, 9)];
    const world = await open({ both, old: lost, fresh: run('both-went-on', 4, 1) });
    const report = await carryOut(world);
    assert.deepEqual(
      report.table.map(({ streamId, events, firstVersion, lastVersion, newLast, verdict }) => [
        ...[streamId, events, firstVersion, lastVersion, newLast, verdict],
      ]),
      [
        ['ahead', 3, 2, 4, 1, 'mergeable'],
        ['both-went-on', 2, 4, 5, 4, 'conflict'],
        ['only-here', 2, 0, 1, null, 'mergeable'],
      ],
    );
    assert.deepEqual(
      [report.events, report.streams, report.conflicts, report.merged, report.spanMs],
      [7, 3, 1, 0, 6],
    );
    assert.equal(report.object, `disaster/runs/${PLAN}/salvage-1.jsonl`);
    const lines = await linesOf(world.vault, report);
    assert.deepEqual(
      lines.map(({ id }) => id),
      lost.map(({ id }) => id),
    );
    assert.match((await readObject(world.vault, report.object)).toString('utf8'), /"data":\{"n": 1\.50\}/);
  });

  it('merges all that conflicts with nothing, ids, versions and times kept, and finds the same when done again', async () => {
    const both = [...run('ahead', 0, 2), ...run('both-went-on', 0, 1)];
    const old = [...run('ahead', 2, 3), ...run('both-went-on', 1, 1), ...run('only-here', 0, 2)];
    const fresh = run('both-went-on', 1, 1);
    const world = await open({ both, old, fresh });
    const first = await carryOut(world, true);
    assert.deepEqual([first.events, first.merged, first.conflicts], [6, 5, 1]);
    const mergedEvents = old.filter(({ streamId }) => streamId !== 'both-went-on');
    const inNew = await readAll(world.fresh);
    for (const event of mergedEvents) {
      const is = inNew.find(({ id }) => id === event.id);
      assert.deepEqual([is?.streamId, is?.version, is?.time], [event.streamId, event.version, event.time]);
    }
    const names = await namesIn(world.vault);
    await world.fresh.append([{ streamId: 'ahead', events: [{ type: 'Later', data: '{}' }] }]);
    const second = await carryOut(world, true);
    assert.deepEqual(bodyOf(second), bodyOf(first));
    assert.deepEqual(await namesIn(world.vault), names);
    assert.equal((await world.fresh.count()).events, both.length + fresh.length + mergedEvents.length + 1);
  });

  it('does not merge without being told, and merges what a former run only found', async () => {
    const world = await open({ both: run('s', 0, 1), old: run('s', 1, 2) });
    assert.equal((await carryOut(world)).merged, 0);
    assert.equal((await world.fresh.count()).events, 1);
    const report = await carryOut(world, true);
    assert.deepEqual([report.events, report.merged], [2, 2]);
    assert.equal(report.object, `disaster/runs/${PLAN}/salvage-1.jsonl`);
  });

  it('counts an event whose writer tried again under the same id as not lost', async () => {
    const both = run('s', 0, 2);
    const [retried, lost] = run('s', 2, 2) as [TestEvent, TestEvent];
    const stranger = run('s', 2, 1);
    const world = await open({
      both,
      old: [retried, lost],
      fresh: [...stranger, { ...retried, version: 3 }],
    });
    const report = await carryOut(world, true);
    assert.deepEqual([report.events, report.conflicts, report.merged], [1, 1, 0]);
    assert.deepEqual(
      report.table.map(({ events, firstVersion, retried: again }) => [events, firstVersion, again]),
      [[1, 3, 1]],
    );
  });

  it('tells an event that both have with other content as a conflict, and keeps what the old store had of it', async () => {
    const both = run('s', 0, 1);
    const [event] = run('s', 1, 1, '{"amount":1}') as [TestEvent];
    const [theirs] = run('t', 0, 1) as [TestEvent];
    const world = await open({
      both: [...both],
      old: [event, theirs],
      fresh: [{ ...event, data: '{"amount":2}' }, ...run('s', 2, 1), { ...theirs, streamId: 'elsewhere' }],
    });
    // Of `s` the summaries alone would say that the new store has all.
    const whole = await storeOf([...both, { ...event, version: 2 }, theirs]);
    const report = await carryOut({ ...world, old: whole }, true);
    assert.deepEqual([report.events, report.differing, report.conflicts, report.merged], [0, 2, 2, 0]);
    assert.equal((await linesOf(world.vault, report)).length, 2);
  });

  it('searches where a long stream parts instead of reading it, and finds the same', async () => {
    for (const shared of [1, 700, 1999]) {
      const both = run('long', 0, shared);
      const [ours, theirs] = [run('long', shared, 2000 - shared), run('long', shared, 5)];
      const world = await open({ both, old: ours, fresh: theirs });
      let read = 0;
      const snapshot = await world.old.openSnapshot();
      const counted: EventStore = {
        ...world.old,
        openSnapshot: async () => ({
          ...snapshot,
          planTails: async (tails) => {
            read += tails.reduce((sum, { fromVersion }) => sum + 2000 - Math.max(0, fromVersion), 0);
            return snapshot.planTails(tails);
          },
        }),
      };
      const report = await carryOut({ ...world, old: counted });
      assert.deepEqual([report.events, report.conflicts, read], [ours.length, 1, ours.length]);
    }
  });

  it('leaves out of the merge what somebody was quicker with, and merges the rest', async () => {
    const both = [...run('quick', 0, 1), ...run('free', 0, 1)];
    const world = await open({ both, old: [...run('quick', 1, 2), ...run('free', 1, 2)] });
    const sides = { old: await sideOf(world.old), fresh: await sideOf(world.fresh) };
    const { signal } = new AbortController();
    const table = await findLost(sides, { known: new Map(), take: async () => {}, signal });
    assert.deepEqual(
      table.map(({ verdict }) => verdict),
      ['mergeable', 'mergeable'],
    );
    await fill(world.fresh, [...(await readAll(world.fresh)), ...run('quick', 1, 1)]);
    assert.equal(await mergeLost(sides, table, signal), 2);
    const now = await readAll(world.fresh);
    assert.deepEqual(now.map(({ streamId }) => streamId).toSorted(), [
      'free',
      'free',
      'free',
      'quick',
      'quick',
    ]);
  });

  it('asks files of SQLite in their own SQL', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'salvage-'));
    const open = (name: string): EventStore => openSqliteStore(`sqlite:${join(folder, `${name}.db`)}`);
    const [both, ahead] = [run('s', 0, 1), run('s', 1, 2)];
    const [changed] = run('t', 0, 1, '{"amount":1}') as [TestEvent];
    const theirs = { ...changed, data: '{"amount":2}', version: 1 };
    const old = await storeOf([...both, ...ahead, changed], open('old'));
    const fresh = await storeOf([...both, ...run('t', 0, 1), theirs], open('new'));
    const world = { old, fresh, vault: memoryVault() };
    const { signal } = new AbortController();
    const ports = { ...world, keys: PLAIN, clock: testClock, software: 'test' };
    const report = await salvage(ports, { planId: PLAN, merge: true, recovery: RECOVERY, signal });
    assert.deepEqual([report.events, report.merged, report.differing, report.conflicts], [2, 2, 1, 1]);
    await Promise.all([old.close(), fresh.close()]);
    rmSync(folder, { recursive: true });
  });

  it('writes a further file when the old store has more than a former run found', async () => {
    const world = await open({ both: run('s', 0, 1), old: run('s', 1, 1) });
    await carryOut(world);
    await world.old.append([{ streamId: 's', events: [{ type: 'Late', data: '{}' }] }]);
    const report = await carryOut(world, true);
    assert.deepEqual([report.events, report.merged], [2, 2]);
    assert.equal(report.object, `disaster/runs/${PLAN}/salvage-2.jsonl`);
    assert.deepEqual(bodyOf(await carryOut(world, true)), bodyOf(report));
  });

  it('does not take files without a record for a salvage, and does not write over them', async () => {
    const world = await open({ both: run('s', 0, 1), old: run('s', 1, 1) });
    await writeObject(world.vault, `disaster/runs/${PLAN}/salvage-1.jsonl`, Buffer.from('{"half":'));
    const report = await carryOut(world);
    assert.equal(report.object, `disaster/runs/${PLAN}/salvage-2.jsonl`);
    assert.equal((await listSalvages(world.vault, PLAN)).length, 1);
  });

  it('finds exactly what a comparison of all ids finds, whatever each store went on with', async () => {
    const streams = ['a', 'b', 'ÿ', 'z/long'];
    const plan = fc.array(fc.record({ s: fc.nat(3), n: fc.integer({ min: 1, max: 4 }) }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(plan, plan, plan, async (both, old, fresh) => {
        const next = new Map<number, number>();
        const append = (steps: typeof both, from: ReadonlyMap<number, number>): TestEvent[] => {
          const at = new Map(from);
          const events = steps.flatMap(({ s, n }) => {
            const first = at.get(s) ?? 0;
            at.set(s, first + n);
            return run(streams[s]!, first, n);
          });
          if (steps === both) for (const [key, value] of at) next.set(key, value);
          return events;
        };
        const shared = append(both, new Map());
        const world = { old: memoryStore(), fresh: memoryStore() };
        await fill(world.old, [...shared, ...append(old, next)]);
        await fill(world.fresh, [...shared, ...append(fresh, next)]);
        const there = new Set((await readAll(world.fresh)).map(({ id }) => id));
        const lost = (await readAll(world.old)).filter(({ id }) => !there.has(id)).map(({ id }) => id);
        const sides = { old: await sideOf(world.old), fresh: await sideOf(world.fresh) };
        const taken: string[] = [];
        const { signal } = new AbortController();
        const take = async (batch: EventBatch): Promise<void> => {
          for (let row = 0; row < batch.count; row += 1) taken.push(idText(batch, row));
        };
        const table = await findLost(sides, { known: new Map(), take, signal });
        assert.equal(sumUp(table).events, lost.length);
        assert.deepEqual(taken.toSorted(), lost.toSorted());
        const free = old.filter(({ s }) => !fresh.some((other) => other.s === s));
        const mergeable = free.reduce((sum, { n }) => sum + n, 0);
        assert.equal(await mergeLost(sides, table, signal), mergeable);
        assert.equal((await world.fresh.count()).events, there.size + mergeable);
      }),
      { numRuns: 200 },
    );
  });
});

describe('salvage into a sealed vault', () => {
  it('names no stream in clear, and finds the same for who can open it', async () => {
    const person = makePerson('one');
    const keys = keysOf(makeRing([person], [person]));
    const world = await open({ both: run('secret-stream', 0, 1), old: run('secret-stream', 1, 2) });
    const first = await carryOut(world, false, keys);
    assert.equal(first.object, `disaster/runs/${PLAN}/salvage-1.jsonl.sealed`);
    const names = await namesIn(world.vault);
    for (const name of names) {
      assert.ok(!(await readObject(world.vault, name)).includes('secret-stream'), name);
    }
    assert.deepEqual(bodyOf(await carryOut(world, true, keys)), { ...bodyOf(first), merged: 2, vanished: 0 });
    assert.deepEqual(bodyOf(await carryOut(world, true, keys)), { ...bodyOf(first), merged: 2, vanished: 0 });
    assert.deepEqual(await namesIn(world.vault), names);
    const [record] = await listSalvages(world.vault, PLAN);
    const seal = await openSalvageSeal(world.vault, record!, keys);
    for await (const { streamId, events } of readSalvagedStreams(world.vault, record!, seal))
      assert.deepEqual([streamId, events], ['secret-stream', 2]);
  });

  it('is sealed anew for others as backups are', async () => {
    const [one, two] = [makePerson('one'), makePerson('two')];
    const world = await open({ both: run('s', 0, 1), old: run('s', 1, 2) });
    await carryOut(world, false, keysOf(makeRing([one], [one])));
    const report = await rewrapKeys({
      ...{ vault: world.vault, keys: keysOf(makeRing([one], [one])), add: makeRing([two]), drop: [one.name] },
      ...{ createdAt: '2026-11-29T00:00:00Z', software: 'test', apply: true, removeSuperseded: false },
    });
    assert.deepEqual([report.keys, report.steps.length], [1, 1]);
    const again = await carryOut(world, true, keysOf(makeRing([two], [two])));
    assert.deepEqual(
      [again.events, again.merged, again.object],
      [2, 2, `disaster/runs/${PLAN}/salvage-1.jsonl.sealed`],
    );
  });

  it('is refused to who has nobody to seal for, and nothing is written', async () => {
    const world = await open({ both: run('s', 0, 1), old: run('s', 1, 2) });
    await writeObject(
      world.vault,
      'backups/full-backup-1.eventcore/heads.jsonl.zst.sealed',
      Buffer.from('x'),
    );
    await assert.rejects(carryOut(world), (error) => isBackupError(error, 'seal_required'));
    assert.equal((await namesIn(world.vault)).length, 1);
  });
});

describe('salvage by two at once', () => {
  it('gives both the same, and merges every event once', async () => {
    const both = [...run('s', 0, 2), ...run('t', 0, 1)];
    const lost = [...run('s', 2, 3), ...run('t', 1, 2)];
    const world = await open({ both, old: lost });
    const [one, two] = await Promise.all([carryOut(world), carryOut(world)]);
    assert.deepEqual([one.events, two.events], [5, 5]);
    const merged = await Promise.allSettled([carryOut(world, true), carryOut(world, true)]);
    assert.ok(merged.some(({ status }) => status === 'fulfilled'));
    const last = await carryOut(world, true);
    assert.deepEqual([last.events, last.merged, (await world.fresh.count()).events], [5, 5, 8]);
    for (const { events, contentDigest } of await listSalvages(world.vault, PLAN))
      assert.deepEqual(
        [events, contentDigest],
        [5, (await listSalvages(world.vault, PLAN))[0]!.contentDigest],
      );
  });
});

describe('salvage into a vault that fails', () => {
  for (const [kind, keys] of [
    ['plain', PLAIN],
    ['sealed', keysOf(makeOpenRing())],
  ] as const) {
    it(`finds the same in the end, whichever call failed before, and merges nothing unwritten (${kind})`, async () => {
      const { signal } = new AbortController();
      const [both, lost] = [run('s', 0, 2), [...run('s', 2, 3), ...run('t', 0, 3)]];
      const [old, fresh, vault] = [memoryStore(), memoryStore(), memoryVault()];
      await fill(old, [...both, ...lost]);
      await fill(fresh, both);
      const ports = { old, fresh, keys, clock: testClock, software: 'test', lookup: lookupIn };
      for (let failAt = 1; ; failAt += 1) {
        const faulty = faultyVault(vault, { failAt });
        try {
          const report = await salvage(
            { ...ports, vault: faulty.vault },
            { planId: PLAN, merge: true, recovery: RECOVERY, signal },
          );
          assert.deepEqual([report.events, report.merged], [6, 6]);
          if (faulty.calls() < failAt) break;
        } catch (error) {
          assert.ok(isBackupError(error, 'vault_unreachable'), String(error));
        }
        const isMerged = (await fresh.count()).events === both.length + lost.length;
        assert.ok(!isMerged || (await listSalvages(vault, PLAN)).length === 1);
      }
      assert.equal((await listSalvages(vault, PLAN)).length, 1);
      assert.deepEqual(await readAll(fresh), await readAll(old));
    });
  }
});
