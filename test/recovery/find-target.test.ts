import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isBackupError } from '../../src/core/errors.ts';
import { timeFromUnixMs } from '../../src/core/time.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { findTarget } from '../../src/recovery/find-target.ts';
import { readSpans } from '../../src/recovery/survey.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { type ModelTransaction, writeModelLog } from '../harness/log-model.ts';

const MINUTE_MS = 60_000;
const BEGIN_MS = Date.UTC(2026, 0, 1);

/** An id that says it was made at this minute of the model's time. */
function idAt(minute: number, number: number): string {
  const hex = (BEGIN_MS + minute * MINUTE_MS).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${String(number).padStart(12, '0')}`;
}

function transaction(
  number: number,
  minute: number,
  ids: readonly string[],
  removes: readonly string[] = [],
  data = '{}',
): ModelTransaction {
  return {
    ...{ xid: BigInt(100 + number), commit: BigInt(200 + number * 10), removes },
    time: timeFromUnixMs(BEGIN_MS + minute * MINUTE_MS),
    events: ids.map((id) => ({ id, streamId: 's', version: 1, data })),
  };
}

/** A block for each transaction, a file for each three. */
async function makeLog(transactions: readonly ModelTransaction[]): Promise<Vault> {
  const vault = memoryVault();
  const cuts = transactions.map((_, i) => ({
    transactions: i + 1,
    endsFile: i % 3 === 2 || i === transactions.length - 1,
  }));
  await writeModelLog(vault, transactions, cuts, { from: 100n });
  return vault;
}

async function find(vault: Vault, eventId: string): Promise<bigint | null> {
  const spans = await readSpans(vault, await readLogCatalog(vault));
  try {
    const { bound } = await findTarget(vault, spans, { kind: 'before-event', eventId });
    return bound.kind === 'before' ? bound.position : assert.fail(bound.kind);
  } catch (error) {
    if (isBackupError(error, 'no_restore_point')) return null;
    throw error;
  }
}

describe('the place of an event in a log', () => {
  it('is found without the events that committed long before its id was made', async () => {
    const filler = () => `"${randomBytes(200_000).toString('base64')}"`;
    const transactions = Array.from({ length: 12 }, (_, i) =>
      transaction(i, i * 10, [idAt(i * 10, i)], [], filler()),
    );
    const inner = await makeLog(transactions);
    let bytes = 0;
    const counting: Vault = {
      ...inner,
      readRange: (name, offset, length) => {
        bytes += length;
        return inner.readRange(name, offset, length);
      },
    };
    const cost = async (id: string, place: bigint | null): Promise<number> => {
      bytes = 0;
      assert.equal(await find(counting, id), place);
      return bytes;
    };
    const all = await cost('no uuid', null);
    assert.ok(all > 12 * 200_000, String(all));
    const one = await cost(idAt(110, 11), 310n);
    assert.ok(one < all / 2, `${one} of ${all} bytes`);
  });

  it('is found as well where the clock of who made the id was far ahead', async () => {
    const ahead = idAt(9000, 7);
    const vault = await makeLog([
      transaction(0, 0, [idAt(0, 1)]),
      transaction(1, 10, [ahead]),
      transaction(2, 20, []),
    ]);
    assert.equal(await find(vault, ahead), 210n);
    assert.equal(await find(vault, ahead.toUpperCase()), 210n);
    assert.equal(await find(vault, idAt(9000, 8)), null);
  });

  it('is the first one where an event was removed and written again', async () => {
    const twice = idAt(30, 7);
    const vault = await makeLog([
      transaction(0, 0, [twice]),
      transaction(1, 10, [], [twice]),
      transaction(2, 40, [twice]),
    ]);
    assert.equal(await find(vault, twice), 200n);
  });

  it('is that of a search through all blocks, whatever the clocks said', async () => {
    const steps = fc.array(
      fc.record({
        minute: fc.integer({ min: 0, max: 30 }),
        id: fc.integer({ min: 0, max: 4 }),
        again: fc.boolean(),
      }),
      { minLength: 1, maxLength: 12 },
    );
    const made = fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 5, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(steps, made, async (drawn, minutes) => {
        const ids = minutes.map((minute, number) => idAt(minute, number));
        const first = new Map<string, bigint>();
        const log = drawn.map(({ minute, id, again }, number) => {
          const own = ids[id]!;
          const isThere = first.has(own);
          if (!isThere) first.set(own, BigInt(200 + number * 10));
          // An id that is there can only come again when it is removed.
          const writes = !isThere || again ? [own] : [];
          return transaction(number, minute, writes, isThere && again ? [own] : []);
        });
        const vault = await makeLog(log);
        for (const id of ids) assert.equal(await find(vault, id), first.get(id) ?? null, id);
      }),
      { numRuns: 60 },
    );
  });
});
