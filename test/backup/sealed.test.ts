import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { consolidateChain } from '../../src/backup/consolidate.ts';
import { takeIncrementalBackup } from '../../src/backup/incremental.ts';
import { isBackupError } from '../../src/core/errors.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import { CHUNK_FORMATS, COMPRESSIONS } from '../../src/core/manifest.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { newestRestorePoint } from '../../src/format/chain.ts';
import { type OpenNeed, openChain, type ReadKeys } from '../../src/format/open-bundle.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { restoreBackup } from '../../src/recovery/restore.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { addIncremental, nextInstant } from '../harness/chain.ts';
import {
  backUp,
  backupDefaults,
  objectNames,
  readObject,
  testClock,
  verifyAll,
} from '../harness/memory-backup.ts';
import { keysOf, makePerson, makeRing, makeSigner } from '../harness/test-keys.ts';

const [owner, deputy, stranger] = ['owner', 'deputy', 'stranger'].map(makePerson) as [
  ReturnType<typeof makePerson>,
  ReturnType<typeof makePerson>,
  ReturnType<typeof makePerson>,
];
const signer = makeSigner();
/** The host that writes: it has public keys and its own signing key, and opens nothing. */
const host = keysOf(makeRing([owner, deputy]), signer);
const asOwner = keysOf(makeRing([], [owner]));

/** Nothing of these may be found in a sealed vault. */
const SECRETS = ['canary-stream', 'CanaryHappened', 'canary-payload', 'canary-metadata'];

async function makeStore(): Promise<EventStore> {
  const store = memoryStore();
  await store.initialise();
  await grow(store, 30);
  return store;
}

async function grow(store: EventStore, events: number): Promise<void> {
  for (let i = 0; i < events; i += 1) {
    const event = {
      type: 'CanaryHappened',
      data: `{"secret":"canary-payload-${i}"}`,
      metadata: '{"by":"canary-metadata"}',
    };
    await store.append([{ streamId: `canary-stream-${i % 7}`, events: [event] }]);
  }
  await nextInstant();
}

async function newest(vault: Vault, keys: ReadKeys | null, need: OpenNeed = 'all') {
  const { chain } = newestRestorePoint(await readCatalog(vault), vault.address);
  return openChain(vault, chain, keys, need);
}

async function restoreAs(vault: Vault, keys: ReadKeys | null) {
  const target = memoryStore();
  const options = { replace: false, checkpoints: 'keep', parallel: 2 } as const;
  await restoreBackup({ target, vault, clock: testClock }, await newest(vault, keys), options);
  return digestStore(target);
}

async function assertNothingShows(vault: Vault): Promise<void> {
  for (const name of await objectNames(vault)) {
    const bytes = await readObject(vault, name);
    for (const secret of SECRETS) {
      assert.ok(!bytes.includes(secret), `${secret} shows in ${name}`);
      const encoded = Buffer.from(secret).toString('base64').replace(/=+$/, '').slice(0, -1);
      assert.ok(!bytes.includes(encoded), `${secret} shows in ${name} as base64`);
    }
  }
}

const failsWith = (code: string) => (error: unknown) => isBackupError(error) && error.code === code;

describe('a sealed backup', () => {
  for (const format of CHUNK_FORMATS) {
    for (const compression of COMPRESSIONS) {
      it(`shows nothing of its events and gives each back to who may open it: ${format}, ${compression}`, async () => {
        const store = await makeStore();
        const vault = memoryVault();
        const { manifest } = await backUp(store, vault, { format, compression, chunkBytes: 600 }, host);
        assert.equal(manifest.sealed, true);
        await assertNothingShows(vault);
        for (const who of [owner, deputy]) {
          const keys = keysOf(makeRing([], [stranger, who]));
          assert.deepEqual(await restoreAs(vault, keys), await digestStore(store));
        }
        const [result] = await verifyAll(vault, false, asOwner);
        assert.deepEqual([result?.overallValid, result?.eventsValid], [true, true]);
        assert.deepEqual(result?.signature, { state: 'signed', signer: signer.name });
      });
    }
  }

  it('opens for nobody else, and says what is missing', async () => {
    const vault = memoryVault();
    await backUp(await makeStore(), vault, {}, host);
    await assert.rejects(restoreAs(vault, null), failsWith('key_missing'));
    await assert.rejects(restoreAs(vault, host), failsWith('key_missing'));
    await assert.rejects(restoreAs(vault, keysOf(makeRing([], [stranger]))), failsWith('key_wrong'));
  });

  it('leaves nothing behind when its key cannot be wrapped', async () => {
    const vault = memoryVault();
    const broken = { ...host.ring, wrap: () => Promise.reject(new Error('the key service is gone')) };
    await assert.rejects(backUp(await makeStore(), vault, {}, { ring: broken, signer }), /is gone/);
    assert.deepEqual(await objectNames(vault), []);
  });

  it('is not followed by a plain one: nothing is written', async () => {
    const store = await makeStore();
    const vault = memoryVault();
    await backUp(store, vault, {}, host);
    const before = await objectNames(vault);
    await assert.rejects(backUp(store, vault), failsWith('seal_required'));
    await assert.rejects(
      takeIncrementalBackup({ store, vault, clock: testClock }, await newest(vault, asOwner), backupDefaults),
      failsWith('seal_required'),
    );
    assert.deepEqual(await objectNames(vault), before);
  });
});

describe('a host that has only public keys', () => {
  it('takes incremental backups, checks what can be checked, and opens nothing', async () => {
    const store = await makeStore();
    const vault = memoryVault();
    await backUp(store, vault, {}, host);
    for (const events of [5, 0, 40]) {
      await nextInstant();
      await grow(store, events);
      await addIncremental(store, vault, {}, host);
    }
    await assertNothingShows(vault);
    for (const result of await verifyAll(vault, false, host)) {
      assert.deepEqual([result.overallValid, result.checksumValid], [true, true]);
      assert.equal(result.eventsValid, null, 'its contents were not looked at');
    }
    await assert.rejects(restoreAs(vault, host), failsWith('key_missing'));
    assert.deepEqual(await restoreAs(vault, asOwner), await digestStore(store));
    const results = await verifyAll(vault, false, asOwner);
    assert.deepEqual(
      results.map(({ overallValid, eventsValid }) => [overallValid, eventsValid]),
      results.map(() => [true, true]),
    );
  });

  it('without its signing key knows nothing of its earlier backups, and says so', async () => {
    const store = await makeStore();
    const vault = memoryVault();
    await backUp(store, vault, {}, { ring: host.ring, signer: null });
    await assert.rejects(newest(vault, host, 'heads'), failsWith('key_missing'));
  });

  it('finds damage by digests alone', async () => {
    const vault = memoryVault();
    await backUp(await makeStore(), vault, {}, host);
    for (const name of await objectNames(vault)) {
      const bytes = await readObject(vault, name);
      const changed = Buffer.from(bytes);
      changed[changed.length >> 1]! ^= 1;
      await vault.removeObject(name);
      const object = await vault.createObject(name);
      await object.write(changed);
      await object.commit();
      assert.equal((await verifyAll(vault, false, host))[0]?.overallValid, false, name);
      await vault.removeObject(name);
      const again = await vault.createObject(name);
      await again.write(bytes);
      await again.commit();
    }
    assert.equal((await verifyAll(vault, false, host))[0]?.overallValid, true);
  });
});

describe('a sealed chain', () => {
  it('becomes one sealed backup, which opens alone', async () => {
    const store = await makeStore();
    const vault = memoryVault();
    await backUp(store, vault, {}, host);
    await grow(store, 9);
    await addIncremental(store, vault, {}, host);
    const chain = await newest(vault, asOwner);
    const options = { ...backupDefaults, anyLevel: true };
    const ports = { vault, clock: testClock, keys: host };
    const { manifest } = await consolidateChain(ports, chain, options);
    assert.deepEqual([manifest.kind, manifest.sealed], ['full', true]);
    await assertNothingShows(vault);
    assert.deepEqual(await restoreAs(vault, asOwner), await digestStore(store));
    await assert.rejects(
      consolidateChain(
        ports,
        chain.map(({ keys: _, ...link }) => link),
        options,
      ),
      failsWith('key_missing'),
    );
  });

  it('may begin with a plain backup: what comes after it is sealed', async () => {
    const store = await makeStore();
    const vault = memoryVault();
    await backUp(store, vault);
    await nextInstant();
    await grow(store, 3);
    await addIncremental(store, vault, {}, host);
    assert.deepEqual(await restoreAs(vault, asOwner), await digestStore(store));
  });
});
