import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ChangeBatch, Removal } from '../../src/core/change-feed.ts';
import { BackupError, isBackupError } from '../../src/core/errors.ts';
import { CHUNK_FORMATS, COMPRESSIONS } from '../../src/core/manifest.ts';
import type { Vault } from '../../src/core/vault.ts';
import { type LogFile, readLogCatalog } from '../../src/format/log-catalog.ts';
import { decodeGap, encodeGap } from '../../src/format/log-gap.ts';
import { decodeHeader, encodeHeader } from '../../src/format/log-header.ts';
import { logFolder } from '../../src/format/log-name.ts';
import { readRemovals } from '../../src/format/log-parts.ts';
import { readLogBlocks } from '../../src/format/log-reader.ts';
import { decodeTransactions, encodeTransactions } from '../../src/format/log-transactions.ts';
import { writeLogFile } from '../../src/format/log-writer.ts';
import { batchRows } from '../../src/testing/batches.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { arbitraryEvents } from './event-arbitraries.ts';
import { changes, encodeBlocks, readChanges, SOURCE, type TestTransaction } from './log-batches.ts';

const FOLDER = logFolder(SOURCE);
const MAX_POSITION = 2n ** 64n - 1n;

async function vaultWith(batches: readonly ChangeBatch[], options: Parameters<typeof encodeBlocks>[1] = {}) {
  const vault = memoryVault();
  const written = await writeLogFile(vault, FOLDER, 0n, await encodeBlocks(batches, options));
  const file: LogFile = { ...written, modifiedAtMs: 0 };
  return { vault, file };
}

const transactions: fc.Arbitrary<TestTransaction[]> = fc
  .tuple(
    fc.uniqueArray(fc.bigInt({ min: 0n, max: MAX_POSITION - 1n }), { minLength: 1, maxLength: 8 }),
    fc.infiniteStream(fc.integer({ min: 0, max: 0xffff_ffff })),
    fc.infiniteStream(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
    fc.infiniteStream(arbitraryEvents),
  )
  .map(([commits, xids, times, events]) =>
    commits
      .sort((a, b) => (a < b ? -1 : 1))
      .map((commit) => ({
        ...{ commit, xid: xids.next().value!, time: times.next().value! },
        events: events.next().value!.slice(0, 4),
      })),
  );

test('whatever a batch holds is read back from a block', async () => {
  const layout = fc.record({
    format: fc.constantFrom(...CHUNK_FORMATS),
    compression: fc.constantFrom(...COMPRESSIONS),
    asOf: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    horizon: fc.option(
      fc
        .tuple(fc.bigInt({ min: 0n, max: MAX_POSITION }), fc.bigInt({ min: 0n, max: MAX_POSITION }))
        .map(([position, xid]) => ({ position, xid })),
    ),
    windowBytes: fc.constantFrom(1, 50, 1 << 20),
  });
  await fc.assert(
    fc.asyncProperty(
      transactions,
      layout,
      async (given, { format, compression, asOf, horizon, windowBytes }) => {
        const removals: Removal[] = [
          { afterEvents: 0, transaction: 0, kind: 'truncate', eventId: null },
          { afterEvents: 0, transaction: 0, kind: 'delete', eventId: 'line\n"' },
        ];
        const { vault, file } = await vaultWith([changes(given, { asOf, horizon, removals })], {
          format,
          compression,
        });
        const [read] = await readChanges(vault, [file], { windowBytes });
        assert.deepEqual(
          read!.transactions,
          given.map(({ xid, commit, time, events }) => ({ xid, commit, time, events: events?.length })),
        );
        assert.deepEqual(read!.events, batchRows(changes(given).events));
        assert.deepEqual(read!.removals, removals);
        assert.deepEqual([read!.header.asOf, read!.header.horizon], [asOf, horizon]);
        assert.equal(read!.header.to, given.at(-1)!.commit + 1n);
      },
    ),
    { numRuns: 150 },
  );
});

test('transactions are written as the example in FORMAT.md says', () => {
  const { transactions: table } = changes([
    {
      xid: 7,
      commit: 10n,
      time: 5n,
      events: [
        { streamId: 's', version: 1 },
        { streamId: 's', version: 2 },
      ],
    },
    { xid: 6, commit: 20n, time: 4n, events: [{ streamId: 's', version: 3 }] },
  ]);
  assert.equal(Buffer.from(encodeTransactions(table)).toString('hex'), '0e0114140a010201');
});

test('transactions have one spelling', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat({ max: 8 }), (bytes, count) => {
      try {
        const table = decodeTransactions(bytes, count);
        assert.deepEqual(Buffer.from(encodeTransactions(table)), Buffer.from(bytes));
      } catch (error) {
        if (!isBackupError(error, 'damaged')) throw error;
      }
    }),
    { numRuns: 3000 },
  );
});

/** A small log file with all that a block can have, over two blocks. */
async function smallLog(): Promise<{ vault: Vault; file: LogFile; bytes: Uint8Array }> {
  const event = { streamId: 's', version: 1, data: '{"a":"b"}' };
  const removals: Removal[] = [{ afterEvents: 1, transaction: 0, kind: 'update', eventId: 'x' }];
  const { vault, file } = await vaultWith([
    changes([{ xid: 3, commit: 5n, time: 7n, events: [event, event] }], { removals }),
    changes([{ xid: 4, commit: 9n, time: 8n, events: [event] }], { horizon: { position: 1n, xid: 2n } }),
  ]);
  return { vault, file, bytes: await vault.readRange(file.name, 0, file.sizeBytes) };
}

/** The code of the error with which a file of these bytes is refused; null when it is not. */
async function refusal(file: LogFile, bytes: Uint8Array): Promise<string | null> {
  const vault = memoryVault();
  const object = await vault.createObject(file.name);
  await object.write(bytes);
  await object.commit();
  try {
    const [timeline] = await readLogCatalog(vault);
    await readChanges(vault, timeline!.spans[0]!.files);
    return null;
  } catch (error) {
    if (error instanceof BackupError) return error.code;
    throw error;
  }
}

test('every flipped byte of a log file is found', async () => {
  const { file, bytes } = await smallLog();
  assert.equal(await refusal(file, bytes), null);
  for (let at = 0; at < bytes.length; at += 1) {
    const flipped = Uint8Array.from(bytes);
    flipped[at] = flipped[at]! ^ 0x20;
    assert.equal(await refusal(file, flipped), 'damaged', `byte ${at}`);
  }
});

test('a log file that was cut off anywhere, or goes on, is found', async () => {
  const { file, bytes } = await smallLog();
  for (let length = 0; length < bytes.length; length += 1) {
    assert.equal(await refusal(file, bytes.subarray(0, length)), 'damaged', `${length} bytes`);
  }
  for (const more of [Buffer.from([0]), bytes]) {
    assert.equal(await refusal(file, Buffer.concat([bytes, more])), 'damaged');
  }
});

test('a block that was left out, doubled or exchanged breaks the chain of digests', async () => {
  const vault = memoryVault();
  const blocks = await encodeBlocks([1n, 2n, 3n].map((commit) => changes([{ commit }])));
  const [other] = await encodeBlocks([changes([{ commit: 2n, time: 1n }])]);
  const file = async (name: string, list: typeof blocks): Promise<LogFile> => {
    const written = await writeLogFile(vault, `log/${name}-1/`, 0n, list);
    return { ...written, modifiedAtMs: 0 };
  };
  const [first, second, third] = blocks as [(typeof blocks)[0], (typeof blocks)[0], (typeof blocks)[0]];
  await readChanges(vault, [await file('whole', blocks)]);
  for (const [name, list] of Object.entries({
    'left-out': [first, third],
    doubled: [first, second, second, third],
    exchanged: [first, other!, third],
    order: [second, first, third],
  })) {
    await assert.rejects(readChanges(vault, [await file(name, list)]), { code: 'damaged' }, name);
  }
});

test('files are read only as they follow one another', async () => {
  const vault = memoryVault();
  const [a, b, c] = await encodeBlocks([1n, 2n, 3n].map((commit) => changes([{ commit }])));
  const [again] = await encodeBlocks([changes([{ commit: 2n, time: 5n }])], { previous: a!.digest });
  const write = async (from: bigint, block: typeof a): Promise<LogFile> => ({
    ...(await writeLogFile(vault, FOLDER, from, [block!])),
    modifiedAtMs: 0,
  });
  const files = [await write(0n, a), await write(2n, b), await write(3n, c)];
  assert.equal((await readChanges(vault, files)).length, 3);
  await assert.rejects(readChanges(vault, [files[0]!, files[2]!]), { code: 'log_gap' });
  await vault.removeObject(files[1]!.name);
  await assert.rejects(readChanges(vault, files), { code: 'damaged', message: /is missing/ });
  await write(2n, again);
  await assert.rejects(readChanges(vault, files), { code: 'damaged', message: /does not follow/ });
});

test('the events of a block are not fetched unless they are asked for', async () => {
  const event = { streamId: 's', version: 1, data: JSON.stringify('x'.repeat(500_000)) };
  const { vault, file } = await vaultWith([changes([{ commit: 5n, events: [event] }])], {
    compression: 'none',
  });
  let fetched = 0;
  const counting: Vault = {
    ...vault,
    async readRange(name, offset, length) {
      fetched += length;
      return vault.readRange(name, offset, length);
    },
  };
  for await (const block of readLogBlocks(counting, [file], { windowBytes: 4096 }))
    await block.transactions();
  assert.ok(fetched > 0 && fetched < 10_000, `${fetched} bytes`);
});

test('a header that is not in its written form is refused even with the right digest', async () => {
  const [block] = await encodeBlocks([changes([{ commit: 5n }])]);
  const { header } = block!;
  const text = Buffer.from(encodeHeader(header).bytes).subarray(40).toString();
  const read = (changed: string): unknown => {
    return decodeHeader(Buffer.from(changed), crypto.hash('sha256', changed, 'hex'));
  };
  assert.deepEqual(read(text), header);
  for (const [from, to] of [
    ['"transactions":1', '"transactions":1.0'],
    ['"isOpen":false', '"isOpen":true'],
    ['"transactions":1', '"transactions":2'],
    ['"to":"0000000000000006"', '"to":"0000000000000005"'],
    ['"to":"0000000000000006"', '"to":null'],
    ['"format":"columns"', '"format":"rows"'],
    ['"horizon":null', '"horizon":{}'],
  ] as const) {
    assert.ok(text.includes(from), from);
    assert.throws(() => read(text.replace(from, to)), { code: 'damaged' }, to);
  }
  for (const [version, code] of [
    [2, 'damaged'],
    [3, 'store_unsupported'],
  ] as const) {
    assert.throws(() => read(text.replace('"blockVersion":1', `"blockVersion":${version}`)), { code });
  }
});

test('a header that is nested too deep to be written again is refused', async () => {
  const [block] = await encodeBlocks([changes([{ commit: 5n }])]);
  const text = Buffer.from(encodeHeader(block!.header).bytes).subarray(40).toString();
  for (const depth of [40, 20_000]) {
    const deep = text.replace('"horizon":null', `"horizon":${'['.repeat(depth)}${']'.repeat(depth)}`);
    const digest = crypto.hash('sha256', deep, 'hex');
    assert.throws(() => decodeHeader(Buffer.from(deep), digest), { code: 'damaged', message: /deep/ });
  }
  const odd = text.replace('"blockVersion":1', '"blockVersion":{"toString":1,"valueOf":1}');
  const digest = crypto.hash('sha256', odd, 'hex');
  assert.throws(() => decodeHeader(Buffer.from(odd), digest), { code: 'store_unsupported' });
});

test('removals with bytes that are no UTF-8 are refused', async () => {
  const given = [{ afterEvents: 0, transaction: 0, kind: 'delete', eventId: '\ufffd' } as const];
  const [block] = await encodeBlocks([changes([{ commit: 5n }], { removals: given })], {
    compression: 'none',
  });
  const plain = Buffer.from(block!.parts.at(-1)!);
  assert.deepEqual(readRemovals(block!.header, plain), given);
  const at = plain.indexOf('\ufffd');
  const changed = Buffer.concat([plain.subarray(0, at), Buffer.of(0xff), plain.subarray(at + 3)]);
  assert.throws(() => readRemovals(block!.header, changed), { code: 'damaged' });
});

test('a batch that could not be read again is not written', async () => {
  const event = { streamId: 's', version: 1 };
  const wrong = [
    { ...changes([{ commit: 5n, events: [event] }]), events: changes([]).events },
    changes([{ commit: 5n }], { to: 5n }),
    changes([{ commit: 5n }], { isOpen: true, to: 6n }),
  ];
  for (const batch of wrong) await assert.rejects(encodeBlocks([batch]), { code: 'internal' });
  await assert.rejects(encodeBlocks([changes([{ commit: 5n }, { commit: 5n }])]), BackupError);
});

test('a gap marker is read as it was written, and refused when one byte differs', () => {
  const gap = { from: 1n, to: 2n, reason: 'slot_lost', message: 'ü', noticedAt: '2026-01-01T00:00:00.000Z' };
  const bytes = encodeGap(gap);
  assert.deepEqual(decodeGap(bytes), gap);
  for (let at = 0; at < bytes.length; at += 1) {
    const flipped = Buffer.from(bytes);
    flipped[at] = flipped[at]! ^ 1;
    assert.equal(decodeGap(flipped), null, `byte ${at}`);
  }
});
