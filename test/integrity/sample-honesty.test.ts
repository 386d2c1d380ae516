/** Samples find as much as chance says that they must: no less, and no more by looking where the damage is. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { EventStore } from '../../src/core/event-store.ts';
import type { Finding } from '../../src/core/finding.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { type Chain, newestRestorePoint } from '../../src/format/chain.ts';
import { type SampleOptions, sampleStore } from '../../src/integrity/sample/store.ts';
import { beginSweep, planSweep, type SweepState } from '../../src/policy/sweep.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import type { TestEvent } from '../../src/testing/batches.ts';
import { makeRandom } from '../../src/testing/random.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { backUp, fill } from '../harness/memory-backup.ts';

/** The memory store has 32 events in a block. */
const PER_BLOCK = 32;
const BLOCKS = 60;
const STREAMS = 240;

const EVENTS: readonly TestEvent[] = Array.from({ length: BLOCKS * PER_BLOCK }, (_, i) => ({
  ...{ id: `00000000-0000-7000-8000-${String(i).padStart(12, '0')}`, streamId: `stream-${i % STREAMS}` },
  ...{ version: Math.floor(i / STREAMS) + 1, data: `{"n":${i}}`, time: BigInt(i) * 1_000_000n },
}));

let vault: Vault;
let chain: Chain;

before(async () => {
  const store = memoryStore();
  await fill(store, EVENTS);
  vault = memoryVault();
  await backUp(store, vault, { chunkBytes: 8192, parallel: 1, format: 'jsonl', compression: 'none' });
  ({ chain } = newestRestorePoint(await readCatalog(vault), 'memory:'));
});

interface Damage {
  /** Blocks in which events are changed, how many in each, and streams that lose an event in the middle. */
  readonly blocks: readonly number[];
  readonly each?: number;
  readonly streams?: readonly number[];
}

async function damagedStore({ blocks, each = 1, streams = [] }: Damage): Promise<EventStore> {
  const gone = new Set(streams.map((stream) => 2 * STREAMS + stream));
  const kept = EVENTS.filter((_, i) => !gone.has(i));
  const random = makeRandom(blocks.length);
  const places = blocks.flatMap((block) => {
    const first = each > 1 ? 0 : random.below(PER_BLOCK / 2);
    return Array.from({ length: each }, (_, i) => block * PER_BLOCK + first + i);
  });
  const changed = new Set(places);
  const store = memoryStore();
  await fill(
    store,
    kept.map((event, i) => (changed.has(i) ? { ...event, data: '{"n":-1}' } : event)),
  );
  return store;
}

function draw(count: number, of: number, seed: number): number[] {
  const random = makeRandom(seed);
  const drawn = new Set<number>();
  while (drawn.size < count) drawn.add(random.below(of));
  return [...drawn];
}

async function look(
  store: EventStore,
  sweep: SweepState,
  percentage: number,
): Promise<{ findings: readonly Finding[]; sweep: SweepState }> {
  const options: SampleOptions = {
    ...{ sweep, percentage, nowMs: Date.now(), futureToleranceMs: 0, requiredMetadata: [] },
  };
  return sampleStore({ store, vault, chain }, options);
}

/** How much each of so many first runs finds in blocks, and of streams; each has its own seed. */
async function trials(store: EventStore, percentage: number, count: number) {
  const found: { blocks: number; streams: number }[] = [];
  for (let seed = 1; seed <= count; seed += 1) {
    const { findings } = await look(store, beginSweep(seed * 7919), percentage);
    const blocks = findings.filter(({ check }) => check === 'event_changed').length;
    const streams = findings.filter(({ check }) => check === 'stream_gap').length;
    assert.equal(blocks + streams, findings.length);
    found.push({ blocks, streams });
  }
  return found;
}

/** That a run of `drawn` of `of` blocks has one of `bad` ones: 1 − C(of − bad, drawn) / C(of, drawn). */
function hypergeometric(of: number, drawn: number, bad: number): number {
  let missed = 1;
  for (let i = 0; i < bad; i += 1) missed *= Math.max(0, of - drawn - i) / (of - i);
  return 1 - missed;
}

function binomial(share: number, bad: number): number {
  return 1 - (1 - share) ** bad;
}

/** Three standard deviations of a rate: chance passes them once in 370 times, and these seeds do not. */
function assertRate(detected: number, count: number, expected: number, what: string): void {
  const sigma = Math.sqrt((expected * (1 - expected)) / count);
  const rate = detected / count;
  assert.ok(
    Math.abs(rate - expected) <= 3 * sigma,
    `${what}: ${rate.toFixed(3)} of ${count} trials, expected ${expected.toFixed(3)} ± ${(3 * sigma).toFixed(3)}`,
  );
}

const TRIALS = 250;
const PAIRS: readonly (readonly [bad: number, percentage: number])[] = [
  ...([
    [1, 5],
    [5, 5],
    [20, 5],
    [3, 10],
    [6, 20],
  ] as const),
];

describe('detection by a sample', () => {
  for (const [bad, percentage] of PAIRS) {
    it(`of ${bad} changed events and as many shortened streams at ${percentage} % is as likely as it must be`, async () => {
      const store = await damagedStore({ blocks: draw(bad, BLOCKS, bad), streams: draw(bad, STREAMS, bad) });
      const found = await trials(store, percentage, TRIALS);
      const inBlocks = hypergeometric(BLOCKS, (BLOCKS * percentage) / 100, bad);
      const inStreams = binomial(percentage / 100, bad);
      assertRate(found.filter(({ blocks }) => blocks > 0).length, TRIALS, inBlocks, 'blocks');
      assertRate(found.filter(({ streams }) => streams > 0).length, TRIALS, inStreams, 'streams');
      // What docs/sampling.md says is the less favourable of the two.
      assert.ok(inBlocks >= inStreams - 1e-9);
    });
  }

  it('of many changed events in one block is that of one event', async () => {
    const store = await damagedStore({ blocks: [41], each: PER_BLOCK });
    const found = await trials(store, 10, TRIALS);
    assertRate(found.filter(({ blocks }) => blocks > 0).length, TRIALS, 0.1, 'one block');
    assert.ok(found.every(({ blocks }) => blocks === 0 || blocks === PER_BLOCK));
  });

  it('finds as many of the changed events as it must, run by run', async () => {
    const [bad, drawn] = [15, 6];
    const store = await damagedStore({ blocks: draw(bad, BLOCKS, 99) });
    const found = await trials(store, 10, TRIALS);
    const chance = (hits: number): number =>
      (choose(bad, hits) * choose(BLOCKS - bad, drawn - hits)) / choose(BLOCKS, drawn);
    const chiSquare = [[0], [1], [2], [3, 4, 5, 6]].reduce((sum, cell) => {
      const expected = TRIALS * cell.reduce((total, hits) => total + chance(hits), 0);
      const seen = found.filter(({ blocks }) => cell.includes(blocks)).length;
      return sum + (seen - expected) ** 2 / expected;
    }, 0);
    // Three degrees of freedom: 16.3 is passed by chance once in a thousand times.
    assert.ok(chiSquare < 16.3, `chi-square ${chiSquare}`);
  });

  it('is certain after a whole sweep, whatever is damaged', async () => {
    for (const [seed, percentage] of [
      [1, 10],
      [2, 33],
      [3, 100],
    ] as const) {
      const blocks = draw(15, BLOCKS, seed);
      const store = await damagedStore({ blocks });
      const seen = new Set<string>();
      let sweep = beginSweep(seed);
      let runs = 0;
      for (; sweep.blocks.round === 0; runs += 1) {
        const result = await look(store, { ...sweep, suspects: [] }, percentage);
        for (const { eventId } of result.findings) {
          assert.ok(!seen.has(eventId!), 'it was looked at twice');
          seen.add(eventId!);
        }
        sweep = result.sweep;
      }
      assert.equal(seen.size, blocks.length);
      assert.ok(runs <= Math.ceil(100 / percentage));
    }
  });

  it('holds for the order alone over thousands of runs, in groups too', () => {
    const [blocks, percentage, bad] = [2000, 5, 10];
    const damaged = draw(bad, blocks / 16, 5).map((group) => group * 16 + 3);
    let detected = 0;
    const count = 4000;
    for (let seed = 0; seed < count; seed += 1) {
      const { blocks: taken } = planSweep(beginSweep(seed * 31 + 7), { blocks, percentage, now: '' });
      const set = new Set(taken);
      if (damaged.some((block) => set.has(block))) detected += 1;
    }
    // Groups of 8: 250 of them, 13 are drawn.
    assertRate(detected, count, hypergeometric(250, 13, bad), 'groups');
  });
});

function choose(of: number, taken: number): number {
  let ways = 1;
  for (let i = 0; i < taken; i += 1) ways *= (of - i) / (i + 1);
  return taken > of ? 0 : ways;
}
