import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TrustPolicy } from '../../src/core/trust.ts';
import type { Vault } from '../../src/core/vault.ts';
import type { BlockOptions, EncodedBlock } from '../../src/format/log-block.ts';
import { parseQuietName, quietFileName } from '../../src/format/log-name.ts';
import { readLogBlocks } from '../../src/format/log-reader.ts';
import { writeLogFile, writeQuietMark } from '../../src/format/log-writer.ts';
import { verifyLog } from '../../src/integrity/verify/log.ts';
import { readSpanFacts } from '../../src/recovery/measure.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { overwrite, readObject } from '../harness/memory-backup.ts';
import { makeSigner } from '../harness/test-keys.ts';
import { changes, encodeBlocks, FOLDER, onlyTimeline, writeSampleLog } from './log-batches.ts';

/** The sample log ends at 50, and holds all up to the time 99. */
const END = 50n;

async function lastDigest(vault: Vault): Promise<string> {
  let last = '';
  for await (const { digest } of readLogBlocks(vault, (await onlyTimeline(vault)).spans[0]!.files))
    last = digest;
  return last;
}

async function mark(
  vault: Vault,
  asOf: bigint,
  options: Partial<BlockOptions> = {},
  to = END,
): Promise<EncodedBlock> {
  const previous = await lastDigest(vault);
  const [block] = await encodeBlocks([changes([], { to, asOf })], { previous, ...options });
  await writeQuietMark(vault, FOLDER, block!);
  return block!;
}

async function until(vault: Vault, trust?: TrustPolicy): Promise<bigint> {
  const timeline = await onlyTimeline(vault);
  assert.deepEqual(timeline.problems, []);
  const keys = { trust: trust!, keyOf: () => Promise.reject(new Error('nothing is sealed')) };
  const opened = trust === undefined ? timeline : { ...timeline, keys };
  return (await readSpanFacts(vault, opened, timeline.spans.at(-1)!)).until;
}

test('the name of a quiet mark says where and until when, and nothing else is such a name', () => {
  const name = FOLDER + quietFileName(50n, 200n);
  assert.deepEqual(parseQuietName(name), { folder: FOLDER, at: 50n, asOf: 200n });
  for (const other of [
    quietFileName(50n, 200n),
    `${name}x`,
    name.replace('.quiet', '.log'),
    `${FOLDER}5-6.quiet`,
  ]) {
    assert.equal(parseQuietName(other), null);
  }
});

test('a log holds until the newest mark that names its last block, and one that goes on is not told by it any longer', async () => {
  const vault = memoryVault();
  await writeSampleLog(vault);
  assert.equal(await until(vault), 99n);
  await mark(vault, 98n);
  assert.equal(await until(vault), 99n, 'an older one tells nothing');
  await mark(vault, 200n);
  await mark(vault, 300n);
  assert.equal(await until(vault), 300n);
  await mark(vault, 400n, { previous: 'a'.repeat(64) });
  await mark(vault, 500n, {}, 40n);
  assert.equal(await until(vault), 300n, 'those of another block or position count for nothing');
  const previous = await lastDigest(vault);
  const [next] = await encodeBlocks([changes([{ commit: 55n, time: 350n }])], { previous });
  await writeLogFile(vault, FOLDER, END, [next!]);
  assert.equal(await until(vault), 350n);
});

test('a mark that is damaged, or has another name than it says, takes nothing away, and a check finds it', async () => {
  const vault = memoryVault();
  await writeSampleLog(vault);
  await mark(vault, 200n);
  const verify = async (quick = false) =>
    (await verifyLog(vault, await onlyTimeline(vault), { quick })).problems;
  assert.deepEqual([...(await verify()), ...(await verify(true))], []);
  const block = await mark(vault, 300n);
  const name = FOLDER + quietFileName(END, 300n);
  const sound = await readObject(vault, name);
  for (let at = 0; at < sound.length; at += 7) {
    const bytes = Buffer.from(sound);
    bytes[at]! ^= 1;
    await overwrite(vault, name, bytes);
    assert.equal(await until(vault), 200n, `byte ${at}`);
    const [problem] = await verify();
    assert.equal(problem?.file, name, `byte ${at}`);
  }
  await vault.removeObject(name);
  await overwrite(vault, FOLDER + quietFileName(END, 301n), Buffer.concat(block.parts));
  assert.equal(await until(vault), 200n);
  assert.match((await verify())[0]!.message, /does not hold what its name says/);
});

test('where signatures count, a mark without one of those who are trusted counts for nothing', async () => {
  const vault = memoryVault();
  await writeSampleLog(vault);
  const [signer, stranger] = [makeSigner(), makeSigner()];
  const trust: TrustPolicy = { trustedSigners: [signer.name], requireSignature: true };
  await mark(vault, 200n, { signer });
  await mark(vault, 300n, { signer: stranger });
  await mark(vault, 400n);
  assert.equal(await until(vault), 400n);
  assert.equal(await until(vault, trust), 200n);
});
