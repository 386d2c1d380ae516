import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ArchiveOptions, archive } from '../../src/capture/archiver.ts';
import { compactLog } from '../../src/capture/compact.ts';
import { makeLogSealer } from '../../src/capture/log-seal.ts';
import { BackupError } from '../../src/core/errors.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import { timeFromUnixMs } from '../../src/core/time.ts';
import type { Vault } from '../../src/core/vault.ts';
import type { WriteKeys } from '../../src/format/bundle-seal.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { openLogs } from '../../src/format/log-keys.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { verifyLog } from '../../src/integrity/verify/log.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { openSqliteStore } from '../../src/stores/sqlite/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { makeFolder } from '../harness/command.ts';
import { faultyVault } from '../harness/faulty-vault.ts';
import { backUp, readObject, testClock } from '../harness/memory-backup.ts';
import { recoverAs } from '../harness/recover-as.ts';
import { keysOf, makePerson, makeRing, makeSigner } from '../harness/test-keys.ts';

const owner = makePerson('owner');
const signer = makeSigner();
/** It has public keys and its signing key, and opens nothing. */
const host: WriteKeys = { ring: makeRing([owner]), signer };
const asOwner = keysOf(makeRing([], [owner]));

const SECRETS = ['canary-stream', 'CanaryHappened', 'canary-payload'];

async function capture(
  store: EventStore,
  vault: Vault,
  keys: WriteKeys | undefined,
  options: Partial<ArchiveOptions> = {},
) {
  return archive(
    { store, vault, clock: testClock, ...(keys === undefined ? {} : { keys }) },
    {
      ...{ format: 'columns', compression: 'zstd', level: null, flushMs: 5, idleMs: 10 },
      ...{ software: 'test', outage: { policy: 'hold' }, once: true, ...options },
    },
  );
}

async function grow(store: EventStore): Promise<void> {
  for (let i = 0; i < 3; i += 1) {
    const event = { type: 'CanaryHappened', data: `{"secret":"canary-payload-${i}"}` };
    await store.append([{ streamId: `canary-stream-${i}`, events: [event, event] }]);
  }
}

async function withStore(kind: 'memory' | 'sqlite', work: (store: EventStore) => Promise<void>) {
  const folder = await makeFolder();
  const store =
    kind === 'memory' ? memoryStore() : openSqliteStore(`sqlite:${join(folder.path, 'events.db')}`);
  try {
    await store.initialise();
    await work(store);
  } finally {
    await store.close();
    await folder.remove();
  }
}

async function assertNothingShows(vault: Vault): Promise<void> {
  let objects = 0;
  for await (const { name } of vault.list('')) {
    objects += 1;
    const bytes = await readObject(vault, name);
    for (const secret of SECRETS) assert.ok(!bytes.includes(secret), `${secret} in ${name}`);
  }
  assert.ok(objects > 0);
}

async function namesIn(vault: Vault, prefix = ''): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of vault.list(prefix)) names.push(name);
  return names;
}

for (const kind of ['memory', 'sqlite'] as const) {
  describe(`an archiver of ${kind} that has public keys`, () => {
    it('keeps a log that it cannot read, goes on with it, and its owner gets any instant back', async () => {
      await withStore(kind, async (store) => {
        const vault = memoryVault();
        await grow(store);
        await capture(store, vault, host);
        await backUp(store, vault, {}, host);
        await grow(store);
        await capture(store, vault, host);
        await sleep(kind === 'sqlite' ? 10 : 4);
        const point = timeFromUnixMs(Date.now());
        const { digest } = await digestStore(store);
        await sleep(4);
        await grow(store);
        const status = await capture(store, vault, host);
        assert.deepEqual([status.gaps, status.events], [0, 6]);
        await assertNothingShows(vault);
        assert.equal(await recoverAs(vault, asOwner, { kind: 'time', time: point }), digest);
        const latest = (await digestStore(store)).digest;
        assert.equal(await recoverAs(vault, asOwner, { kind: 'latest' }), latest);
        const asHost = keysOf(host.ring, signer);
        await assert.rejects(recoverAs(vault, asHost, { kind: 'time', time: point }), {
          code: 'key_missing',
        });
        const [timeline] = openLogs(vault, await readLogCatalog(vault), asOwner);
        const { problems, contentsChecked } = await verifyLog(vault, timeline!, { quick: false });
        assert.deepEqual({ problems, contentsChecked }, { problems: [], contentsChecked: true });
      });
    });
  });
}

describe('a sealed archiver', () => {
  it('without a signing key goes on only with an identity, and says so', async () => {
    await withStore('memory', async (store) => {
      const vault = memoryVault();
      const nameless: WriteKeys = { ring: makeRing([owner]), signer: null };
      await capture(store, vault, nameless);
      await grow(store);
      await capture(store, vault, nameless);
      const before = await namesIn(vault);
      await assert.rejects(capture(store, vault, nameless), (error) => {
        return (
          error instanceof BackupError && error.code === 'key_missing' && /--sign-key/.test(error.hint ?? '')
        );
      });
      assert.deepEqual(await namesIn(vault), before, 'nothing was written');
      await capture(store, vault, { ring: makeRing([owner], [owner]), signer: null });
    });
  });

  it('is not followed by one that writes in clear', async () => {
    await withStore('memory', async (store) => {
      const vault = memoryVault();
      await capture(store, vault, host);
      const before = await namesIn(vault);
      await grow(store);
      for (const plain of [undefined, { ring: makeRing([]), signer }]) {
        await assert.rejects(capture(store, vault, plain), { code: 'seal_required', exitCode: 8 });
      }
      assert.deepEqual(await namesIn(vault), before, 'nothing was written');
    });
  });

  it('goes on with a log that was kept in clear', async () => {
    await withStore('memory', async (store) => {
      const vault = memoryVault();
      await capture(store, vault, undefined);
      await backUp(store, vault);
      await grow(store);
      await capture(store, vault, undefined);
      await grow(store);
      await capture(store, vault, host);
      const { digest } = await digestStore(store);
      assert.equal(await recoverAs(vault, asOwner, { kind: 'latest' }), digest);
    });
  });

  it('puts nothing aside in clear', async () => {
    await withStore('memory', async (store) => {
      const [vault, aside] = [memoryVault(), memoryVault()];
      await capture(store, vault, host);
      await grow(store);
      // What a session does before its first file reaches the vault; then it is away.
      let isAway = false;
      const away: Vault = {
        ...vault,
        createObject: async (name) => {
          if (isAway && name.endsWith('.log')) throw new BackupError('vault_unreachable', 'it is away');
          return vault.createObject(name);
        },
      };
      isAway = true;
      const spool = { policy: 'spool', vault: aside, limitBytes: 1 << 20 } as const;
      await capture(store, away, host, { outage: spool });
      assert.ok((await namesIn(aside)).some((name) => name.endsWith('.log')));
      await assertNothingShows(aside);
      isAway = false;
      await grow(store);
      await capture(store, away, host, { outage: spool });
      assert.deepEqual(await namesIn(aside), []);
      const [timeline] = openLogs(vault, await readLogCatalog(vault), asOwner);
      const { problems, events } = await verifyLog(vault, timeline!, { quick: false });
      assert.deepEqual({ problems, events }, { problems: [], events: 12 });
    });
  });

  it('has its files joined without a key, and they open as before', async () => {
    await withStore('memory', async (store) => {
      const vault = memoryVault();
      for (let i = 0; i < 8; i += 1) {
        await grow(store);
        await capture(store, vault, host);
      }
      const [before] = await readLogCatalog(vault);
      const nowMs = Date.now() + 40 * 24 * 3_600_000;
      const { joined, failures } = await compactLog(vault, before!, { nowMs });
      assert.deepEqual([joined.length > 0, failures], [true, []]);
      const [timeline] = openLogs(vault, await readLogCatalog(vault), asOwner);
      const { problems, contentsChecked } = await verifyLog(vault, timeline!, { quick: false });
      assert.deepEqual({ problems, contentsChecked }, { problems: [], contentsChecked: true });
    });
  });

  it('takes a new key each day, and stays with the old one while the vault is away', async () => {
    const vault = memoryVault();
    let nowMs = Date.UTC(2026, 10, 23);
    let isAway = false;
    const flaky: Vault = {
      ...vault,
      createObject: (name) => (isAway ? faultyVault(vault, { failAt: 1 }).vault : vault).createObject(name),
    };
    const sealer = makeLogSealer(flaky, { ...testClock, now: () => nowMs }, 'test', host);
    const keyAfter = async (hours: number): Promise<string> => {
      nowMs += hours * 3_600_000;
      return (await sealer.sealFor('log/7-1/'))!.sealing.keyId;
    };
    const first = await keyAfter(0);
    assert.equal(await keyAfter(23), first);
    isAway = true;
    assert.equal(await keyAfter(2), first);
    isAway = false;
    assert.notEqual(await keyAfter(1), first);
    assert.equal((await namesIn(vault, 'log/7-1/key-')).length, 2);
    await sealer.sealFor('log/7-2/');
    assert.equal((await namesIn(vault, 'log/7-2/key-')).length, 1);
  });
});
