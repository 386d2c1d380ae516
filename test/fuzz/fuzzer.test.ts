import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runGuarded } from './engine/guarded-run.ts';
import { type FuzzLimits, LIMITS, runTarget } from './engine/run-target.ts';
import { TARGETS } from './planted-targets.ts';

/** So that the parser need not be slow for long, nor take much. */
const STRICTER: Readonly<Record<string, FuzzLimits>> = {
  slow: { ...LIMITS, maxMs: 100 },
  heap: { maxMs: 60_000, maxBytes: 32 << 20 },
};

function planted(name: string, limits = LIMITS) {
  const target = TARGETS.find((one) => one.name === name)!;
  return runTarget(target, { inputs: 4000, seed: 1, limits });
}

describe('the fuzzer', () => {
  test('finds nothing in a sound parser, and tries both sides of it', async () => {
    const { finding, accepted, refused, inputs } = await planted('sound');
    assert.deepEqual([finding, inputs], [null, 4000]);
    assert.ok(accepted > 100 && refused > 100);
  });

  for (const [name, what] of [
    ['type-error', /^TypeError/],
    ['wrong-code', /too long/],
    ['by-its-word', /it takes \d+ MiB/],
    ['heap', /it takes \d+ MiB/],
    ['slow', /it takes \d+ ms/],
    ['one-sided', /broken promise/],
  ] as const) {
    test(`finds a parser that is wrong: ${name}`, async () => {
      const { finding } = await planted(name, STRICTER[name] ?? LIMITS);
      assert.match(finding?.what ?? 'nothing', what);
      const input = Buffer.from(finding!.inputHex, 'hex');
      assert.notEqual(input.length, 0);
    });
  }

  test('finds the same again with the same seed', async () => {
    assert.deepEqual(
      (await planted('one-sided')).finding?.inputHex,
      (await planted('one-sided')).finding?.inputHex,
    );
  });

  const guarded = (target: string, hangMs: number) => {
    const module = new URL('./planted-targets.ts', import.meta.url).href;
    const job = { module, target, inputs: 4000, seed: 1, limits: LIMITS, endAtMs: null };
    return runGuarded(job, { hangMs, maxHeapMb: 512 });
  };

  for (const [name, what] of [
    ['endless', /does not end/],
    ['waiting', /waits for what never comes/],
  ] as const) {
    test(`ends a parser that never does, and says with which input: ${name}`, async () => {
      const { finding } = await guarded(name, 1000);
      assert.match(finding?.what ?? 'nothing', what);
      const { length } = JSON.parse(Buffer.from(finding!.inputHex, 'hex').toString()) as { length: number };
      assert.ok(length > 1000);
    });
  }

  test('takes no parser that the machine does not let work for one that hangs', async () => {
    const { finding, inputs } = await guarded('starved', 200);
    assert.deepEqual([finding, inputs], [null, 4000]);
  });
});
