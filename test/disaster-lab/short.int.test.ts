/** The drills of the laboratory that tests have time for; `npm run dr:lab` runs all of them, with more load. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whyNoBind } from '../harness/bind.ts';
import { PARTITION_WITHOUT_FENCE } from './drills/partition.ts';
import { PRIMARY_KILLED } from './drills/primary-killed.ts';

const skip = whyNoBind();

test('what a killed primary takes with it is reported to the event', { skip }, async () => {
  const { account, writers } = await PRIMARY_KILLED.run({ isShort: true });
  assert.ok(account!.lost > 0);
  assert.equal(writers, 1);
});

test('nothing is promoted while no fence reaches a primary that is cut off and lives on', {
  skip,
}, async () => {
  const { account, writers } = await PARTITION_WITHOUT_FENCE.run({ isShort: true });
  assert.equal(account!.lost, 0);
  assert.equal(writers, 1);
});
