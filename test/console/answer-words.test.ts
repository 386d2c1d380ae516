import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { groundsOf, type StoreAnswer, storeAnswer } from '../../src/console/answer-words.ts';
import type { Piece } from '../../src/console/parts/piece.ts';
import { progressWords } from '../../src/console/parts/progress.ts';
import { ago, span } from '../../src/console/parts/times.ts';
import { storeHealth } from '../../src/policy/store-health.ts';
import { NOW } from './fixture-jobs.ts';
import { storeNamed } from './fixtures.ts';

const text = (pieces: readonly Piece[]): string =>
  pieces.map((one) => (typeof one === 'string' ? one : one.instant)).join('');
const said = (name: string): StoreAnswer => storeAnswer(storeNamed(name).status, NOW);

describe('the answer to whether one gets one’s data back', () => {
  it('is from when to when where a log is kept', () => {
    assert.equal(
      text(said('shop').headline),
      'You can get back any instant from 2026-11-13T14:23:20.000Z to 2026-11-29T14:23:08.000Z (12 s ago).',
    );
    assert.equal(
      text(said('shop').more[0]!),
      'Older than that, 1 instant of backups, the oldest of 2026-10-30T14:23:20.000Z.',
    );
  });

  it('does not cross a gap', () => {
    const more = said('orders').more.map(text);
    assert.match(
      more[0]!,
      /^Before that, any instant from 2026-11-16T14:23:20.000Z to 2026-11-25T09:35:20.000Z/,
    );
    assert.match(
      more[1]!,
      /^No recovery crosses the gap that begins at 2026-11-25T09:35:20.000Z \(slot lost\)/,
    );
  });

  it('is of single instants where no log is kept', () => {
    assert.match(
      text(said('ledger').headline),
      /^You can get back the state of .* \(25 h ago\), and of 84 instants before it\.$/,
    );
    assert.match(text(said('ledger').more[0]!), /nothing between/);
  });

  it('never sounds well where nothing is known or nothing is there', () => {
    assert.equal(said('billing').tone, 'faint');
    const empty = { ...storeNamed('shop').status!, windows: [], newestPoint: null, backups: [] };
    assert.deepEqual([storeAnswer(empty, NOW).tone, groundsOf(empty, NOW)[0]!.tone], ['warning', 'warning']);
  });

  it('says how one knows: each ground with its own tone', () => {
    const tones = (name: string): string[] =>
      groundsOf(storeNamed(name).status!, NOW).map(({ tone }) => tone);
    assert.deepEqual(tones('shop'), ['good', 'good', 'good', 'good']);
    assert.deepEqual(tones('ledger'), ['bad', 'bad', 'bad', 'faint']);
  });
});

describe('the health of a store', () => {
  it('is the worst of what is known', () => {
    const of = (name: string): string => storeHealth(storeNamed(name)).word;
    assert.deepEqual(['shop', 'billing', 'ledger', 'inventory'].map(of), [
      'protected',
      'not known yet',
      'objective breached',
      'cannot be asked',
    ]);
    const shop = storeNamed('shop');
    const unknown = shop.objectives.map((one) => ({ ...one, state: 'unknown' as const }));
    assert.equal(storeHealth({ ...shop, objectives: unknown }).tone, 'warning');
  });
});

describe('a span of time', () => {
  it('is as exact as one reads it at a glance', () => {
    const HOUR = 3_600_000;
    assert.deepEqual(
      [0, 12_400, 200_000, HOUR, 2.12 * HOUR, 26 * HOUR + 59_000, 50 * HOUR, 76 * HOUR, 990 * HOUR].map(span),
      ['0 s', '12 s', '3 min', '1 h', '2 h 7 min', '26 h', '2 d 2 h', '3 d 4 h', '41 d'],
    );
    assert.deepEqual([ago(-5000), ago(12_000)], ['just now', '12 s ago']);
  });
});

describe('progress in words', () => {
  it('tells a rate and the time left only where they mean something', () => {
    const progress = {
      step: 'reading events',
      events: 0,
      bytes: 0,
      totalEvents: null,
      totalBytes: null,
      sinceMs: 0,
      atMs: 100,
    };
    assert.equal(progressWords(progress), 'reading events: 0 events');
    assert.equal(
      progressWords({ ...progress, events: 500, totalEvents: 1000, atMs: 5000 }),
      'reading events: 500 of 1,000 events, 100/s, about 5 s left',
    );
  });
});
