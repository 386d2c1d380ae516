import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { countSample, reservoir } from '../../src/drills/sample.ts';
import { checkStatements, type ExpectedRows } from '../../src/drills/semantics.ts';
import { makeRandom } from '../../src/testing/random.ts';

async function* upTo(count: number): AsyncGenerator<number> {
  for (let i = 0; i < count; i += 1) yield i;
}

test('a sample has as many as it may, each once, and each of what came', async () => {
  const arbitraries = [fc.nat(300), fc.nat(50), fc.integer()] as const;
  await fc.assert(
    fc.asyncProperty(...arbitraries, async (total, size, seed) => {
      const random = makeRandom(seed);
      const kept = await reservoir(upTo(total), size, () => random.unit());
      assert.equal(kept.length, Math.min(total, size));
      assert.equal(new Set(kept).size, kept.length);
      assert.ok(kept.every((item) => item >= 0 && item < total));
    }),
  );
});

test('each is as likely as any other to be in a sample', async () => {
  const random = makeRandom(7);
  const drawn = new Array<number>(20).fill(0);
  for (let round = 0; round < 4000; round += 1) {
    for (const item of await reservoir(upTo(20), 5, () => random.unit())) drawn[item]! += 1;
  }
  for (const count of drawn) assert.ok(Math.abs(count - 1000) < 150, String(drawn));
});

test('a percentage is at least one stream, unless it is none, and never more than there are', () => {
  assert.deepEqual(
    [countSample(1000, 5, 10_000), countSample(3, 5, 10_000), countSample(10, 0, 10), countSample(0, 50, 10)],
    [50, 1, 0, 0],
  );
  assert.equal(countSample(1_000_000, 100, 10_000), 10_000);
});

test('a statement must give its value, or its rows, as the store says it', async () => {
  const passes = async (rows: Record<string, string | null>[], expect: ExpectedRows['expect']) => {
    const inspection = {
      names: { dialect: 'sqlite', schemaName: null },
      select: async function* () {
        yield* rows;
      },
      close: async () => {},
    };
    const statements = [{ name: 'one', sql: 'SELECT', expect }];
    const context = { checks: { statements, modules: [] }, signal: new AbortController().signal };
    const store = { openInspection: async () => inspection };
    try {
      await checkStatements(context as never, store as never);
      return true;
    } catch (error) {
      assert.match(String(error), /statement one does not give what it must/);
      return false;
    }
  };
  const right: [Record<string, string | null>[], ExpectedRows['expect']][] = [
    [[{ a: '0' }], 0],
    [[{ a: 'x' }], 'x'],
    [[{ a: null }], null],
    [[{ a: 't' }], true],
    [[{ a: '0' }], false],
    [[], []],
    [
      [
        { a: 'x', b: '1' },
        { a: 'y', b: '2' },
      ],
      [
        ['x', 1],
        ['y', 2],
      ],
    ],
  ];
  for (const [rows, expect] of right) assert.ok(await passes(rows, expect), JSON.stringify([rows, expect]));
  const wrong: [Record<string, string | null>[], ExpectedRows['expect']][] = [
    [[{ a: '1' }], 0],
    [[{ a: '' }], 0],
    [[{ a: null }], 0],
    [[], 0],
    [[{ a: '0' }, { a: '0' }], 0],
    [[{ a: '0', b: '0' }], 0],
    [[{ a: 'x' }], [['x', 1]]],
    [[{ a: 'y' }], [['x']]],
  ];
  for (const [rows, expect] of wrong)
    assert.ok(!(await passes(rows, expect)), JSON.stringify([rows, expect]));
});
