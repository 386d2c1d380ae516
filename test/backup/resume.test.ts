import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { takeFullBackup } from '../../src/backup/full.ts';
import { isBackupError } from '../../src/core/errors.ts';
import type { EventStore, StoreRange, StoreSnapshot } from '../../src/core/event-store.ts';
import type { Vault } from '../../src/core/vault.ts';
import type { Writers } from '../../src/core/writers.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { searchStreams } from '../../src/format/chain-events.ts';
import { verifyBackup } from '../../src/integrity/verify/backup.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { batchRows, makeBatch, type TestEvent } from '../../src/testing/batches.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { faultyVault } from '../harness/faulty-vault.ts';
import { backupDefaults, objectNames, testClock } from '../harness/memory-backup.ts';

const PARTS = 4;

/** A store that numbers its transactions: events lie in part `n % 4`, and a view sees the first so many. */
interface NumberedStore {
  readonly store: EventStore;
  readonly add: (count: number) => void;
  readonly change: (number: number, data: string) => void;
  readonly remove: (number: number) => void;
  readonly names: () => string[];
}

interface Row {
  readonly number: number;
  readonly event: TestEvent;
}

function numberedStore(inPasses = false): NumberedStore {
  let rows: readonly Row[] = [];
  let next = 0;
  const add = (count: number): void => {
    const added = Array.from({ length: count }, (): Row => {
      const number = next;
      next += 1;
      return {
        number,
        event: {
          streamId: `stream-${number % 7}`,
          version: Math.floor(number / 7) + 1,
          id: testClock.uuid(),
        },
      };
    });
    rows = [...rows, ...added];
  };
  const store: EventStore = {
    ...memoryStore(),
    inspect: async () => ({
      ...{ kind: 'postgres', layout: 'eventcore', versionBase: 1, serverVersion: '1', state: 'filled' },
    }),
    openSnapshot: async () => ({ ...viewOf(rows, next), ...(inPasses ? passesOver(rows) : {}) }),
  };
  return {
    store,
    add,
    change: (number, data) => {
      const row = rows.find((one) => one.number === number)!;
      // As in PostgreSQL: the new row has a new number, and lies where its part is.
      rows = [
        ...rows.filter((one) => one !== row),
        { number: next - (next % PARTS) + PARTS + (number % PARTS), event: { ...row.event, data } },
      ];
      next += 2 * PARTS;
    },
    remove: (number) => {
      rows = rows.filter((one) => one.number !== number);
    },
    names: () => rows.map(({ event }) => nameOf(event)).sort(),
  };
}

function viewOf(rows: readonly Row[], seen: number): StoreSnapshot {
  const cursor = {
    kind: 'postgres',
    systemIdentifier: '1',
    database: '2',
    relation: '3',
    snapshot: `${seen}`,
  } as const;
  return {
    token: null,
    servesJoined: false,
    cursor,
    showsRewritten: true,
    settledCursor: async () => cursor,
    planChanges: async () => 'not needed here',
    planChangesIn: async ({ snapshot }, ranges) =>
      ranges.map(({ spec }, index) => ({ index, spec: `${spec} ${snapshot}` })),
    planTails: async () => [],
    planBlocks: async () => ({ blocks: 1, range: () => ({ index: 0, spec: '0' }) }),
    countEvents: async () => rows.length,
    readSummaries: async function* () {},
    estimate: async () => ({ events: null, bytes: null }),
    planRanges: async () => Array.from({ length: PARTS }, (_, index) => ({ index, spec: `${index}` })),
    readRange: async function* ({ spec }: StoreRange) {
      const own = rowsOf(rows, spec);
      if (own.length > 0) yield makeBatch(own);
    },
    readCompanions: async function* () {},
    close: async () => {},
  };
}

/** Two that the earlier view saw come along with what is new, as from transactions that were open then. */
function rowsOf(rows: readonly Row[], spec: string): TestEvent[] {
  const [part, since = 0] = spec.split(' ').map(Number);
  const own = rows.filter(({ number }) => number % PARTS === part && number >= since - 2 * PARTS);
  return own.map(({ event }) => event);
}

/** A store that has its parts read several at once, some events at a time. */
function passesOver(rows: readonly Row[]): Required<Pick<StoreSnapshot, 'planPasses' | 'readPass'>> {
  return {
    planPasses: async (ranges, parallel) => {
      const half = Math.ceil(ranges.length / 2);
      return parallel === 1 ? [[...ranges]] : [ranges.slice(0, half), ranges.slice(half)];
    },
    readPass: async function* (ranges) {
      for (const [place, { spec }] of ranges.entries()) {
        const own = rowsOf(rows, spec);
        for (let i = 0; i < own.length; i += 4) yield { place, batch: makeBatch(own.slice(i, i + 4)) };
      }
    },
  };
}

function nameOf({ streamId, version, data = '{}' }: TestEvent): string {
  return `${String(streamId)} ${version} ${String(data)}`;
}

const dead: Writers = { self: 'new run', stateOf: () => 'dead' };

function backUp(store: EventStore, vault: Vault, self: string, resume?: string | false) {
  return takeFullBackup(
    {
      ...{ store, vault, clock: testClock, writers: { ...dead, self } },
      verify: (backup) => verifyBackup({ vault, clock: testClock }, backup, { quick: false, parallel: 1 }),
    },
    { ...backupDefaults, chunkBytes: 300, ...(resume === undefined ? {} : { resume }) },
  );
}

async function namesInBackup(vault: Vault): Promise<string[]> {
  const { backups } = await readCatalog(vault);
  const names: string[] = [];
  await searchStreams(vault, [backups.at(-1)!], {
    names: () => 'all',
    take: (batch) => {
      names.push(...batchRows(batch).map(nameOf));
    },
  });
  return names.sort();
}

async function callsOfBackup(inPasses = false): Promise<number> {
  const { store, add } = numberedStore(inPasses);
  add(60);
  const counting = faultyVault(memoryVault(), {});
  await backUp(store, counting.vault, 'counting');
  return counting.calls();
}

for (const inPasses of [false, true]) {
  const how = inPasses ? 'that reads several parts in one pass' : 'that reads part by part';
  describe(`a backup ${how} and dies at any call of the vault`, () => {
    it('is followed by one that holds each event once, whether it was taken up or begun anew', async () => {
      const calls = await callsOfBackup(inPasses);
      assert.ok(calls > 40);
      let takenUp = 0;
      for (let failAt = 1; failAt <= calls; failAt += 1) {
        const { store, add, names } = numberedStore(inPasses);
        add(60);
        const vault = memoryVault();
        await assert.rejects(backUp(store, faultyVault(vault, { failAt, forGood: true }).vault, 'dead run'));
        add(21);
        const { resumed, manifest } = await backUp(store, vault, 'new run');
        if (resumed !== null) takenUp += 1;
        assert.deepEqual(await namesInBackup(vault), names(), `call ${failAt}`);
        assert.equal(manifest.totalEvents, 81);
        const own = (await objectNames(vault)).filter((name) => name.includes(manifest.backupId));
        assert.ok(!own.some((name) => name.includes('attempt-')), own.join(' '));
      }
      assert.ok(takenUp > 20, `${takenUp} of ${calls} were taken up`);
    });

    it('loses nothing either when the run that takes it up dies at any call', async () => {
      const died = await callsOfBackup(inPasses);
      let thrice = 0;
      for (const firstAt of [Math.floor(died * 0.5), Math.floor(died * 0.9)]) {
        for (let failAt = firstAt % 2; ; failAt += 2) {
          const { store, add, names } = numberedStore(inPasses);
          add(60);
          const vault = memoryVault();
          await assert.rejects(
            backUp(store, faultyVault(vault, { failAt: firstAt, forGood: true }).vault, 'one'),
          );
          add(21);
          const second = backUp(store, faultyVault(vault, { failAt, forGood: true }).vault, 'two');
          const isDone = await second.then(
            () => true,
            () => false,
          );
          if (isDone) break;
          add(10);
          const { resumed } = await backUp(store, vault, 'three');
          if (resumed !== null) thrice += 1;
          assert.deepEqual(await namesInBackup(vault), names(), `calls ${firstAt} and ${failAt}`);
        }
      }
      assert.ok(thrice > 20, `${thrice} were taken up after a second death`);
    });
  });
}

describe('an attempt whose store was changed', () => {
  const cases: readonly (readonly [string, (store: NumberedStore) => void, RegExp])[] = [
    ['a kept event was changed', ({ change }) => change(0, '{"changed":1}'), /otherwise in the store now/],
    ['a kept event was removed', ({ remove }) => remove(0), /were changed or removed/],
  ];
  for (const [what, make, reason] of cases) {
    it(`is thrown away where ${what}`, async () => {
      const numbered = numberedStore();
      numbered.add(60);
      const vault = memoryVault();
      const failAt = Math.floor((await callsOfBackup()) * 0.6);
      await assert.rejects(
        backUp(numbered.store, faultyVault(vault, { failAt, forGood: true }).vault, 'dead run'),
      );
      make(numbered);
      const { resumed, notes } = await backUp(numbered.store, vault, 'new run');
      assert.equal(resumed, null);
      assert.match(notes.join('\n'), reason);
      assert.deepEqual(await namesInBackup(vault), numbered.names());
      assert.deepEqual((await readCatalog(vault)).unfinished, []);
    });
  }
});

describe('parts that are read in one pass', () => {
  it('have an event file each, with the events of their own; one without events has none', async () => {
    const { store, add, remove } = numberedStore(true);
    add(60);
    for (let number = 1; number < 60; number += PARTS) remove(number);
    const vault = memoryVault();
    const { manifest } = await backUp(store, vault, 'run');
    const files = manifest.files.filter(({ role }) => role === 'events');
    assert.deepEqual(
      files.map(({ name, records }) => [name.slice(0, 12), records]),
      [1, 3, 4].map((number) => [`events-${String(number).padStart(5, '0')}`, 15]),
    );
    assert.equal(manifest.totalEvents, 45);
  });
});

describe('a run that is named', () => {
  it('is taken up, and an error when it cannot be', async () => {
    const { store, add } = numberedStore();
    add(60);
    const vault = memoryVault();
    const failAt = Math.floor((await callsOfBackup()) * 0.6);
    await assert.rejects(backUp(store, faultyVault(vault, { failAt, forGood: true }).vault, 'dead run'));
    const { backupId } = (await readCatalog(vault)).unfinished[0]!;
    await assert.rejects(backUp(store, vault, 'new run', 'ffff'), (error) =>
      isBackupError(error, 'backup_not_found'),
    );
    assert.equal((await backUp(store, vault, 'new run', false)).resumed, null);
    const { resumed, manifest } = await backUp(store, vault, 'new run', backupId.slice(0, 8));
    assert.equal(manifest.backupId, backupId);
    assert.ok(resumed !== null && resumed.filesKept > 0);
  });
});
