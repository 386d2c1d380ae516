import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { saysJson } from '../../src/cli/error-output.ts';

describe('a failure', () => {
  const pipe = { isTTY: false };
  const terminal = { isTTY: true };

  it('is said as JSON where that is asked for, and where it ends the log of a daemon', () => {
    assert.equal(saysJson(['list', '--json'], terminal), true);
    assert.equal(saysJson(['serve', 'shop.yaml'], pipe), true);
    for (const [words, stderr] of [
      [['list'], pipe],
      [['serve', 'shop.yaml'], terminal],
      [['serve', '--test-alert'], pipe],
    ] as const)
      assert.equal(saysJson(words, stderr), false, words.join(' '));
  });
});
