import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  atWork,
  canBeTakenUp,
  type FoundAttempt,
  findAttempts,
  isOfStore,
  planRest,
  whyNotTakenUp,
} from '../../src/backup/attempts.ts';
import type { StoreCursor } from '../../src/core/event-store.ts';
import type { WriterState, Writers } from '../../src/core/writers.ts';
import { type Attempt, attemptName, decodeAttempt, encodeAttempt } from '../../src/format/attempt-codec.ts';
import { bundleFolder, eventFileName, indexFileName } from '../../src/format/bundle.ts';
import { writeObject } from '../../src/format/data-file-writer.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';

const ID = '912dd880-2d2d-4df5-957f-dae97b09cb36';
const CURSOR: StoreCursor = {
  ...{ kind: 'postgres', systemIdentifier: '7', timeline: 1, database: '5', relation: '16384' },
  ...{ filenode: '16384', snapshot: '866:868:866' },
};

function attempt(number: number, change: Partial<Attempt> = {}): Attempt {
  return {
    ...{ attemptVersion: 1, backupId: ID, number, startedAt: '2026-11-24T04:05:06.000Z', writer: 'other' },
    ...{ format: 'columns', compression: 'zstd', level: null, cursor: CURSOR },
    reads: [0, 1, 2, 3].map((part) => ({ part, file: part + 1, spec: `part ${part}` })),
    ...change,
  };
}

function found(runs: FoundAttempt['runs']): FoundAttempt {
  return { folder: bundleFolder('full', ID), backupId: ID, runs, names: new Set() };
}

function writers(state: WriterState): Writers {
  return { self: 'self', stateOf: () => state };
}

const wanted = { format: 'columns', compression: 'zstd', level: null, isNamed: false } as const;
const filesOf = ({ format, compression }: Attempt, ...files: number[]): string[] =>
  files.flatMap((file) => {
    const name = eventFileName(file, format, { compression, isSealed: false });
    return [name, indexFileName(name)];
  });

describe('the word that an attempt leaves of itself', () => {
  it('is read as it was written', () => {
    assert.deepEqual(decodeAttempt(encodeAttempt(attempt(1))), attempt(1));
  });

  it('counts for nothing when a byte of it is another', () => {
    const bytes = encodeAttempt(attempt(1));
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      assert.equal(decodeAttempt(changed), null, `byte ${at}`);
    }
    assert.equal(decodeAttempt(bytes.subarray(0, -1)), null);
  });

  // Found by the fuzzer: all of these have their checksum.
  it('counts for nothing when it does not say what an attempt says', () => {
    const odd: Record<string, unknown>[] = [
      ...[{ cursor: undefined }, { cursor: null }, { cursor: {} }, { reads: 'all' }, { reads: [null] }],
      ...[{ reads: [{ part: 0, file: -1, spec: '' }] }, { writer: 7 }, { format: 'rows' }, { level: '1' }],
    ];
    for (const change of odd) {
      assert.equal(decodeAttempt(encodeAttempt(attempt(1, change))), null, JSON.stringify(change));
    }
    const deep = `{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`;
    assert.equal(decodeAttempt(Buffer.from(deep)), null);
  });

  it('counts for nothing when a later version wrote it', () => {
    const later = { ...attempt(1), attemptVersion: 2 } as unknown as Attempt;
    assert.equal(decodeAttempt(encodeAttempt(later)), null);
  });
});

describe('an attempt is taken up', () => {
  const reason = (runs: FoundAttempt['runs'], state: WriterState, isNamed = false) =>
    whyNotTakenUp(found(runs), { ...wanted, isNamed }, writers(state));

  it('when its last writer is dead', () => {
    assert.equal(reason([attempt(1)], 'dead'), null);
  });

  it('never when it is being written, not even when it is named', () => {
    assert.match(reason([attempt(1)], 'alive', true)!, /is being written/);
  });

  it('from another machine only when it is named', () => {
    assert.match(reason([attempt(1)], 'unknown')!, /only another machine/);
    assert.equal(reason([attempt(1)], 'unknown', true), null);
  });

  it('when this process wrote it and does not any more', () => {
    const own = [attempt(1), attempt(2, { writer: 'self' })] as const;
    assert.equal(reason(own, 'alive'), null);
    atWork.add(ID);
    assert.match(reason(own, 'alive')!, /is being written/);
    atWork.delete(ID);
  });

  it('only in the format, with the compression and at the level that it was begun with', () => {
    assert.match(reason([attempt(1, { format: 'jsonl' })], 'dead')!, /its format is jsonl, not columns/);
    assert.match(reason([attempt(1, { compression: 'gzip' })], 'dead')!, /its compression is gzip/);
    assert.match(reason([attempt(1, { level: 19 })], 'dead')!, /its level is 19, not the default/);
  });

  it('only when all that it says of itself can be read', () => {
    assert.match(reason(null, 'dead')!, /is damaged/);
  });

  it('only of the same store, as far as that is known', () => {
    assert.ok(isOfStore(CURSOR, { ...CURSOR, snapshot: '900:900:', filenode: '1' }));
    for (const field of ['systemIdentifier', 'database', 'relation']) {
      assert.ok(!isOfStore(CURSOR, { ...CURSOR, [field]: '99' }), field);
      assert.ok(!isOfStore({ ...CURSOR, [field]: null }, { ...CURSOR, [field]: null }), field);
    }
    assert.ok(!canBeTakenUp({ ...CURSOR, snapshot: null }));
  });
});

describe('what is left to read', () => {
  it('is each part whose file or chunk table is not there, into files with new numbers', () => {
    const run = attempt(1);
    const names = new Set([...filesOf(run, 1, 3), filesOf(run, 2)[0]!, filesOf(run, 4)[1]!]);
    const { kept, missing, nextFile } = planRest([run], names);
    assert.deepEqual(
      kept.map(({ part, file }) => [part, file]),
      [
        [0, 1],
        [2, 3],
      ],
    );
    assert.deepEqual(
      missing.map(({ part, file, spec }) => [part, file, spec]),
      [
        [1, 5, 'part 1'],
        [3, 6, 'part 3'],
      ],
    );
    assert.equal(nextFile, 7);
  });

  it('is less after each run that took the attempt up, and each file belongs to the view of its run', () => {
    const first = attempt(1);
    const second = attempt(2, {
      cursor: { ...CURSOR, snapshot: '900:900:' },
      reads: [1, 3].map((part, i) => ({ part, file: 5 + i, spec: `part ${part}` })),
    });
    const { kept, missing } = planRest([first, second], new Set(filesOf(first, 1, 3, 6)));
    assert.deepEqual(
      kept.map(({ part, run }) => [part, run.number]),
      [
        [0, 1],
        [2, 1],
        [3, 2],
      ],
    );
    assert.deepEqual(missing, [{ part: 1, spec: 'part 1', file: 7 }]);
  });

  it('is also what a run read whose view can never be compared', () => {
    const run = attempt(1, { cursor: { ...CURSOR, snapshot: null } });
    assert.deepEqual(planRest([run], new Set(filesOf(run, 1, 2, 3, 4))).kept, []);
  });
});

describe('the attempts of a vault', () => {
  it('are folders of full backups without a manifest and with all their words, the newest first', async () => {
    const vault = memoryVault();
    const put = (folder: string, ...attempts: Attempt[]) =>
      Promise.all(
        attempts.map((one) => writeObject(vault, folder + attemptName(one.number), encodeAttempt(one))),
      );
    const idOf = (digit: number): string => ID.replace(/^./, String(digit));
    const of = (digit: number, number: number, startedAt: string): Attempt =>
      attempt(number, { backupId: idOf(digit), startedAt });
    await put(bundleFolder('full', idOf(1)), of(1, 1, '2026-01-01T00:00:00.000Z'));
    await put(bundleFolder('full', idOf(2)), of(2, 1, '2026-01-03T00:00:00.000Z'), of(2, 2, 'later'));
    await put(bundleFolder('full', idOf(3)), of(3, 2, '2026-01-04T00:00:00.000Z'));
    await put(bundleFolder('full', idOf(4)), of(4, 1, '2026-01-02T00:00:00.000Z'), of(4, 3, 'later'));
    await put(bundleFolder('full', idOf(5)), of(1, 1, '2026-01-01T00:00:00.000Z'));
    await put(bundleFolder('incremental', idOf(6)), of(6, 1, '2026-01-05T00:00:00.000Z'));
    await put(bundleFolder('full', idOf(7)), of(7, 1, '2026-01-06T00:00:00.000Z'));
    await writeObject(vault, `${bundleFolder('full', idOf(7))}manifest.json`, Buffer.from('{}'));
    const attempts = await findAttempts(vault);
    assert.deepEqual(
      attempts.map(({ backupId, runs }) => [backupId[0], runs?.length ?? null]),
      [
        ['2', 2],
        ['1', 1],
        ['4', null],
        ['5', null],
      ],
    );
  });
});
