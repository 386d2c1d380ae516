/** A host that has public keys alone keeps its vaults in order, and neither reads nor shows what is in them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { archive } from '../../src/capture/archiver.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { RetentionRule } from '../../src/core/retention-rule.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { openLogs } from '../../src/format/log-keys.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { verifyLog } from '../../src/integrity/verify/log.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { applyPrune, planPrune } from '../../src/upkeep/prune.ts';
import { rulesOf } from '../../src/upkeep/sync-rules.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { TEST_WRITERS } from '../harness/aged-vault.ts';
import { addIncremental, nextInstant } from '../harness/chain.ts';
import { backUp, readObject, testClock, verifyAll } from '../harness/memory-backup.ts';
import { recoverAs } from '../harness/recover-as.ts';
import { contentOf, leaseOf, sync } from '../harness/region.ts';
import { keysOf, makePerson, makeRing, makeSigner } from '../harness/test-keys.ts';

const owner = makePerson('owner');
const signer = makeSigner();
/** Seals for the owner, signs, and opens nothing. */
const host = {
  ...keysOf(makeRing([owner]), signer),
  trust: { trustedSigners: [signer.name], requireSignature: true },
};
const asOwner = keysOf(makeRing([], [owner]));

const CANARIES = ['canary-stream', 'CanaryHappened', 'canary-payload'];

async function grow(store: EventStore): Promise<void> {
  for (let i = 0; i < 4; i += 1) {
    const event = { type: 'CanaryHappened', data: `{"secret":"canary-payload-${i}"}` };
    await store.append([{ streamId: `canary-stream-${i}`, events: [event, event] }]);
  }
}

async function capture(store: EventStore, vault: Vault): Promise<void> {
  const options = { format: 'columns', compression: 'zstd', level: null, flushMs: 1, idleMs: 20 } as const;
  const how = { software: 'test', outage: { policy: 'hold' }, once: true } as const;
  await archive({ store, vault, clock: testClock, keys: host }, { ...options, ...how });
}

/** Two chains of a full backup and an incremental one, and a log that goes on behind them: all by the host. */
async function makeSealedRegion(): Promise<{ store: EventStore; vault: Vault }> {
  const [store, vault] = [memoryStore(), memoryVault()];
  await store.initialise();
  await capture(store, vault);
  for (let chain = 0; chain < 2; chain += 1) {
    await grow(store);
    await backUp(store, vault, { chunkBytes: 300 }, host);
    await nextInstant();
    await grow(store);
    await capture(store, vault);
    await addIncremental(store, vault, {}, host);
  }
  await grow(store);
  await capture(store, vault);
  return { store, vault };
}

async function assertNothingShows(vault: Vault, reports: unknown): Promise<void> {
  const said = Buffer.from(
    JSON.stringify(reports, (_, value) => (typeof value === 'bigint' ? `${value}` : value)),
  );
  const seen: [string, Buffer][] = [['what was said', said]];
  for await (const { name } of vault.list('')) seen.push([name, await readObject(vault, name)]);
  for (const [name, bytes] of seen) {
    for (const canary of CANARIES) assert.ok(!bytes.includes(canary), `${canary} in ${name}`);
  }
}

/** By digests and signatures, which is all that the host can see. */
async function assertSoundForHost(vault: Vault): Promise<void> {
  for (const { problems, eventsValid, signature } of await verifyAll(vault, false, host)) {
    assert.deepEqual([problems, eventsValid, signature?.state], [[], null, 'signed']);
  }
  for (const timeline of openLogs(vault, await readLogCatalog(vault), host)) {
    const { problems, contentsChecked, blocksUnsigned } = await verifyLog(vault, timeline, { quick: false });
    assert.deepEqual([problems, contentsChecked, blocksUnsigned], [[], false, 0]);
  }
}

async function prune(vault: Vault, rule: RetentionRule) {
  return leaseOf(vault)(async (lease) => {
    const plan = await planPrune(vault, { rule, nowMs: Date.now(), writers: TEST_WRITERS, archive: null });
    return { plan, report: await applyPrune(vault, plan, { lease }) };
  });
}

async function backupsIn(vault: Vault): Promise<string[]> {
  return (await readCatalog(vault)).backups.map(({ manifest }) => manifest.backupId);
}

describe('a host with public keys alone', async () => {
  const { store, vault } = await makeSealedRegion();
  const { digest } = await digestStore(store);

  it('opens nothing of what it wrote', async () => {
    assert.equal(host.ring.canOpen, false);
    await assert.rejects(recoverAs(vault, host, { kind: 'latest' }), { code: 'key_missing' });
    assert.equal((await backupsIn(vault)).length, 4);
    await assertNothingShows(vault, null);
  });

  it('syncs a replica that its owner gets everything back from', async () => {
    const replica = memoryVault();
    const report = await sync(vault, replica, { readBack: true });
    assert.deepEqual([report.problems, report.copied], [[], await backupsIn(vault)]);
    assert.deepEqual(await contentOf(replica), await contentOf(vault));
    await assertSoundForHost(replica);
    await assertNothingShows(replica, report);
    assert.equal(await recoverAs(replica, asOwner, { kind: 'latest' }), digest);
  });

  it('syncs what the replica’s own rule keeps, with the keys of that and no others', async () => {
    const replica = memoryVault();
    const about = { rule: { last: 1 }, nowMs: Date.now(), writers: TEST_WRITERS };
    const report = await sync(vault, replica, { rules: await rulesOf(vault, replica, about) });
    assert.deepEqual([report.problems, report.copied], [[], (await backupsIn(vault)).slice(2)]);
    await assertSoundForHost(replica);
    await assertNothingShows(replica, report);
    assert.equal(await recoverAs(replica, asOwner, { kind: 'latest' }), digest);
  });

  it('prunes, and what stays is whole', async () => {
    const replica = memoryVault();
    await sync(vault, replica);
    const all = await backupsIn(replica);
    const logBefore = Object.keys(await contentOf(replica)).filter((name) => name.startsWith('log/'));
    const { plan, report } = await prune(replica, { last: 1 });
    assert.deepEqual([report.backups.toSorted(), report.refused], [all.slice(0, 2).toSorted(), []]);
    assert.deepEqual(await backupsIn(replica), all.slice(2));
    const logAfter = Object.keys(await contentOf(replica)).filter((name) => name.startsWith('log/'));
    assert.ok(
      logAfter.length < logBefore.length,
      `${logBefore.length} objects of the log, then ${logAfter.length}`,
    );
    await assertSoundForHost(replica);
    const { catalog: _, ...said } = plan;
    await assertNothingShows(replica, { said, report });
    assert.equal(await recoverAs(replica, asOwner, { kind: 'latest' }), digest);
    assert.deepEqual((await prune(replica, { last: 1 })).report.backups, []);
  });

  it('goes on backing up what it cannot read after a prune, by a chain that its owner opens', async () => {
    const replica = memoryVault();
    await sync(vault, replica);
    await prune(replica, { last: 1 });
    await grow(store);
    const added = await addIncremental(store, replica, {}, host);
    assert.equal((await backupsIn(replica)).at(-1), added);
    await assertNothingShows(replica, null);
    const { digest: grown } = await digestStore(store);
    assert.equal(await recoverAs(replica, asOwner, { kind: 'latest' }), grown);
  });
});
