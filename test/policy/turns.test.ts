import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  CAPS_OF_FEW,
  capsOfFleet,
  decideTurns,
  type RunningTurn,
  type TurnCaps,
  type WaitingTurn,
} from '../../src/policy/turns.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const CAPS = capsOfFleet(8, 2, 8);

function turn(id: string, more: Partial<WaitingTurn> = {}): WaitingTurn {
  return {
    ...{ id, lane: 'backup', server: null, vault: 'v', cause: 'due', wantedAtMs: 0, periodMs: HOUR },
    ...{ expectedMs: 1000, sinceMs: 0, ...more },
  };
}

function begins(
  waiting: readonly WaitingTurn[],
  running: readonly RunningTurn[] = [],
  caps: TurnCaps = CAPS,
) {
  return decideTurns({ waiting, running, caps }, HOUR).begin;
}

function many(count: number, more: Partial<WaitingTurn> = {}, name = 'x'): WaitingTurn[] {
  return Array.from({ length: count }, (_, i) => turn(`${name}${i}`, more));
}

describe('turns', () => {
  it('let backups wait for no other kind of job, and none of these for backups', () => {
    assert.deepEqual(CAPS.lanes, { backup: 5, upkeep: 1, proof: 1, check: 1 });
    assert.deepEqual(begins([turn('verify', { lane: 'proof' })], many(5)), ['verify']);
    assert.deepEqual(begins([turn('backup')], many(3, { lane: 'proof' })), ['backup']);
    assert.equal(begins(many(9, {}, 'y'), many(3)).length, 2);
    assert.deepEqual(begins([turn('b')], [turn('a')], CAPS_OF_FEW), []);
  });

  it('go to who is latest by its own measure, to who was asked for first of all, and to what failed last of all', () => {
    const waiting = [
      turn('weekly', { wantedAtMs: 0, periodMs: 168 * HOUR }),
      turn('hourly', { wantedAtMs: 30 * MINUTE }),
      turn('failed', { cause: 'retry' }),
      turn('asked', { cause: 'asked', wantedAtMs: HOUR }),
      turn('new', { cause: 'first', wantedAtMs: HOUR }),
    ];
    assert.deepEqual(begins(waiting), ['asked', 'new', 'hourly', 'weekly', 'failed']);
  });

  it('keep a place for short jobs: big stores, and those that nobody knows, do not take all', () => {
    const big = many(9, { expectedMs: 5 * HOUR }, 'big');
    assert.equal(begins(big).length, 4);
    assert.equal(begins(many(9, { expectedMs: null })).length, 4);
    assert.deepEqual(begins([...big, turn('small', { wantedAtMs: HOUR })], big.slice(0, 4)), ['small']);
    assert.match(
      decideTurns({ waiting: big, running: big, caps: CAPS }, HOUR).waits.get('big0')!,
      /all 5 places/,
    );
  });

  it('give one of five places to what failed before, though the others are free', () => {
    assert.equal(begins(many(9, { cause: 'retry' })).length, 1);
  });

  it('spare servers and vaults, and say why', () => {
    const server = 'db.example.com:5432';
    assert.equal(begins(many(5, { server })).length, 2);
    assert.equal(
      begins(many(5, { server, lane: 'proof' }), [], { ...CAPS, lanes: { ...CAPS.lanes, proof: 4 } }).length,
      4,
    );
    const full = { ...CAPS, perVault: 3 };
    assert.equal(begins(many(5), [], full).length, 3);
    assert.deepEqual(begins([turn('look', { lane: 'check' })], many(3), full), ['look']);
    const { waits } = decideTurns(
      { waiting: [turn('late', { server })], running: many(2, { server }), caps: CAPS },
      0,
    );
    assert.equal(waits.get('late'), 'it waits for its turn: 2 backups read db.example.com:5432');
  });

  it('keep a place in a vault for who waits for its server for long: else whoever needs both might never have both', () => {
    const caps = { ...CAPS, perVault: 2 };
    const running = [turn('a', { server: 's', vault: 'other' }), turn('b', { server: 's', vault: 'other' })];
    const waiting = [turn('both', { server: 's', wantedAtMs: 0 }), ...many(3, { wantedAtMs: 50 * MINUTE })];
    assert.deepEqual(decideTurns({ waiting, running, caps }, 9 * MINUTE).begin, ['x0', 'x1']);
    assert.deepEqual(begins(waiting, running, caps), ['x0']);
    // However many wait for a server that is full, of a vault it is one place.
    const crowd = many(9, { server: 's' }, 'late');
    assert.equal(
      begins([...crowd, ...many(9, { wantedAtMs: HOUR })], running, { ...CAPS, perVault: 4 }).length,
      3,
    );
  });

  it('never exceed a cap, and leave no place empty that somebody who waits could take', () => {
    const lane = fc.constantFrom('backup', 'upkeep', 'proof', 'check' as const);
    const one = fc.record({
      ...{ lane, server: fc.constantFrom(null, 's', 't'), vault: fc.constantFrom('v', 'w') },
      cause: fc.constantFrom('due', 'first', 'asked', 'retry', 'taken_up'),
      ...{
        wantedAtMs: fc.integer({ min: 0, max: HOUR }),
        periodMs: fc.option(fc.integer({ min: MINUTE, max: 200 * HOUR })),
      },
      ...{
        expectedMs: fc.option(fc.integer({ min: 0, max: 2 * HOUR })),
        sinceMs: fc.integer({ min: 55 * MINUTE, max: HOUR }),
      },
    }) as fc.Arbitrary<Omit<WaitingTurn, 'id'>>;
    fc.assert(
      fc.property(
        fc.array(one, { maxLength: 60 }),
        fc.integer({ min: 4, max: 40 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 9 }),
        (turns, all, perServer, perVault) => {
          const caps = capsOfFleet(all, perServer, perVault);
          const waiting = turns.map((rest, i) => ({ ...rest, id: String(i) }));
          const { begin, waits } = decideTurns({ waiting, running: [], caps }, HOUR);
          assert.equal(begin.length + waits.size, waiting.length);
          const begun = waiting.filter(({ id }) => begin.includes(id));
          assert.ok(begun.length <= all);
          for (const [name, places] of Object.entries(caps.lanes))
            assert.ok(begun.filter((b) => b.lane === name).length <= places);
          for (const server of ['s', 't'])
            assert.ok(begun.filter((b) => b.lane === 'backup' && b.server === server).length <= perServer);
          for (const vault of ['v', 'w'])
            assert.ok(begun.filter((b) => b.lane !== 'check' && b.vault === vault).length <= perVault);
          assert.deepEqual(
            decideTurns({ waiting: waiting.filter(({ id }) => waits.has(id)), running: begun, caps }, HOUR)
              .begin,
            [],
          );
        },
      ),
    );
  });
});
