import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { describe, it } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import type { Manifest } from '../../src/core/manifest.ts';
import type { Vault } from '../../src/core/vault.ts';
import { MANIFEST_NAME } from '../../src/format/bundle.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { encodeIndex } from '../../src/format/chunk-index.ts';
import { readIndex } from '../../src/format/data-file-reader.ts';
import { bundleChecksum, encodeManifest } from '../../src/format/manifest-codec.ts';
import { openChain, type ReadKeys } from '../../src/format/open-bundle.ts';
import { ONLY_PIECE, type Seal, sealPiece } from '../../src/format/seal.ts';
import { restoreBackup } from '../../src/recovery/restore.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { nextInstant } from '../harness/chain.ts';
import {
  backUp,
  objectNames,
  overwrite,
  readObject,
  testClock,
  verifyAll,
} from '../harness/memory-backup.ts';
import { keysOf, makePerson, makeRing, makeSigner } from '../harness/test-keys.ts';
import { itFindsEachSealedByte } from './every-byte.ts';

/** Whoever may write into a vault can make every digest fit again. These tests do, wherever it takes no key. */

const owner = makePerson('owner');
const signer = makeSigner();
const host = keysOf(makeRing([owner]), signer);
const asOwner = keysOf(makeRing([], [owner]), signer);

async function smallStore(events = 24) {
  const store = memoryStore();
  await store.initialise();
  for (let i = 0; i < events; i += 1) {
    const event = { type: 'Placed', data: `{"i":${i},"text":"${'x'.repeat(i * 7)}"}` };
    await store.append([{ streamId: `order-${i % 4}`, events: [event] }]);
  }
  return store;
}

const sha256 = (bytes: Uint8Array): string => crypto.hash('sha256', bytes, 'hex');

async function one(vault: Vault, keys: ReadKeys = asOwner) {
  const { backups } = await readCatalog(vault);
  return (await openChain(vault, backups.slice(-1), keys, 'nothing'))[0]!;
}

async function restoreError(vault: Vault, keys: ReadKeys = asOwner): Promise<string> {
  const options = { replace: false, checkpoints: 'keep', parallel: 1 } as const;
  try {
    const { backups } = await readCatalog(vault);
    const chain = await openChain(vault, backups.slice(-1), keys, 'all');
    await restoreBackup({ target: memoryStore(), vault, clock: testClock }, chain, options);
  } catch (error) {
    assert.ok(isBackupError(error), String(error));
    return error.code;
  }
  return 'restored';
}

/** Writes a manifest with all checksums that take no key. */
async function forgeManifest(vault: Vault, folder: string, manifest: Manifest): Promise<void> {
  const whole = { ...manifest, checksum: bundleChecksum(manifest.files) };
  await overwrite(vault, folder + MANIFEST_NAME, encodeManifest(whole));
}

async function assertRefused(vault: Vault, what: string): Promise<void> {
  const [result] = await verifyAll(vault, false, asOwner);
  assert.equal(result?.overallValid, false, `${what}: verified`);
  assert.match(await restoreError(vault), /^(damaged|signature_invalid|verification_failed)$/, what);
}

/** All of them are tried by the long tests. */
const STEP = 11;

describe('damage of a small sealed backup is found', () => {
  itFindsEachSealedByte(STEP);
});

describe('somebody who may write into a sealed vault, and makes all digests fit', () => {
  /** Replaces the bytes of an event file, and of its table by one that somebody without the key can make. */
  async function forgeFile(vault: Vault, change: (chunks: Buffer[]) => Buffer[]): Promise<void> {
    const { folder, manifest, keys } = await one(vault);
    const file = manifest.files.find(({ role }) => role === 'events')!;
    const seal: Seal = { key: keys!.data!, scope: manifest.backupId };
    const entries = await readIndex(vault, folder, file, seal);
    const bytes = await readObject(vault, folder + file.name);
    const pieces = entries.map(({ offset, storedBytes }) => bytes.subarray(offset, offset + storedBytes));
    const changed = change(pieces);
    let offset = 0;
    const rows = changed.map((piece) => {
      const entry = entries[pieces.findIndex((own) => own.equals(piece))] ?? entries[0]!;
      const row = { ...entry, offset, storedBytes: piece.length, sha256: sha256(piece) };
      offset += piece.length;
      return row;
    });
    const whole = Buffer.concat(changed);
    // The table too is sealed; the tests give more than an attacker has, so that the chunks' own seals are what is tested.
    const table = sealPiece(seal, { file: file.index.name, ...ONLY_PIECE }, encodeIndex(file.name, rows));
    await overwrite(vault, folder + file.name, whole);
    await overwrite(vault, folder + file.index.name, table);
    const index = { ...file.index, sizeBytes: table.length, sha256: sha256(table) };
    const sizes = { sizeBytes: whole.length, sha256: sha256(whole), chunks: changed.length };
    const forged = { ...file, ...sizes, index };
    const files = manifest.files.map((other) => (other === file ? forged : other));
    await forgeManifest(vault, folder, { ...manifest, files });
  }

  const changes: Record<string, (chunks: Buffer[]) => Buffer[]> = {
    'two chunks exchanged': ([a, b, ...rest]) => [b!, a!, ...rest],
    'the last chunk cut off': (chunks) => chunks.slice(0, -1),
    'the first chunk cut off': (chunks) => chunks.slice(1),
    'a chunk doubled': ([a, ...rest]) => [a!, a!, ...rest],
    'all chunks reversed': (chunks) => chunks.toReversed(),
  };
  for (const [what, change] of Object.entries(changes)) {
    it(`cannot have ${what}`, async () => {
      const vault = memoryVault();
      await backUp(await smallStore(), vault, { chunkBytes: 600 }, { ...host, signer: null });
      await forgeFile(vault, (chunks) => {
        assert.ok(chunks.length > 2);
        return change(chunks);
      });
      await assertRefused(vault, what);
    });
  }

  it('cannot put in chunks of another backup of the same events', async () => {
    const [vault, other] = [memoryVault(), memoryVault()];
    const store = await smallStore();
    await backUp(store, vault, { chunkBytes: 600, format: 'jsonl' }, host);
    await backUp(store, other, { chunkBytes: 600, format: 'jsonl' }, host);
    const [mine, theirs] = [await one(vault), await one(other)];
    for (const role of ['events', 'heads'] as const) {
      const file = theirs.manifest.files.find((candidate) => candidate.role === role)!;
      for (const name of [file.name, file.index.name])
        await overwrite(vault, mine.folder + name, await readObject(other, theirs.folder + name));
      const files = mine.manifest.files.map((own) => (own.role === role ? file : own));
      await forgeManifest(vault, mine.folder, { ...mine.manifest, files });
      await assertRefused(vault, role);
    }
  });

  it('cannot pass off the manifest of another backup, nor its key records', async () => {
    const [vault, other] = [memoryVault(), memoryVault()];
    await backUp(await smallStore(), vault, {}, host);
    await backUp(await smallStore(5), other, {}, host);
    const [mine, theirs] = [await one(vault), await one(other)];
    const renamed = { ...theirs.manifest, backupId: mine.manifest.backupId };
    for (const name of await objectNames(other)) {
      const file = name.slice(theirs.folder.length);
      await overwrite(vault, mine.folder + file, await readObject(other, name));
    }
    await forgeManifest(vault, mine.folder, renamed);
    await assertRefused(vault, 'a whole bundle under another id');
  });

  it('cannot change what a manifest says', async () => {
    const edits: Partial<Manifest>[] = [
      { createdAt: '2020-01-01T00:00:00.000Z' },
      { software: 'someone' },
      { cursor: { kind: 'memory', position: '1' } },
      { level: 3 },
    ];
    for (const keys of [host, { ...host, signer: null }]) {
      for (const edit of edits) {
        const vault = memoryVault();
        await backUp(await smallStore(), vault, {}, keys);
        const { folder, manifest } = await one(vault);
        await forgeManifest(vault, folder, { ...manifest, ...edit });
        await assertRefused(vault, JSON.stringify(edit));
      }
    }
  });

  it('cannot sign for another, and is found where a known signer is required', async () => {
    const vault = memoryVault();
    const store = await smallStore();
    // Everybody knows the recipients, so anybody can seal for them: only a signature tells who did.
    await backUp(store, vault, {}, { ring: host.ring, signer: makeSigner() });
    const strict = { ...asOwner, trust: { trustedSigners: [signer.name], requireSignature: true } };
    assert.equal(await restoreError(vault), 'restored');
    assert.equal(await restoreError(vault, strict), 'signature_invalid');
    const [byStranger] = await verifyAll(vault, false, strict);
    assert.deepEqual([byStranger?.overallValid, byStranger?.signature.state], [false, 'stranger']);
    await nextInstant();
    await backUp(store, vault, {}, { ring: host.ring, signer: null });
    assert.equal(await restoreError(vault, strict), 'signature_invalid');
    assert.equal((await verifyAll(vault, false, strict))[1]?.signature.state, 'unsigned');
    const { folder, manifest } = await one(vault);
    const stolen = { signer: signer.name, value: Buffer.alloc(64).toString('base64') };
    await forgeManifest(vault, folder, { ...manifest, signature: stolen });
    assert.equal(await restoreError(vault), 'signature_invalid');
    assert.equal((await verifyAll(vault, false, asOwner))[1]?.signature.state, 'forged');
  });

  it('cannot have a seal that is not known taken for one that is', async () => {
    const vault = memoryVault();
    await backUp(await smallStore(), vault, {}, host);
    const { folder, manifest } = await one(vault);
    const odd = [
      { ...manifest.sealing!, cipher: 'ROT-13' },
      { ...manifest.sealing!, also: 'something' },
    ];
    for (const sealing of odd) {
      await forgeManifest(vault, folder, { ...manifest, sealing } as Manifest);
      const { damaged } = await readCatalog(vault);
      assert.match(damaged[0]!.message, /sealed in a way that is not known/);
    }
    const { sealing: _, tag: __, ...plain } = manifest;
    await forgeManifest(vault, folder, { ...plain, sealed: false });
    await assertRefused(vault, 'passed off as plain');
  });

  it('is found when key records are gone', async () => {
    const vault = memoryVault();
    await backUp(await smallStore(), vault, {}, host);
    for (const name of await objectNames(vault)) if (name.includes('/key-')) await vault.removeObject(name);
    for (const keys of [host, asOwner]) {
      const [result] = await verifyAll(vault, false, keys);
      assert.deepEqual(
        result?.problems.map(({ code }) => code),
        ['key_record_missing'],
      );
    }
    assert.equal(await restoreError(vault), 'damaged');
  });
});
