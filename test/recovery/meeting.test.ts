import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  basePoint,
  belongsTo,
  isInBase,
  parseSnapshot,
  reachesBack,
  widenXid,
} from '../../src/recovery/meeting.ts';

const WHOLE = 1n << 32n;
const low = (xid: bigint): number => Number(BigInt.asUintN(32, xid));
const xids = fc.bigInt(3n, 1n << 50n);
/** Within what the server itself can tell apart. */
const distances = fc.bigInt(-(1n << 31n) + 1n, (1n << 31n) - 1n);

describe('the number of a transaction', () => {
  it('is found again from its low 32 bits, near the end of a snapshot', () => {
    fc.assert(
      fc.property(xids, distances, (xmax, distance) => {
        const xid = xmax + distance;
        fc.pre(xid >= 3n);
        assert.equal(widenXid(low(xid), xmax), xid);
      }),
    );
  });

  it('is found across the turn of the 32 bits, on both sides', () => {
    for (const [xid, xmax] of [
      [WHOLE - 1n, WHOLE + 5n],
      [WHOLE + 7n, WHOLE - 2n],
      [WHOLE, WHOLE],
      [3n * WHOLE - 10n, 3n * WHOLE + 1n],
      [3n, 900n],
    ] as const) {
      assert.equal(widenXid(low(xid), xmax), xid, `${xid} near ${xmax}`);
    }
  });
});

describe('whether a base holds a transaction', () => {
  it('is what the snapshot says of the whole number', () => {
    const snapshots = fc
      .tuple(xids, fc.uniqueArray(fc.bigInt(0n, 60n), { maxLength: 12 }), fc.bigInt(1n, 20n))
      .map(([begin, offsets, more]) => {
        const running = offsets.map((offset) => begin + offset).sort((a, b) => (a < b ? -1 : 1));
        const xmax = (running.at(-1) ?? begin) + more;
        return { xmin: running[0] ?? xmax, xmax, running };
      });
    fc.assert(
      fc.property(snapshots, fc.bigInt(-100n, 100n), ({ xmin, xmax, running }, distance) => {
        const xid = xmax + distance;
        fc.pre(xid >= 3n);
        const snapshot = parseSnapshot(`${xmin}:${xmax}:${running.join(',')}`)!;
        assert.equal(isInBase(snapshot, low(xid)), xid < xmax && !running.includes(xid));
      }),
    );
  });

  it('is told by the snapshot of a primary, and by position and heads of a standby', () => {
    const cursor = { kind: 'postgres', lsn: '1/10', snapshot: '100:105:100,103' } as const;
    const primary = basePoint({ ...cursor, role: 'primary' });
    assert.ok(typeof primary !== 'string');
    assert.equal(primary.position, WHOLE + 16n);
    assert.equal(belongsTo(primary, 100, 1n), 'log');
    assert.equal(belongsTo(primary, 101, 1n), 'base');
    assert.equal(belongsTo(primary, 105, 1n), 'log');
    const standby = basePoint({ ...cursor, role: 'standby' });
    assert.ok(typeof standby !== 'string');
    assert.equal(belongsTo(standby, 101, WHOLE + 15n), 'heads');
    assert.equal(belongsTo(standby, 101, WHOLE + 16n), 'log');
  });

  it('cannot be told of a backup without a position or a settled snapshot, and why is said', () => {
    for (const changes of [{ lsn: null }, { snapshot: null }, { snapshot: 'odd' }]) {
      const cursor = { kind: 'postgres', role: 'primary', lsn: '0/1', snapshot: '5:5:', ...changes } as const;
      assert.equal(typeof basePoint(cursor), 'string');
    }
    assert.equal(typeof basePoint({ kind: 'sqlite', maxRowid: null }), 'string');
    const odd = JSON.parse('{"toString":1,"valueOf":1}') as never;
    assert.equal(typeof basePoint({ kind: 'sqlite', maxRowid: odd }), 'string');
    assert.deepEqual(basePoint({ kind: 'sqlite', maxRowid: '7' }), {
      position: 8n,
      snapshot: null,
      oldestOpen: null,
    });
  });
});

describe('a log', () => {
  const base = basePoint({ kind: 'postgres', role: 'primary', lsn: '0/64', snapshot: '50:60:50' });
  assert.ok(typeof base !== 'string');

  it('reaches back to a base when all that had not ended then commits within it', () => {
    assert.ok(reachesBack(base, 10n, { position: 10n, xid: 50n }));
    assert.ok(!reachesBack(base, 11n, { position: 10n, xid: 50n }), 'it begins behind the horizon');
    assert.ok(
      !reachesBack(base, 10n, { position: 10n, xid: 51n }),
      'transaction 50 may have committed before it',
    );
    assert.ok(!reachesBack(base, 10n, null));
  });

  it('of rows reaches back when it begins with the next row', () => {
    const rows = basePoint({ kind: 'sqlite', maxRowid: '7' });
    assert.ok(typeof rows !== 'string');
    assert.ok(reachesBack(rows, 8n, null));
    assert.ok(!reachesBack(rows, 9n, null));
  });
});
