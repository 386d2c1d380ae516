import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBackupError } from '../core/errors.ts';
import type { KeyRing, WrappedKey } from '../core/key-ring.ts';
import { exportSealKey, makeSealKey, sealKeyId } from '../format/seal.ts';

export interface KeyRingFixture {
  /** Seals for one recipient, and opens as it. */
  readonly owner: () => Promise<KeyRing>;
  /** Seals for the same recipient, and opens nothing; null where the two cannot be apart, as with a passphrase. */
  readonly sealer: (() => Promise<KeyRing>) | null;
  /** Of the same kind, and of somebody else. */
  readonly stranger: () => Promise<KeyRing>;
}

/** What every ring of keys must keep to. */
export function keyRingContract(options: { readonly name: string } & KeyRingFixture): void {
  describe(`the key ring ${options.name}`, () => {
    opensItsOwn(options);
    opensNothingElse(options);
  });
}

function opensItsOwn({ owner, sealer, stranger }: KeyRingFixture): void {
  it('wraps a key for its recipient, and opens it', async () => {
    const ring = await owner();
    const { key, keyId } = makeKey();
    const wrapped = await ring.wrap(key, keyId);
    assert.deepEqual(
      wrapped.map(({ recipient }) => recipient),
      ring.recipients,
    );
    assert.equal(ring.recipients.length, 1);
    assert.equal(ring.canOpen, true);
    assert.deepEqual(Buffer.from(await ring.unwrap(wrapped, keyId)), key);
  });

  it('opens what another process wrapped', async () => {
    const { key, keyId } = makeKey();
    const wrapped = JSON.parse(JSON.stringify(await (await owner()).wrap(key, keyId))) as WrappedKey[];
    assert.deepEqual(Buffer.from(await (await owner()).unwrap(wrapped, keyId)), key);
  });

  it('wraps anew each time, in base64, and shows nothing of the key', async () => {
    const ring = await owner();
    const { key, keyId } = makeKey();
    const [[first], [second]] = [await ring.wrap(key, keyId), await ring.wrap(key, keyId)];
    assert.notEqual(first!.wrapped, second!.wrapped);
    const bytes = Buffer.from(first!.wrapped, 'base64');
    assert.equal(bytes.toString('base64'), first!.wrapped);
    assert.equal(bytes.includes(key.subarray(0, 8)), false);
  });

  if (sealer !== null) {
    it('wraps with public keys alone, and then opens nothing', async () => {
      const ring = await sealer();
      const { key, keyId } = makeKey();
      const wrapped = await ring.wrap(key, keyId);
      assert.equal(ring.canOpen, false);
      await assert.rejects(ring.unwrap(wrapped, keyId), (error) => isBackupError(error, 'key_missing'));
      assert.deepEqual(Buffer.from(await (await owner()).unwrap(wrapped, keyId)), key);
    });
  }

  it('finds its own among those of several recipients', async () => {
    const ring = await owner();
    const { key, keyId } = makeKey();
    const wrapped = [...(await (await stranger()).wrap(key, keyId)), ...(await ring.wrap(key, keyId))];
    assert.deepEqual(Buffer.from(await ring.unwrap(wrapped, keyId)), key);
    assert.deepEqual(Buffer.from(await ring.unwrap(wrapped.reverse(), keyId)), key);
  });
}

function opensNothingElse({ owner, stranger }: KeyRingFixture): void {
  it('does not open what is wrapped for somebody else, and says for whom', async () => {
    const other = await stranger();
    const { key, keyId } = makeKey();
    const wrapped = await other.wrap(key, keyId);
    await assert.rejects(
      (await owner()).unwrap(wrapped, keyId),
      (error) => isBackupError(error, 'key_wrong') && namesIn(error.message, other.recipients),
    );
  });

  it('gives no key for one that was changed', async () => {
    const ring = await owner();
    const { key, keyId } = makeKey();
    const [whole] = await ring.wrap(key, keyId);
    const bytes = Buffer.from(whole!.wrapped, 'base64');
    const step = Math.max(1, Math.floor(bytes.length / 40));
    for (let place = 0; place < bytes.length; place += step) {
      const changed = Buffer.from(bytes);
      changed[place]! ^= 1;
      await refuses(ring, { ...whole!, wrapped: changed.toString('base64') }, keyId);
    }
  });

  it('gives no key for one that was cut off, is no base64, or longer than any', async () => {
    const ring = await owner();
    const { key, keyId } = makeKey();
    const [whole] = await ring.wrap(key, keyId);
    const bytes = Buffer.from(whole!.wrapped, 'base64');
    for (const length of [0, 1, 16, bytes.length >> 1, bytes.length - 17, bytes.length - 1]) {
      await refuses(ring, { ...whole!, wrapped: bytes.subarray(0, length).toString('base64') }, keyId);
    }
    for (const wrapped of ['%', `${whole!.wrapped}\n`, Buffer.alloc(1 << 20).toString('base64')]) {
      await refuses(ring, { ...whole!, wrapped }, keyId);
    }
  });

  it('prefers the key that has the name to one that was put before it', async () => {
    const ring = await owner();
    const { key, keyId } = makeKey();
    const wrapped = [...(await ring.wrap(makeKey().key, keyId)), ...(await ring.wrap(key, keyId))];
    assert.deepEqual(Buffer.from(await ring.unwrap(wrapped, keyId)), key);
  });

  it('gives no key where none is wrapped', async () => {
    await assert.rejects((await owner()).unwrap([], makeKey().keyId), (error) =>
      isBackupError(error, 'key_wrong'),
    );
  });
}

function makeKey(): { key: Buffer; keyId: string } {
  const key = makeSealKey();
  return { key: Buffer.from(exportSealKey(key)), keyId: sealKeyId(key) };
}

async function refuses(ring: KeyRing, wrapped: WrappedKey, keyId: string): Promise<void> {
  await assert.rejects(ring.unwrap([wrapped], keyId), (error) => isBackupError(error, 'key_wrong'));
}

function namesIn(message: string, names: readonly string[]): boolean {
  // A long name is shown by how it begins.
  return names.every((name) => message.includes(name.slice(0, 24)));
}
