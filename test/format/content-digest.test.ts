import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { addToContentDigest, contentDigestText, makeContentDigest } from '../../src/format/content-digest.ts';
import { type BatchOptions, makeBatch, type TestEvent } from '../../src/testing/batches.ts';

function digestOf(events: readonly TestEvent[], batchSize = 1000, options: BatchOptions = {}): string {
  const digest = makeContentDigest();
  for (let at = 0; at < events.length; at += batchSize) {
    addToContentDigest(digest, makeBatch(events.slice(at, at + batchSize), options));
  }
  return contentDigestText(digest);
}

const eventArbitrary: fc.Arbitrary<TestEvent> = fc.record({
  id: fc.uuid(),
  streamId: fc.string(),
  version: fc.integer(),
  type: fc.string(),
  data: fc.json(),
  metadata: fc.option(fc.json(), { nil: null }),
  time: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
});

describe('the content digest', () => {
  it('does not depend on order, batches, or how a UUID is kept', () => {
    fc.assert(
      fc.property(
        fc.array(eventArbitrary, { maxLength: 30 }),
        fc.integer({ min: 1, max: 7 }),
        (events, size) => {
          const digest = digestOf(events);
          assert.equal(digestOf(events.toReversed(), size), digest);
          assert.equal(digestOf(events, size, { idKind: 'text' }), digest);
        },
      ),
    );
  });

  it('changes with any field of any event', () => {
    const base: TestEvent = {
      id: '01890a5d-ac96-774b-bcce-b302099a8057',
      streamId: 's',
      version: 1,
      metadata: '',
    };
    const variants: TestEvent[] = [
      { ...base, id: '01890a5d-ac96-774b-bcce-b302099a8058' },
      { ...base, streamId: 't' },
      { ...base, version: 2 },
      { ...base, type: 'Other' },
      { ...base, data: '{} ' },
      { ...base, metadata: null },
      { ...base, metadata: ' ' },
      { ...base, time: 1n },
      { ...base, timeText: 'yesterday' },
      { ...base, streamId: 'sT', type: 'ested' },
    ];
    const digests = [base, ...variants].map((event) => digestOf([event]));
    assert.equal(new Set([...digests, digestOf([]), digestOf([base, base])]).size, variants.length + 3);
  });
});
