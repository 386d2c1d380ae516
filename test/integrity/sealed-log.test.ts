import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import type { TrustPolicy } from '../../src/core/trust.ts';
import type { Vault } from '../../src/core/vault.ts';
import { type BundleSeal, makeSeal } from '../../src/format/bundle-seal.ts';
import type { EncodedBlock } from '../../src/format/log-block.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { type BlockHeader, encodeHeader } from '../../src/format/log-header.ts';
import { openLogs } from '../../src/format/log-keys.ts';
import { logFileName, logFolder, logScope } from '../../src/format/log-name.ts';
import { lastBlock, readingOf } from '../../src/format/log-reader.ts';
import { writeLogFile } from '../../src/format/log-writer.ts';
import type { ReadKeys } from '../../src/format/open-bundle.ts';
import { verifyLog } from '../../src/integrity/verify/log.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { changes, encodeBlocks, FOLDER, onlyTimeline, readChanges, SOURCE } from '../format/log-batches.ts';
import { overwrite, readObject } from '../harness/memory-backup.ts';
import { keysOf, makeOpenRing, makePerson, makeRing, makeSigner } from '../harness/test-keys.ts';

const anyone = keysOf(makeOpenRing());
const owner = makePerson('owner');
const signer = makeSigner();
const host = { ring: makeRing([owner]), signer };
const asOwner = keysOf(makeRing([], [owner]));
const asStranger = keysOf(makeRing([], [makePerson('stranger')]));
const asHost = keysOf(makeRing([owner]));

const NAME = FOLDER + logFileName(5n, 51n);
const CANARIES = ['canary-stream', 'CanaryHappened', 'canary-payload', 'canary-removed'];

function batches() {
  const events = [1, 2, 3].map((version) => ({
    ...{ streamId: 'canary-stream', version, type: 'CanaryHappened', data: '{"secret":"canary-payload"}' },
  }));
  const removal = { afterEvents: 1, transaction: 0, kind: 'delete', eventId: 'canary-removed' } as const;
  return [
    changes([{ commit: 10n, events: events.slice(0, 2) }], { removals: [removal] }),
    changes([{ commit: 30n, time: 4n, events: events.slice(2) }]),
    changes([{ commit: 50n, time: 9n }]),
  ];
}

function sealIn(vault: Vault, keys = host, folder = FOLDER): Promise<BundleSeal> {
  const about = { folder, scope: logScope(folder), createdAt: '2026-11-23T04:05:06.123Z', software: 'test' };
  return makeSeal(vault, keys, about);
}

async function sealedVault(keys = host): Promise<{ vault: Vault; blocks: EncodedBlock[]; seal: BundleSeal }> {
  const vault = memoryVault();
  const seal = await sealIn(vault, keys);
  const blocks = await encodeBlocks(batches(), { seal, signer: keys.signer });
  await writeLogFile(vault, FOLDER, 5n, blocks);
  return { vault, blocks, seal };
}

async function timelineFor(vault: Vault, keys: ReadKeys) {
  return openLogs(vault, [await onlyTimeline(vault)], keys)[0]!;
}

async function check(vault: Vault, keys: ReadKeys, quick = false) {
  return verifyLog(vault, await timelineFor(vault, keys), { quick });
}

async function readAs(vault: Vault, keys: ReadKeys) {
  const timeline = await timelineFor(vault, keys);
  return readChanges(vault, timeline.spans[0]!.files, readingOf(timeline));
}

/** Writes these blocks in the place of what is there, under the same name. */
async function replaceBlocks(vault: Vault, blocks: readonly { readonly parts: readonly Uint8Array[] }[]) {
  await overwrite(vault, NAME, Buffer.concat(blocks.flatMap(({ parts }) => parts)));
}

/** As somebody would who has no key: digests and `previous` are all in order again. */
function rewrite(blocks: readonly EncodedBlock[], at: number, change: Partial<BlockHeader>): EncodedBlock[] {
  let previous: string | null = null;
  return blocks.map((block, i) => {
    const { signature: _, ...header } = { ...block.header, previous, ...(i === at ? change : {}) };
    const { bytes, digest } = encodeHeader(header);
    previous = digest;
    return { ...block, header, digest, parts: [bytes, ...block.parts.slice(1)] };
  });
}

describe('a sealed log', () => {
  it('gives its owner what was written, to the last field', async () => {
    const { vault } = await sealedVault();
    const plain = memoryVault();
    await writeLogFile(plain, FOLDER, 5n, await encodeBlocks(batches()));
    const contents = async (read: ReturnType<typeof readAs>) =>
      (await read).map(({ transactions, events, removals }) => ({ transactions, events, removals }));
    assert.deepEqual(await contents(readAs(vault, asOwner)), await contents(readAs(plain, asOwner)));
    const { problems, events, contentsChecked, signedBy, blocksUnsigned } = await check(vault, asOwner);
    assert.deepEqual(
      { problems, events, contentsChecked },
      { problems: [], events: 3, contentsChecked: true },
    );
    assert.deepEqual([signedBy, blocksUnsigned], [[signer.name], 0]);
  });

  it('shows its headers to everybody, and nothing of its contents', async () => {
    const { vault } = await sealedVault();
    const end = await lastBlock(vault, await onlyTimeline(vault));
    assert.deepEqual([end!.position, end!.header.asOf], [51n, 9n]);
    for (const name of [NAME, ...(await keyRecords(vault))]) {
      const bytes = await readObject(vault, name);
      for (const canary of CANARIES) assert.ok(!bytes.includes(canary), `${canary} in ${name}`);
    }
    await assert.rejects(readAs(vault, asHost), { code: 'key_missing' });
    await assert.rejects(readAs(vault, asStranger), { code: 'key_wrong' });
    const { spans } = await onlyTimeline(vault);
    await assert.rejects(readChanges(vault, spans[0]!.files), (error) => {
      return isBackupError(error, 'key_missing') && /--identity/.test(error.hint ?? '');
    });
    const { problems, contentsChecked } = await check(vault, asHost);
    assert.deepEqual({ problems, contentsChecked }, { problems: [], contentsChecked: false });
  });

  it('shows a byte that was flipped, wherever it is, with a key and without', async () => {
    const vault = memoryVault();
    const keys = { ring: makeOpenRing(), signer };
    const options = { seal: await sealIn(vault, keys), signer };
    const { name: file } = await writeLogFile(
      vault,
      FOLDER,
      5n,
      await encodeBlocks(batches().slice(0, 1), options),
    );
    for (const name of [file, ...(await keyRecords(vault))]) {
      const bytes = await readObject(vault, name);
      for (let at = 0; at < bytes.length; at += 1) {
        const flipped = Buffer.from(bytes);
        flipped[at] = flipped[at]! ^ (1 << (at % 8));
        await overwrite(vault, name, flipped);
        for (const reader of at % 5 === 0 ? [anyone, asHost] : [anyone]) {
          const { problems } = await check(vault, reader);
          assert.ok(problems.length > 0, `byte ${at} of ${name}`);
        }
      }
      await overwrite(vault, name, bytes);
    }
    assert.deepEqual((await check(vault, anyone)).problems, []);
  });

  it('does not open under a header that somebody changed and gave its digests anew', async () => {
    const { vault, blocks } = await sealedVault({ ring: makeOpenRing(), signer });
    const { source, sealing, parts } = blocks[1]!.header;
    const changed: Partial<BlockHeader>[] = [
      { asOf: 5n },
      { to: 32n },
      { firstCommit: 29n, lastCommit: 29n },
      { earliest: 3n },
      { latest: 5n },
      { horizon: { position: 30n, xid: 7n } },
      { source: { ...source, database: 'other' } },
      { format: 'jsonl' },
      { compression: 'none' },
      { previous: 'a'.repeat(64) },
      { parts: parts.map((part) => ({ ...part, plainBytes: part.plainBytes + 1 })) },
      { parts: [{ ...parts[0]!, records: 2 }, ...parts.slice(1)] },
      { parts: parts.slice(-1) },
      { sealing: { ...sealing!, memoryKeyId: null, lastEvent: null } },
    ];
    for (const change of changed) {
      await replaceBlocks(vault, rewrite(blocks, 1, change));
      const { problems } = await check(vault, anyone);
      assert.ok(problems.length > 0, JSON.stringify(Object.keys(change)));
    }
    await replaceBlocks(vault, rewrite(blocks, 1, {}));
    const { problems } = await check(vault, anyone);
    // Without the signatures, which are in the digests, each block but the first is tied to another one than it was.
    assert.deepEqual([...new Set(problems.map(({ chunk }) => chunk))], [1, 2]);
  });

  it('shows blocks that were swapped, left out, doubled or cut, and those of another log', async () => {
    const { vault, blocks } = await sealedVault({ ring: makeOpenRing(), signer });
    const [a, b, c] = blocks as [EncodedBlock, EncodedBlock, EncodedBlock];
    const other = await encodeBlocks(batches(), {
      seal: await sealIn(vault, { ring: makeOpenRing(), signer }),
    });
    const elsewhere = logFolder({ ...SOURCE, timeline: 2 });
    const twin = await sealIn(memoryVault(), { ring: makeOpenRing(), signer }, elsewhere);
    const replayed = await encodeBlocks(batches(), {
      seal: { ...twin, data: { ...twin.data, key: (await sealedKey(vault, a)) ?? twin.data.key } },
    });
    for (const wrong of [
      [b, a, c],
      [a, c],
      [a, b],
      [a, b, b, c],
      [{ parts: a.parts.slice(0, -1) }, b, c],
      [{ parts: [a.parts[0]!, a.parts[2]!, a.parts[1]!, ...a.parts.slice(3)] }, b, c],
      [a, { parts: [b.parts[0]!, ...other[1]!.parts.slice(1)] }, c],
      [a, other[1]!, c],
      rewrite(replayed, 1, { sealing: a.header.sealing! }),
    ]) {
      await replaceBlocks(vault, wrong);
      assert.notDeepEqual((await check(vault, anyone)).problems, []);
    }
    await replaceBlocks(vault, [a, b, c]);
    assert.deepEqual((await check(vault, anyone)).problems, []);
  });

  it('says when the record of its key is gone, damaged, or that of another key', async () => {
    for (const keys of [asOwner, asHost]) {
      const { vault } = await sealedVault();
      const [name] = await keyRecords(vault);
      const record = await readObject(vault, name!);
      await vault.removeObject(name!);
      const codes = async () => (await check(vault, keys)).problems.map(({ code }) => code);
      assert.deepEqual(await codes(), ['key_record_missing']);
      await assert.rejects(readAs(vault, keys), (error) => {
        return isBackupError(error, 'damaged') && /another copy/.test(error.hint ?? '');
      });
      const { vault: other } = await sealedVault();
      await overwrite(vault, name!, await readObject(other, (await keyRecords(other))[0]!));
      assert.deepEqual(await codes(), ['key_record_damaged']);
      await overwrite(vault, name!, record);
      await sealIn(vault);
      assert.deepEqual(await codes(), [], 'a record that nothing was sealed with harms nobody');
    }
  });

  it('is refused where a signature is forged, or none of those that are asked for', async () => {
    const trusting = (trust: TrustPolicy): ReadKeys => ({ ...asOwner, trust });
    const strict = trusting({ trustedSigners: [signer.name], requireSignature: true });
    const { vault, blocks } = await sealedVault();
    await readAs(vault, strict);
    const stranger = makeSigner();
    const forged = blocks.map((block, i) => {
      const { signature } = block.header;
      const header = { ...block.header, signature: { ...signature!, signer: stranger.name } };
      return i < 2 ? block : { parts: [encodeHeader(header).bytes, ...block.parts.slice(1)] };
    });
    await replaceBlocks(vault, forged);
    const { problems } = await check(vault, asHost);
    assert.deepEqual(
      problems.map(({ code, chunk }) => ({ code, chunk })),
      [{ code: 'signature_invalid', chunk: 2 }],
    );
    await assert.rejects(readAs(vault, asOwner), { code: 'signature_invalid' });
    for (const other of [
      { ...host, signer: stranger },
      { ring: host.ring, signer: null },
    ]) {
      const { vault: unknown } = await sealedVault(other as typeof host);
      await readAs(unknown, asOwner);
      await assert.rejects(readAs(unknown, strict), { code: 'signature_invalid' });
      assert.equal((await check(unknown, strict)).problems.length, 3);
      assert.equal((await check(unknown, asOwner)).problems.length, 0);
    }
  });

  it('may be signed and not sealed', async () => {
    const vault = memoryVault();
    await writeLogFile(vault, FOLDER, 5n, await encodeBlocks(batches(), { signer }));
    const { problems, signedBy, contentsChecked } = await check(vault, asStranger);
    assert.deepEqual(
      { problems, signedBy, contentsChecked },
      {
        problems: [],
        ...{ signedBy: [signer.name], contentsChecked: true },
      },
    );
  });
});

async function keyRecords(vault: Vault): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of vault.list(`${FOLDER}key-`)) names.push(name);
  return names;
}

async function sealedKey(vault: Vault, { header }: EncodedBlock) {
  const [timeline] = openLogs(vault, await readLogCatalog(vault), anyone);
  return timeline!.keys!.keyOf(header.sealing!.keyId);
}
