/** A slice of `npm run fuzz`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS, runTarget } from './engine/run-target.ts';
import { TARGETS } from './targets.ts';

const INPUTS = 100;

test('each target of the fuzzer has its own name', () => {
  assert.equal(new Set(TARGETS.map(({ name }) => name)).size, TARGETS.length);
});

for (const target of TARGETS) {
  test(`${target.name} bears ${INPUTS} damaged and made-up inputs`, async () => {
    const { finding, inputs } = await runTarget(target, { inputs: INPUTS, seed: 20_261_123, limits: LIMITS });
    assert.equal(finding, null);
    assert.equal(inputs, INPUTS);
  });
}
