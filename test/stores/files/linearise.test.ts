import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { linearise, type OrderFields } from '../../../src/stores/files/linearise.ts';

/** Transactions whose parents come before them in the list; few times and writers, so that many are alike. */
const histories = fc
  .array(
    fc.record({
      parents: fc.array(fc.nat(), { maxLength: 3 }),
      replica: fc.nat({ max: 2 }),
      at: fc.nat({ max: 3 }),
      id: fc.nat({ max: 0xffff }),
    }),
    { maxLength: 40 },
  )
  .map((drafts): OrderFields[] => {
    const ids = drafts.map(
      ({ id }, i) => `${id.toString(16).padStart(4, '0')}-${String(i).padStart(2, '0')}`,
    );
    return drafts.map(({ parents, replica, at }, i) => ({
      transactionId: ids[i]!,
      replicaId: `replica-${replica}`,
      createdAt: `2026-11-23T04:05:0${at}+00:00`,
      parentIds: i === 0 ? [] : parents.map((parent) => ids[parent % i]!),
    }));
  });

/** As EventCore's sources have it: the longest way up, and then a tuple. */
function model(transactions: readonly OrderFields[]): string[] {
  const byId = new Map(transactions.map((transaction) => [transaction.transactionId, transaction]));
  const depth = (id: string): number =>
    byId
      .get(id)!
      .parentIds.filter((parent) => byId.has(parent))
      .reduce((best, parent) => Math.max(best, depth(parent) + 1), 0);
  const key = ({ transactionId, replicaId, createdAt }: OrderFields): string =>
    [String(depth(transactionId)).padStart(3, '0'), createdAt, replicaId, transactionId].join(' ');
  return transactions
    .map((transaction) => [key(transaction), transaction.transactionId] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, id]) => id);
}

function order(transactions: readonly OrderFields[]): string[] {
  return linearise(transactions).map(({ transactionId }) => transactionId);
}

test('the order is that of a simple model, however the files are listed and whichever parents are missing', () => {
  fc.assert(
    fc.property(histories, fc.nat(), fc.nat(), (history, seed, dropped) => {
      const present = history.filter((_, i) => dropped % 5 === 0 || i !== dropped % history.length);
      const shuffled = present.toSorted((a, b) => hash(a, seed) - hash(b, seed));
      assert.deepEqual(order(shuffled), model(present));
    }),
  );
});

function hash({ transactionId }: OrderFields, seed: number): number {
  return [...transactionId].reduce((sum, sign) => (sum * 31 + sign.charCodeAt(0) + seed) % 9973, seed % 97);
}

test('what is closed under parents keeps its order among itself, whatever comes later', () => {
  fc.assert(
    fc.property(histories, fc.nat(), (history, cut) => {
      const before = history.slice(0, cut % (history.length + 1));
      const known = new Set(before.map(({ transactionId }) => transactionId));
      assert.deepEqual(
        order(history).filter((id) => known.has(id)),
        order(before),
      );
    }),
  );
});

test('a chain that is longer than a stack is put in order, and one that bites its tail is refused', () => {
  const chain = Array.from({ length: 50_000 }, (_, i): OrderFields => {
    const name = (n: number): string => String(n).padStart(6, '0');
    return {
      transactionId: name(50_000 - i),
      replicaId: 'r',
      createdAt: 't',
      parentIds: i === 0 ? [] : [name(50_001 - i)],
    };
  });
  assert.deepEqual(
    order(chain.toReversed()),
    chain.map(({ transactionId }) => transactionId),
  );
  const [first, ...rest] = chain.slice(0, 9);
  const caught = [{ ...first!, parentIds: [rest.at(-1)!.transactionId] }, ...rest];
  assert.throws(() => order(caught), { code: 'damaged', message: /its own ancestor/ });
});
