import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { type Likeness, planPutBack, type TouchedRow } from '../../src/core/put-back.ts';

/** Events are told by their number; a row has one of them as its id, or a stranger's, and stands in the place of one, or elsewhere. */
interface Row {
  readonly id: number | null;
  readonly place: number | null;
  readonly content: 'right' | 'wrong' | 'other time';
}

function touched(rows: readonly Row[]): TouchedRow<number>[] {
  return rows.map(({ id, place, content }, key) => {
    const likeness: Likeness = content === 'right' ? 'all' : content === 'wrong' ? 'none' : 'content';
    const isEqual = id !== null && id === place && content === 'right';
    return { key, byId: id, byPlace: place, isEqual, likeness };
  });
}

const EVENTS = 5;
const number = fc.option(fc.nat({ max: EVENTS - 1 }));
const row = fc.record<Row>({
  id: number,
  place: number,
  content: fc.constantFrom('right', 'wrong', 'other time'),
});
const table = fc.array(row, { maxLength: 12 });

it('carried out, a plan leaves each event once in its place or nowhere, and every other row as it was', () => {
  fc.assert(
    fc.property(table, (rows) => {
      const { changes, removals, diverged, absent } = planPutBack(EVENTS, touched(rows));
      const removed = new Set(removals.map(({ key }) => key));
      const changed = new Map(changes.map(({ key, event }) => [key, event]));
      assert.ok([...changed.keys()].every((key) => !removed.has(key)));
      const after = rows
        .map((one, key): Row => {
          const event = changed.get(key);
          return event === undefined ? one : { id: event, place: event, content: 'right' };
        })
        .filter((_, key) => !removed.has(key));
      for (let event = 0; event < EVENTS; event += 1) {
        if (diverged.includes(event)) continue;
        const own = after.filter(({ id }) => id === event);
        assert.equal(own.length, absent.includes(event) ? 0 : 1);
        assert.ok(own.every((one) => one.place === event && one.content === 'right'));
      }
      // A row that has the id of no event and stands in the place of none is nobody's.
      assert.ok(
        rows.every(
          ({ id, place }, key) => id !== null || place !== null || !(removed.has(key) || changed.has(key)),
        ),
      );
    }),
  );
});

it('a stranger with other content is never changed or removed, and nothing is put in its place', () => {
  fc.assert(
    fc.property(table, (rows) => {
      const plan = planPutBack(EVENTS, touched(rows));
      const touchedKeys = new Set([...plan.changes, ...plan.removals].map(({ key }) => key));
      for (const [key, { id, place, content }] of rows.entries()) {
        if (id !== null || place === null || content !== 'wrong') continue;
        assert.ok(!touchedKeys.has(key));
        assert.ok(plan.diverged.includes(place));
        assert.ok(plan.changes.every(({ event }) => event !== place));
      }
    }),
  );
});

it('a second plan, of what the first one left, has nothing to do', () => {
  fc.assert(
    fc.property(table, (rows) => {
      const first = planPutBack(EVENTS, touched(rows));
      const removed = new Set(first.removals.map(({ key }) => key));
      const changed = new Map(first.changes.map(({ key, event }) => [key, event]));
      const left = rows
        .map((one, key): Row => {
          const event = changed.get(key);
          return event === undefined ? one : { id: event, place: event, content: 'right' };
        })
        .filter((_, key) => !removed.has(key));
      const again = planPutBack(EVENTS, touched(left));
      const settled = (event: number): boolean => !again.diverged.includes(event);
      assert.deepEqual(
        again.changes.filter(({ event, isEqual }) => settled(event) && !isEqual),
        [],
      );
      assert.deepEqual(again.removals, []);
    }),
  );
});
