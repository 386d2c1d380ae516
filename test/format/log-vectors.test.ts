/** A log of format version 1, written once and never changed: each later program must read it, and still writes it so. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { ChangeBatch } from '../../src/core/change-feed.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { type LogBlock, readLogBlocks } from '../../src/format/log-reader.ts';
import { verifyLog } from '../../src/integrity/verify/log.ts';
import { makeBatch } from '../../src/testing/batches.ts';
import { openDirectoryVault } from '../../src/vaults/fs/vault.ts';
import { encodeBlocks } from './log-batches.ts';
import { describeLog } from './log-vector-text.ts';

const FOLDER = join(import.meta.dirname, '../vectors/v1/log');

describe('the golden change log', async () => {
  const vault = openDirectoryVault(FOLDER);
  await vault.open({ create: false });
  const timelines = await readLogCatalog(vault);

  it('is read as it was written', async () => {
    const expected: unknown = JSON.parse(readFileSync(join(FOLDER, 'expected.json'), 'utf8'));
    assert.deepEqual(await describeLog(vault), expected);
  });

  it('is sound, but for its marked gap', async () => {
    const [timeline, ...others] = timelines;
    assert.deepEqual(others, []);
    const { problems, gaps, transactions, events } = await verifyLog(vault, timeline!, { quick: false });
    assert.deepEqual([problems, gaps.length, transactions, events], [[], 1, 6, 8]);
  });

  it('is written to the same bytes again where it is not compressed', async () => {
    let blocks = 0;
    for (const file of timelines.flatMap(({ spans, covered }) => [
      ...spans.flatMap(({ files }) => files),
      ...covered,
    ])) {
      const bytes: Uint8Array[] = [];
      for await (const block of readLogBlocks(vault, [file])) {
        if (block.header.compression === 'none') bytes.push(...(await writtenAgain(block)));
      }
      blocks += bytes.length;
      if (bytes.length === 0) continue;
      const stored = readFileSync(join(FOLDER, file.name));
      assert.ok(Buffer.concat(bytes).equals(stored), file.name);
    }
    assert.ok(blocks >= 10);
  });
});

async function writtenAgain(block: LogBlock): Promise<readonly Uint8Array[]> {
  const { previous, source, format, compression, to, asOf, horizon, isContinued, isOpen } = block.header;
  const [transactions, removals] = [await block.transactions(), await block.removals()];
  const events = (await block.events()) ?? makeBatch([]);
  const batch: ChangeBatch = {
    ...{ events, transactions, removals, isContinued, isOpen, to, asOf, horizon, beganAtMs: 0 },
  };
  const [again] = await encodeBlocks([batch], { previous, source, format, compression });
  assert.equal(again!.digest, block.digest);
  return again!.parts;
}
