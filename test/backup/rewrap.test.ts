import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type RewrapOptions, rewrapKeys } from '../../src/backup/rewrap.ts';
import { type ErrorCode, isBackupError } from '../../src/core/errors.ts';
import type { Vault } from '../../src/core/vault.ts';
import { encodeKeyRecord, type KeyRecord, unwrapKey, writeNewKey } from '../../src/format/key-record.ts';
import type { ReadKeys } from '../../src/format/open-bundle.ts';
import { makeSealKey } from '../../src/format/seal.ts';
import { newestRecord, readVaultKeys, recordPath } from '../../src/format/vault-keys.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { faultyVault } from '../harness/faulty-vault.ts';
import { objectNames, overwrite, readObject } from '../harness/memory-backup.ts';
import { keysOf, makePerson, makeRing, makeSigner } from '../harness/test-keys.ts';

const [owner, heir, stranger] = ['owner', 'heir', 'stranger'].map(makePerson) as [Person, Person, Person];
type Person = ReturnType<typeof makePerson>;
const signer = makeSigner();
const asOwner = keysOf(makeRing([], [owner]), signer);
const asHeir = keysOf(makeRing([], [heir]), signer);
const FOLDERS = ['backups/a.eventcore/', 'backups/b.eventcore/', 'log/17-1/'];

async function sealedVault(): Promise<Vault> {
  const vault = memoryVault();
  for (const folder of FOLDERS) {
    const about = { folder, scope: folder, createdAt: 'then', software: 'test' };
    await writeNewKey(vault, makeSealKey(), makeRing([owner]), signer, about);
  }
  return vault;
}

function rewrap(vault: Vault, keys: ReadKeys, options: Partial<RewrapOptions>) {
  const defaults = { apply: true, removeSuperseded: false, createdAt: 'now', software: 'test' };
  return rewrapKeys({ ...defaults, vault, keys, add: makeRing([]), drop: [], ...options });
}

async function whoOpens(vault: Vault): Promise<string[][]> {
  const all: string[][] = [];
  for (const key of await readVaultKeys(vault)) {
    const record = newestRecord(key);
    const names: string[] = [];
    for (const person of [owner, heir, stranger]) {
      const about = { keyId: key.keyId, scope: record.scope };
      const opened = await unwrapKey([record], about, makeRing([], [person])).catch(() => null);
      if (opened !== null) names.push(person.name);
    }
    all.push(names);
  }
  return all;
}

const recordNames = async (vault: Vault): Promise<string[]> =>
  (await readVaultKeys(vault)).flatMap((key) => key.records.map((record) => recordPath(key, record)));

describe('wrapping the keys of a vault anew', () => {
  it('lets one in and another go, over backups and logs, in new signed records', async () => {
    const vault = await sealedVault();
    const before = await recordNames(vault);
    const texts = await Promise.all(before.map((name) => readObject(vault, name)));
    const report = await rewrap(vault, asOwner, { add: makeRing([heir]), drop: ['owner'] });
    assert.equal(report.keys, 3);
    assert.deepEqual(await whoOpens(vault), [['heir'], ['heir'], ['heir']]);
    for (const key of await readVaultKeys(vault)) {
      assert.deepEqual(
        key.records.map(({ number, signature }) => [number, signature?.signer]),
        [
          [2, signer.name],
          [1, signer.name],
        ],
      );
    }
    assert.deepEqual(
      await Promise.all(before.map((name) => readObject(vault, name))),
      texts,
      'nothing changed',
    );
  });

  it('leaves the copies of those who stay as they are, whoever they say they are', async () => {
    const vault = await sealedVault();
    // Somebody who can write to the vault names himself, with a copy that is none.
    const [key] = await readVaultKeys(vault);
    const record = newestRecord(key!);
    const planted = { kind: 'test', recipient: 'stranger', wrapped: 'AAAA' };
    const forged: KeyRecord = { ...record, number: 2, recipients: [...record.recipients, planted] };
    await overwrite(vault, recordPath(key!, forged), encodeKeyRecord(forged, null));
    await rewrap(vault, asOwner, { add: makeRing([heir]) });
    assert.deepEqual(await whoOpens(vault), [
      ['owner', 'heir'],
      ['owner', 'heir'],
      ['owner', 'heir'],
    ]);
  });

  it('that is only looked at writes nothing, and finds what could not be opened', async () => {
    const vault = await sealedVault();
    const before = await objectNames(vault);
    const options = { add: makeRing([heir]), drop: ['owner'], apply: false, removeSuperseded: true };
    const report = await rewrap(vault, asOwner, options);
    assert.deepEqual(
      report.steps.map(({ added, dropped, kept }) => [added, dropped, kept]),
      Array(3).fill([['heir'], ['owner'], []]),
    );
    assert.equal(report.removed.length, 3);
    await refuses(
      rewrap(vault, keysOf(makeRing([], [stranger]), signer), options),
      'key_wrong',
      /key [0-9a-f]{32} of backups/,
    );
    assert.deepEqual(await objectNames(vault), before);
  });

  it('finds that all is as it should be, and then needs no identity that opens', async () => {
    const vault = await sealedVault();
    await rewrap(vault, asOwner, { add: makeRing([heir]) });
    const before = await recordNames(vault);
    const again = await rewrap(vault, keysOf(makeRing([], [stranger])), { add: makeRing([heir]) });
    assert.equal(
      again.steps.some(({ isNeeded }) => isNeeded),
      false,
    );
    assert.deepEqual(await recordNames(vault), before);
  });

  it('that dies at any call goes on when it is run again, and every key opens in between', async () => {
    const options = { add: makeRing([heir]), drop: ['owner'], removeSuperseded: true };
    const counting = faultyVault(await sealedVault(), {});
    await rewrap(counting.vault, asOwner, options);
    assert.ok(counting.calls() > 15);
    for (let failAt = 1; failAt <= counting.calls(); failAt += 1) {
      const vault = await sealedVault();
      await assert.rejects(rewrap(faultyVault(vault, { failAt, forGood: true }).vault, asOwner, options));
      for (const names of await whoOpens(vault)) assert.equal(names.length, 1, `after call ${failAt}`);
      await rewrap(vault, keysOf(makeRing([], [owner, heir]), signer), options);
      assert.deepEqual(await whoOpens(vault), [['heir'], ['heir'], ['heir']], `after call ${failAt}`);
      assert.equal((await recordNames(vault)).length, 3, `after call ${failAt}`);
    }
  });

  it('removes what is superseded only where the newer record is known to open', async () => {
    const vault = await sealedVault();
    await rewrap(vault, asOwner, { add: makeRing([heir]), drop: ['owner'] });
    const kept = await rewrap(vault, asOwner, { removeSuperseded: true });
    assert.deepEqual([kept.removed.length, kept.stay.length], [0, 3]);
    assert.equal((await recordNames(vault)).length, 6);
    const removed = await rewrap(vault, asHeir, { removeSuperseded: true });
    assert.deepEqual([removed.removed.length, removed.stay.length], [3, 0]);
    assert.ok((await recordNames(vault)).every((name) => name.endsWith('-2.json')));
    assert.deepEqual(await whoOpens(vault), [['heir'], ['heir'], ['heir']]);
  });

  it('refuses to leave nobody who could open, and to let in whom it drops', async () => {
    const vault = await sealedVault();
    await refuses(rewrap(vault, asOwner, { drop: ['owner'] }), 'usage', /nobody could open/);
    const both = { add: makeRing([owner]), drop: ['owner'] };
    await refuses(rewrap(vault, asOwner, both), 'usage', /both to be added and to be dropped/);
    assert.equal((await recordNames(vault)).length, 3);
  });

  it('refuses a forged record, one that the policy does not trust, and to write unsigned ones against it', async () => {
    const vault = await sealedVault();
    const trust = { trustedSigners: [signer.name], requireSignature: true };
    const add = makeRing([heir]);
    await refuses(
      rewrap(vault, { ...asOwner, signer: null, trust }, { add }),
      'key_missing',
      /must be signed/,
    );
    const other = { trustedSigners: [makeSigner().name], requireSignature: true };
    await refuses(
      rewrap(vault, { ...asOwner, trust: other }, { add }),
      'signature_invalid',
      /who is not trusted/,
    );
    const [key] = await readVaultKeys(vault);
    const record = newestRecord(key!);
    const forger = { ...makeSigner(), name: signer.name };
    const forged = { ...record, number: 2, createdAt: 'later' };
    await overwrite(vault, recordPath(key!, forged), encodeKeyRecord(forged, forger));
    await refuses(rewrap(vault, asOwner, { add }), 'signature_invalid', /did not make/);
    assert.deepEqual(await whoOpens(vault), [['owner'], ['owner'], ['owner']]);
  });
});

async function refuses(work: Promise<unknown>, code: ErrorCode, message: RegExp): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(isBackupError(error, code), String(error));
    assert.match(error.message, message);
    return true;
  });
}
