/** Further drills of the laboratory in their short form, for which each change has no time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whyNoBind } from '../harness/bind.ts';
import { SWITCHOVER } from './drills/switchover.ts';
import { TWO_ORCHESTRATORS } from './drills/two-orchestrators.ts';

const skip = whyNoBind();

test('of two orchestrators one acts', { skip }, async () => {
  const { account, writers } = await TWO_ORCHESTRATORS.run({ isShort: true });
  assert.equal(account!.lost, 0);
  assert.equal(writers, 1);
});

test('a switchover under load loses nothing', { skip }, async () => {
  const { account, writers } = await SWITCHOVER.run({ isShort: true });
  assert.equal(account!.lost, 0);
  assert.equal(writers, 1);
});
