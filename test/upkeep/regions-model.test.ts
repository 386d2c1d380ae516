/** A short life of `npm run soak:regions`: random runs in three regions, some of which die, against a model. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { liveThrough } from '../harness/regions/run.ts';

for (const seed of [1, 2]) {
  test(`no restore point that the rules keep is lost in the life that ${seed} is the seed of`, async () => {
    const counts = await liveThrough(seed, 150);
    for (const what of ['incremental backups', 'syncs of west', 'restored', 'pruned in primary', 'races']) {
      assert.ok((counts.get(what) ?? 0) > 0, `no ${what}`);
    }
  });
}
