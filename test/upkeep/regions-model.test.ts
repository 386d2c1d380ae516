/** A short life of `npm run soak:regions`: random runs in three regions, some of which die, against a model. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { liveThrough } from '../harness/regions/run.ts';

const SEEDS = [1, 2];
const done = new Map<string, number>();

for (const seed of SEEDS) {
  test(`no restore point that the rules keep is lost in the life that ${seed} is the seed of`, async () => {
    const counts = await liveThrough(seed, 150);
    for (const [what, times] of counts) done.set(what, (done.get(what) ?? 0) + times);
  });
}

// A call more or less anywhere makes each of them another life: so it is asked of all together.
test('these lives had a bit of everything', () => {
  for (const what of ['incremental backups', 'syncs of west', 'restored', 'pruned in primary', 'races']) {
    assert.ok((done.get(what) ?? 0) > 0, `no ${what}`);
  }
});
