import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isBackupError } from '../../src/core/errors.ts';
import {
  addBatch,
  closeTable,
  makeStreamTable,
  releaseTable,
  streamFacts,
} from '../../src/core/stream-table.ts';
import { makeSealKey } from '../../src/format/seal.ts';
import { generateBatches } from '../../src/testing/event-generator.ts';
import { type Bound, openData, queueKey, sealData } from '../../src/workers/sealed.ts';

const KEY = queueKey('correct horse battery staple, and more');
const BOUND: Bound = { what: 'job', jobId: '5eb127b3-0000-4000-8000-000000000000', attempt: -1 };
const refused = (error: unknown): boolean => isBackupError(error, 'queue_refused');

describe('what travels through a queue', () => {
  it('comes out as it went in, whatever plain data it is', async () => {
    const data = fc.record(
      {
        text: fc.string({ unit: 'binary' }),
        big: fc.bigInt(),
        bytes: fc.uint8Array(),
        map: fc.array(fc.tuple(fc.integer(), fc.array(fc.double()))).map((pairs) => new Map(pairs)),
        nothing: fc.constantFrom(null, undefined),
      },
      { noNullPrototype: true },
    );
    await fc.assert(
      fc.asyncProperty(data, async (value) => {
        assert.deepEqual(await openData(KEY, BOUND, await sealData(KEY, BOUND, value)), value);
      }),
      { numRuns: 50 },
    );
  });

  it('has the table of streams in memory of its own, column by column', async () => {
    const table = makeStreamTable();
    for (const batch of generateBatches({ events: 500, seed: 3, batchBytes: 1 << 16 }))
      addBatch(table, batch);
    const before = Array.from({ length: table.count }, (_, i) => streamFacts(table, i));
    closeTable(table);
    const opened = (await openData(KEY, BOUND, await sealData(KEY, BOUND, table))) as typeof table;
    assert.deepEqual(
      Array.from({ length: opened.count }, (_, i) => streamFacts(opened, i)),
      before,
    );
    // Of arrays that share their memory the second would already be gone.
    releaseTable(opened);
  });

  it('has the key of a sealed bundle, as it was', async () => {
    const key = makeSealKey();
    const job = { seal: { key, scope: 'a bundle' } };
    const sealed = await sealData(KEY, BOUND, job);
    assert.ok(!Buffer.from(sealed).includes(key.export()));
    const opened = (await openData(KEY, BOUND, sealed)) as typeof job;
    assert.equal(opened.seal.scope, 'a bundle');
    assert.ok(opened.seal.key.equals(key));
    const { privateKey } = generateKeyPairSync('ed25519');
    await assert.rejects(sealData(KEY, BOUND, privateKey), TypeError);
  });

  it('opens with no other key, for no other job, and for nothing else of the same job', async () => {
    const sealed = await sealData(KEY, BOUND, { a: 1 });
    await assert.rejects(
      openData(queueKey('another secret of thirty-two characters'), BOUND, sealed),
      refused,
    );
    for (const change of [{ what: 'result' }, { jobId: 'another' }, { attempt: 0 }] as const) {
      await assert.rejects(openData(KEY, { ...BOUND, ...change }, sealed), refused);
    }
  });

  it('does not open when one bit of it is another', async () => {
    const sealed = await sealData(KEY, BOUND, { a: 1 });
    for (let at = 0; at < sealed.length; at += 1) {
      const changed = Buffer.from(sealed);
      changed[at]! ^= 1;
      await assert.rejects(openData(KEY, BOUND, changed), refused, `byte ${at}`);
      await assert.rejects(openData(KEY, BOUND, sealed.subarray(0, at)), refused, `first ${at}`);
    }
  });

  it('shows nothing of what is in it', async () => {
    const secret = 'postgres://app:hunter2@db/shop';
    const sealed = Buffer.from(await sealData(KEY, BOUND, { store: secret }));
    assert.equal(sealed.includes('hunter2'), false);
  });
});

describe('the key of a queue', () => {
  it('is refused when it is short enough to be guessed', () => {
    assert.throws(
      () => queueKey('hunter2'),
      (error) => isBackupError(error, 'key_refused') && !error.message.includes('hunter2'),
    );
  });

  it('is known by a check that is the same for the same key alone', () => {
    const secret = 'a secret of more than thirty-two characters';
    assert.equal(queueKey(secret).check, queueKey(secret).check);
    assert.notEqual(queueKey(secret).check, queueKey(`${secret}.`).check);
    assert.equal(queueKey(secret).check.includes(secret), false);
  });
});
