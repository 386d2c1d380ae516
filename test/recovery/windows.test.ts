import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { TransactionTable } from '../../src/core/change-feed.ts';
import type { CompanionRow } from '../../src/core/event-store.ts';
import { addBatch, makeStreamTable } from '../../src/core/stream-table.ts';
import { formatTime } from '../../src/core/time.ts';
import type { LogTimeline } from '../../src/format/log-catalog.ts';
import { factsOfTransactions } from '../../src/format/log-transactions.ts';
import { nearestPoints } from '../../src/recovery/point.ts';
import { formatPosition, parsePosition } from '../../src/recovery/position.ts';
import { isRemoved, isRemovedFromBase, noRemovals, noteRemoval } from '../../src/recovery/removals.ts';
import { isSnapshotAhead } from '../../src/recovery/snapshots.ts';
import { type Bound, firstBeyond, placeBlock } from '../../src/recovery/target.ts';
import { type BackupPoint, type CarriedSpan, listGaps, recoveryWindows } from '../../src/recovery/windows.ts';
import { makeBatch } from '../../src/testing/batches.ts';
import { MODEL_SOURCE } from '../harness/log-model.ts';

function timelineOf(
  spans: readonly (readonly [bigint, bigint])[],
  gaps: LogTimeline['gaps'] = [],
): LogTimeline {
  return {
    ...{
      folder: 'log/7000-1/',
      systemIdentifier: '7000',
      timeline: 1,
      covered: [],
      quiet: [],
      problems: [],
      gaps,
    },
    spans: spans.map(([from, to]) => ({ from, to, files: [] })),
  };
}

function carried(
  timeline: LogTimeline,
  place: number,
  since: bigint,
  until: bigint,
  base: BackupPoint,
): CarriedSpan {
  const span = timeline.spans[place]!;
  return { timeline, span, source: MODEL_SOURCE, since, until, base: { ...base, position: base.position! } };
}

const backup = (backupId: string, createdAt: bigint, position: bigint | null): BackupPoint => ({
  ...{ backupId, kind: 'postgres', createdAt, position },
});

describe('the windows of recovery', () => {
  it('begin with the oldest backup that a log carries on; a backup outside of them is a point', () => {
    const timeline = timelineOf([[10n, 100n]]);
    const [alone, oldest, inside] = [
      backup('a', 0n, 5n),
      backup('b', 5_000_000n, 20n),
      backup('c', 6_000_000n, 30n),
    ];
    const windows = recoveryWindows([alone, oldest, inside], [carried(timeline, 0, 1n, 9_000_000n, oldest)]);
    assert.deepEqual(windows, [
      {
        ...{ source: 'backup', from: '2000-01-01T00:00:00.000Z', to: '2000-01-01T00:00:00.000Z' },
        ...{ fromLsn: '0/5', toLsn: '0/5', backupId: 'a' },
      },
      {
        ...{ source: 'log', from: '2000-01-01T00:00:05.000000Z', to: '2000-01-01T00:00:09.000000Z' },
        ...{ fromLsn: '0/14', toLsn: '0/63', backupId: 'b' },
      },
    ]);
  });

  it('are parted by gaps, those that nobody marked too', () => {
    const noticedAt = '2026-01-01T00:00:00.000Z';
    const marked = { from: 100n, to: 120n, reason: 'slot_lost', message: 'the slot was lost', noticedAt };
    const timeline = timelineOf(
      [
        [10n, 100n],
        [120n, 200n],
        [210n, 300n],
      ],
      [marked],
    );
    const base = backup('b', 0n, 20n);
    assert.deepEqual(listGaps([timeline], [carried(timeline, 0, 1n, 7_000_000n, base)]), [
      {
        ...{ systemIdentifier: '7000', timeline: 1, fromLsn: '0/64', toLsn: '0/78' },
        ...{ from: '2000-01-01T00:00:07.000000Z', reason: 'slot_lost', message: 'the slot was lost' },
      },
      {
        ...{ systemIdentifier: '7000', timeline: 1, fromLsn: '0/C8', toLsn: '0/D2' },
        ...{
          from: '2000-01-01T00:00:07.000000Z',
          reason: 'files_missing',
          message: 'files of the log are missing',
        },
      },
    ]);
  });

  it('give the nearest points of any time: none between, and each within a window', () => {
    const windows = fc.array(fc.tuple(fc.bigInt(0n, 50n), fc.bigInt(0n, 20n)), { maxLength: 5 });
    fc.assert(
      fc.property(windows, fc.bigInt(0n, 80n), (spans, at) => {
        const listed = spans.map(([from, length]) => {
          const [begin, end] = [from * 1000n, (from + length) * 1000n];
          return { ...FIELDS, from: formatTime(begin, 3), to: formatTime(end) };
        });
        const { before, after } = nearestPoints({ kind: 'time', time: at * 1000n }, listed);
        const points = spans.flatMap(([from, length]) =>
          Array.from({ length: Number(length) + 1 }, (_, i) => from + BigInt(i)),
        );
        const below = points.filter((point) => point <= at).sort((a, b) => Number(b - a))[0];
        const above = spans
          .map(([from]) => from)
          .filter((point) => point > at)
          .sort((a, b) => Number(a - b))[0];
        const ms = (text: string | null): number | undefined =>
          text === null ? undefined : Date.parse(text);
        const shown = (point: bigint | undefined) =>
          point === undefined ? undefined : EPOCH_MS + Number(point);
        assert.equal(ms(before), shown(below));
        assert.equal(ms(after), shown(above));
      }),
    );
  });
});

const EPOCH_MS = Date.UTC(2000, 0, 1);
const FIELDS = { source: 'log', fromLsn: null, toLsn: null, backupId: 'x' } as const;

describe('the place of a block', () => {
  const tables = fc
    .array(fc.tuple(fc.bigInt(1n, 9n), fc.bigInt(-5n, 30n)), { minLength: 1, maxLength: 8 })
    .map((steps): TransactionTable => {
      let commit = 100n;
      const commits = steps.map(([step]) => (commit += step));
      return {
        count: steps.length,
        xids: new Uint32Array(steps.length),
        commits: BigUint64Array.from(commits),
        times: BigInt64Array.from(steps, ([, time]) => time),
        events: new Uint32Array(steps.length).fill(1),
      };
    });
  const bounds: fc.Arbitrary<Bound> = fc.oneof(
    fc.constant<Bound>({ kind: 'end' }),
    fc.bigInt(-6n, 31n).map((time): Bound => ({ kind: 'time', time })),
    fc.bigInt(95n, 180n).map((position): Bound => ({ kind: 'before', position })),
  );

  it('told from its header is what its transactions say', () => {
    fc.assert(
      fc.property(tables, bounds, (table, bound) => {
        const first = firstBeyond(bound, table);
        const place = placeBlock(bound, factsOfTransactions(table));
        if (place === 'within') assert.equal(first, -1);
        if (place === 'beyond') assert.equal(first, 0);
        for (let i = 0; i < table.count; i += 1) {
          const isBeyond =
            bound.kind === 'time'
              ? table.times[i]! > bound.time
              : bound.kind === 'before' && table.commits[i]! >= bound.position;
          if (first === -1 || i < first) assert.ok(!isBeyond);
          if (i === first) assert.ok(isBeyond);
        }
      }),
    );
  });
});

describe('a position as text', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, (1n << 64n) - 1n), (position) => {
        assert.equal(parsePosition(formatPosition(position, 'postgres')), position);
        assert.equal(parsePosition(formatPosition(position, 'sqlite')), position);
      }),
    );
    for (const text of ['', '0/', 'x', '-1', '1/123456789', '18446744073709551616'])
      assert.equal(parsePosition(text), null, text);
  });
});

describe('removed events', () => {
  it('are those that a store would not have any more, whatever was done to it', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('write' as const), id: fc.nat(5) }),
        fc.record({ kind: fc.constant('remove' as const), id: fc.nat(5) }),
        fc.record({ kind: fc.constant('empty' as const), id: fc.nat(5) }),
      ),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(steps, (done) => {
        // What a store holds: the number of each event, −1 being those of the base.
        const store = new Map<string, number>([0, 1, 2].map((id) => [String(id), -1]));
        const log: string[] = [];
        const removed = noRemovals();
        for (const { kind, id } of done) {
          if (kind === 'write' && !store.has(String(id))) {
            store.set(String(id), log.length);
            log.push(String(id));
          } else if (kind === 'remove' && store.delete(String(id))) {
            noteRemoval(removed, { eventId: String(id) }, log.length);
          } else if (kind === 'empty') {
            store.clear();
            noteRemoval(removed, { eventId: null }, log.length);
          }
        }
        const left = new Map<string, number>();
        for (const id of ['0', '1', '2']) if (!isRemovedFromBase(removed, id)) left.set(id, -1);
        log.forEach((id, number) => {
          if (!isRemoved(removed, id, number)) left.set(id, number);
        });
        assert.deepEqual(left, store);
      }),
    );
  });

  it('are refused when they are more than can be known', () => {
    const removed = noRemovals();
    for (const id of ['a', 'b']) noteRemoval(removed, { eventId: id }, 0, 2);
    assert.throws(() => noteRemoval(removed, { eventId: 'c' }, 0, 2), /more than 2 events were removed/);
  });
});

describe('a command snapshot', () => {
  const table = makeStreamTable();
  addBatch(table, makeBatch([1, 2, 3].map((version) => ({ streamId: 'order-1', version }))));
  const row = (versions: string | null): CompanionRow => ({
    table: 'eventcore_command_state_snapshots',
    role: 'snapshots',
    values: { snapshot_id: 'x', stream_versions: versions },
  });

  it('is ahead when one of its streams is further than what was restored', () => {
    assert.ok(!isSnapshotAhead(row('{"order-1": 3}'), table));
    assert.ok(isSnapshotAhead(row('{"order-1": 4}'), table));
    assert.ok(isSnapshotAhead(row('{"order-1": 1, "order-2": 1}'), table), 'a stream that is not there');
    assert.ok(!isSnapshotAhead({ ...row('{"order-1": 4}'), role: 'checkpoints' }, table));
  });

  it('that does not say how far it is stays', () => {
    const odd = '{"order-1": {"toString": 1, "valueOf": 1}}';
    for (const versions of [null, 'no json', '7', '{}', odd])
      assert.ok(!isSnapshotAhead(row(versions), table));
  });
});
