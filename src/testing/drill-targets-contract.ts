import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { DrillTargets } from '../core/drill-target.ts';

export interface DrillTargetsFixture {
  /** Other ones in the same place. */
  readonly open: () => DrillTargets;
  /** The same, made by a process that has died since. */
  readonly openAsDead: () => DrillTargets;
  /** All that is there of drills, by name. */
  readonly list: () => Promise<readonly string[]>;
  readonly dispose: () => Promise<void>;
}

/** What every place that drills restore to promises. */
export function describeDrillTargets(name: string, make: () => Promise<DrillTargetsFixture>): void {
  describe(`${name} as a place for drills`, () => {
    let fixture: DrillTargetsFixture;
    before(async () => {
      fixture = await make();
    });
    after(() => fixture.dispose());

    it('gives empty stores that know nothing of each other, and nothing is left of them', async () => {
      const targets = fixture.open();
      const [one, other] = [await targets.create(), await targets.create()];
      await one.store.initialise();
      await one.store.append([{ streamId: 'a', events: [{ type: 'Noted', data: '{}' }] }]);
      assert.equal((await one.store.count()).events, 1);
      assert.equal((await other.store.inspect()).state, 'missing');
      await one.remove();
      await one.remove();
      await targets.close();
      await targets.close();
      assert.deepEqual(await fixture.list(), []);
    });

    it('leaves alone what a drill at work has, and removes what a dead one left', async () => {
      const [living, dead, sweeper] = [fixture.open(), fixture.openAsDead(), fixture.open()];
      const target = await living.create();
      await dead.create();
      assert.equal((await fixture.list()).length, 2);
      const removed = await sweeper.removeLeftovers();
      assert.equal(removed.length, 1);
      assert.deepEqual(await sweeper.removeLeftovers(), []);
      await target.store.initialise();
      for (const targets of [living, sweeper]) await targets.close();
      assert.deepEqual(await fixture.list(), []);
    });

    it('keeps what is to be looked at, from every sweep', async () => {
      const targets = fixture.open();
      const target = await targets.create();
      await target.store.initialise();
      const where = await target.keep();
      assert.ok(where.length > 0);
      await target.remove();
      await targets.close();
      const sweeper = fixture.open();
      assert.deepEqual(await sweeper.removeLeftovers(), []);
      await sweeper.close();
      const kept = await fixture.list();
      assert.equal(kept.length, 1);
      assert.match(kept[0]!, /kept/);
    });

    it('tries what keeps events as they are, and takes back what came of it', async () => {
      const targets = fixture.open();
      const { store, tryGuards, remove } = await targets.create();
      await store.initialise();
      await store.append([{ streamId: 'a', events: [{ type: 'Noted', data: '{}' }] }]);
      const outcomes = await tryGuards('a');
      assert.deepEqual(
        outcomes.map(({ statement }) => statement),
        ['UPDATE', 'DELETE'],
      );
      for (const { outcome } of outcomes) assert.notEqual(outcome, 'done');
      const [event] = await store.readStream('a');
      assert.equal(event!.type, 'Noted');
      await remove();
      await targets.close();
    });
  });
}
