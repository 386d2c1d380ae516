import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compactLog } from '../../src/capture/compact.ts';
import { BackupError, isBackupError } from '../../src/core/errors.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { encodeKeyRecord, type KeyRecord } from '../../src/format/key-record.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { writeGap } from '../../src/format/log-gap.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { readSpans } from '../../src/recovery/survey.ts';
import { type SyncRules, syncVault } from '../../src/upkeep/sync.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { addIncremental, grow, makeChainOfFour } from '../harness/chain.ts';
import { consolidate } from '../harness/chain-backup.ts';
import { faultyVault } from '../harness/faulty-vault.ts';
import { backUp, objectNames, overwrite, readObject, testClock } from '../harness/memory-backup.ts';
import {
  archiveOnce,
  assertSound,
  contentOf,
  leaseOf,
  makeRegion,
  restored,
  sync,
} from '../harness/region.ts';
import { keysOf, makePerson, makeRing, makeSigner } from '../harness/test-keys.ts';

const HOUR = 3_600_000;

async function idsIn(vault: Vault): Promise<string[]> {
  return (await readCatalog(vault)).backups.map(({ manifest }) => manifest.backupId);
}

async function logFiles(vault: Vault): Promise<string[]> {
  const [timeline] = await readLogCatalog(vault);
  return timeline!.spans.flatMap(({ files }) => files.map(({ name }) => name));
}

function keeping(wanted: string): SyncRules {
  return { keepsBackup: ({ backupId }) => backupId === wanted, keepsLogObject: () => true };
}

describe('a sync', () => {
  it('makes a replica that alone brings back what the primary does', async () => {
    const { store, vault } = await makeRegion();
    const replica = memoryVault();
    const report = await sync(vault, replica);
    assert.deepEqual(report.problems, []);
    assert.deepEqual(report.copied.toSorted(), (await idsIn(vault)).toSorted());
    assert.equal(report.lag?.events, 0);
    assert.equal(report.lag?.seconds, 0);
    assert.deepEqual(await contentOf(replica), await contentOf(vault));
    await assertSound(replica, 'in the replica');
    assert.deepEqual(await restored(replica), await digestStore(store));
  });

  it('copies only what is missing, and says what it would copy without doing it', async () => {
    const region = await makeRegion();
    const { store, vault } = region;
    const replica = memoryVault();
    await sync(vault, replica);
    const counted = faultyVault(replica, {});
    const again = await sync(vault, counted.vault);
    assert.deepEqual([again.copied, again.objects, again.log.objects], [[], 0, 0]);
    assert.ok(counted.calls() < 12, `${counted.calls()} calls of the replica`);
    await grow(store, 20, 2);
    await archiveOnce(region);
    const added = await addIncremental(store, vault);
    const before = await contentOf(replica);
    const planned = await sync(vault, replica, { dryRun: true });
    assert.deepEqual(await contentOf(replica), before);
    const done = await sync(vault, replica);
    assert.deepEqual([planned.copied, done.copied], [[added], [added]]);
    assert.deepEqual([planned.objects, planned.bytes], [done.objects, done.bytes]);
    assert.deepEqual(planned.log, done.log);
    assert.equal(done.log.objects, 1);
  });

  it('says how many events, and how long, a replica is behind', async () => {
    const region = await makeRegion();
    const replica = memoryVault();
    await sync(region.vault, replica);
    await new Promise((resolve) => setTimeout(resolve, 30));
    await grow(region.store, 30, 3);
    await archiveOnce(region);
    const { lag } = await sync(region.vault, replica, { dryRun: true });
    assert.equal(lag?.events, 6);
    assert.ok(lag?.seconds !== null && lag!.seconds >= 0.03 && lag!.seconds < 60, String(lag?.seconds));
    assert.equal((await sync(region.vault, memoryVault(), { dryRun: true })).lag?.events, null);
  });

  it('counts what is behind by the backups where there is no log', async () => {
    const { store } = await makeRegion();
    const vault = memoryVault();
    const { manifest } = await backUp(store, vault);
    const replica = memoryVault();
    await sync(vault, replica);
    await grow(store, 40, 2);
    await addIncremental(store, vault);
    assert.equal((await sync(vault, replica, { dryRun: true })).lag?.events, 4);
    const { lag } = await sync(vault, memoryVault(), { dryRun: true });
    assert.deepEqual([lag?.events, lag?.seconds], [manifest.totalEvents + 4, null]);
  });

  it('copies what is sealed without any key, and key records that were wrapped anew', async () => {
    const { store } = await makeRegion();
    const vault = memoryVault();
    const owner = makePerson('owner');
    const keys = keysOf(makeRing([owner], [owner]), makeSigner());
    await backUp(store, vault, {}, keys);
    const replica = memoryVault();
    assert.deepEqual((await sync(vault, replica)).problems, []);
    const record = (await objectNames(vault)).find((name) => name.includes('/key-'))!;
    const second = record.replace('-1.json', '-2.json');
    const first = JSON.parse((await readObject(vault, record)).toString()) as KeyRecord;
    await overwrite(vault, second, encodeKeyRecord({ ...first, number: 2 }, null));
    const { objects, problems } = await sync(vault, replica);
    assert.deepEqual([objects, problems], [1, []]);
    assert.deepEqual(await contentOf(replica), await contentOf(vault));
  });

  it('leaves out what the replica would remove, but for what something kept builds on', async () => {
    const { vault } = await makeRegion();
    const [full, incremental, newest] = await idsIn(vault);
    const replica = memoryVault();
    const first = await sync(vault, replica, { rules: keeping(newest!) });
    assert.deepEqual([first.copied, first.left], [[newest], [full, incremental]]);
    const second = await sync(vault, replica, { rules: keeping(incremental!) });
    assert.deepEqual([second.copied, second.left], [[full, incremental], []]);
  });

  it('never spreads damage: the backup and what builds on it wait, the rest is copied', async () => {
    const { vault } = await makeRegion();
    const [full, incremental, newest] = await idsIn(vault);
    const name = (await objectNames(vault)).find(
      (found) => found.includes(full!) && !found.includes('index'),
    )!;
    const bytes = await readObject(vault, name);
    bytes[40]! ^= 1;
    await overwrite(vault, name, bytes);
    const replica = memoryVault();
    const { copied, problems } = await sync(vault, replica);
    assert.deepEqual(copied, [newest]);
    assert.deepEqual(
      problems.map(({ of, object, where }) => [of, object, where]),
      [
        [full, name, 'source'],
        [incremental, null, 'target'],
      ],
    );
    assert.equal(await replica.stat(name), null);
    await assertSound(replica, 'without the damaged one');
  });

  it('never spreads a damaged file of the log, and copies what is behind it', async () => {
    const region = await makeRegion();
    const [first, second, ...rest] = await logFiles(region.vault);
    const bytes = await readObject(region.vault, second!);
    await overwrite(region.vault, second!, bytes.fill(7, bytes.length - 3));
    const replica = memoryVault();
    const { problems, log } = await sync(region.vault, replica);
    assert.deepEqual(
      problems.map(({ object, where }) => [object, where]),
      [[second, 'source']],
    );
    assert.equal(log.objects, 1 + rest.length);
    assert.ok((await replica.stat(first!)) !== null && (await replica.stat(second!)) === null);
  });

  it('replaces what lies unsound in a folder without a manifest, and adds what a backup lost', async () => {
    const { vault } = await makeRegion();
    const [full] = await idsIn(vault);
    const [a, b] = (await objectNames(vault)).filter((name) => name.includes(full!));
    const replica = memoryVault();
    await overwrite(replica, a!, Buffer.from('of another program'));
    assert.deepEqual((await sync(vault, replica)).problems, []);
    await replica.removeObject(b!);
    assert.equal((await sync(vault, replica)).objects, 1);
    assert.deepEqual(await contentOf(replica), await contentOf(vault));
  });

  it('names what has another size in a backup of the replica, and changes nothing of it', async () => {
    const { vault } = await makeRegion();
    const replica = memoryVault();
    await sync(vault, replica);
    const [name] = await objectNames(replica);
    await overwrite(replica, name!, Buffer.from('short'));
    const { problems } = await sync(vault, replica);
    assert.deepEqual([problems[0]!.object, problems[0]!.where], [name, 'target']);
    assert.equal((await readObject(replica, name!)).toString(), 'short');
  });

  it('copies joined files of the log, and removes what they hold once they have been there for a while', async () => {
    const region = await makeRegion();
    for (let round = 0; round < 4; round += 1) {
      await grow(region.store, 50 + round, 1);
      await archiveOnce(region);
    }
    const replica = memoryVault();
    await sync(region.vault, replica);
    const before = await restored(replica);
    const parts = await logFiles(replica);
    const policy = { levelsMs: [60_000], maxBytes: 1 << 20, keepMs: 0 };
    for (let round = 0; round < 2; round += 1) {
      const [timeline] = await readLogCatalog(region.vault);
      const later = { nowMs: Date.now() + HOUR, policy };
      await compactLog(region.vault, timeline!, later);
    }
    const joined = await logFiles(region.vault);
    assert.ok(joined.length < parts.length);
    const second = await sync(region.vault, replica);
    assert.deepEqual([second.log.objects, second.log.removed, second.problems], [1, 0, []]);
    const later = { ...testClock, now: () => Date.now() + HOUR };
    const ports = { source: region.vault, target: replica, clock: later, underLease: leaseOf(replica) };
    const third = await syncVault(ports);
    assert.deepEqual([third.log.objects, third.problems], [0, []]);
    assert.ok(third.log.removed > 0);
    assert.deepEqual(await contentOf(replica), await contentOf(region.vault));
    assert.deepEqual(await restored(replica), before);
  });

  it('copies the mark of a gap before what lies behind it', async () => {
    const region = await makeRegion();
    const [timeline] = await readLogCatalog(region.vault);
    const end = timeline!.spans.at(-1)!.to;
    const gap = { reason: 'test', message: 'a test', noticedAt: '2026-01-01T00:00:00Z' };
    await writeGap(region.vault, timeline!.folder, { ...gap, from: end, to: end });
    const replica = memoryVault();
    await sync(region.vault, replica);
    assert.deepEqual(await contentOf(replica), await contentOf(region.vault));
  });

  it('copies the newest word of how long nothing came, and removes older ones once they are of no use', async () => {
    const region = await makeRegion();
    const replica = memoryVault();
    const marks = async (vault: Vault) => (await readLogCatalog(vault))[0]!.quiet.map(({ name }) => name);
    const until = async (vault: Vault): Promise<bigint> =>
      (await readSpans(vault, await readLogCatalog(vault))).at(-1)!.until;
    for (let round = 1; round <= 2; round += 1) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      await archiveOnce(region);
      const report = await sync(region.vault, replica);
      assert.deepEqual([report.problems, report.log.objects > 0], [[], true]);
      assert.deepEqual((await marks(replica)).at(-1), (await marks(region.vault)).at(-1));
      assert.equal(await until(replica), await until(region.vault));
    }
    assert.equal((await marks(replica)).length, 2);
    const later = { ...testClock, now: () => Date.now() + HOUR };
    const { log } = await syncVault(
      { source: region.vault, target: replica, clock: later, underLease: leaseOf(replica) },
      {},
    );
    assert.equal(log.removed, 1);
    assert.deepEqual(await marks(replica), (await marks(region.vault)).slice(-1));
    assert.equal(await until(replica), await until(region.vault));
  });

  it('takes no offence at a backup that is removed from the source meanwhile', async () => {
    const { vault } = await makeRegion();
    const [full, incremental] = (await idsIn(vault)).map((id) => id);
    const dying: Vault = {
      ...vault,
      readRange: async (name, offset, length) => {
        if (name.includes(incremental!) && !name.endsWith('manifest.json')) {
          for (const part of (await objectNames(vault)).filter((found) => found.includes(incremental!)))
            await vault.removeObject(part);
        }
        return vault.readRange(name, offset, length);
      },
    };
    const replica = memoryVault();
    const { copied, problems } = await sync(dying, replica);
    assert.deepEqual(problems, []);
    assert.deepEqual([copied.includes(full!), copied.includes(incremental!)], [true, false]);
    await assertSound(replica, 'without the removed one');
  });

  it('commits no copy of which a prune of the target took a file meanwhile, and the next one makes it whole', async () => {
    const { vault } = await makeRegion();
    const replica = memoryVault();
    let lost: string | null = null;
    const pruned: Vault = {
      ...replica,
      createObject: async (name) => {
        const writer = await replica.createObject(name);
        const commit = async (): Promise<void> => {
          await writer.commit();
          if (lost !== null || !name.endsWith('heads.index')) return;
          lost = name.replace('heads.index', 'events-00001.index');
          await replica.removeObject(lost);
        };
        return { ...writer, commit };
      },
    };
    const report = await sync(vault, pruned);
    assert.match(report.problems[0]!.message, /was removed while it was copied/);
    await assertSound(replica, 'after the prune');
    assert.deepEqual((await sync(vault, replica)).problems, []);
    assert.deepEqual(await contentOf(replica), await contentOf(vault));
  });

  it('lets the vaults move the bytes where they can, and takes back what is not sound', async () => {
    const { vault } = await makeRegion();
    const inner = memoryVault();
    let moved = 0;
    const target: Vault = {
      ...inner,
      copyFrom: async (source, name) => {
        moved += 1;
        const info = await source.stat(name);
        if (info === null) throw new BackupError('vault_object_missing', `no ${name}`);
        await overwrite(inner, name, await readObject(source, name));
        return true;
      },
    };
    const [name] = await objectNames(vault);
    const bytes = await readObject(vault, name!);
    const damaged = Buffer.from(bytes);
    damaged[30]! ^= 1;
    await overwrite(vault, name!, damaged);
    const first = await sync(vault, target);
    assert.deepEqual([first.problems[0]!.object, await inner.stat(name!)], [name, null]);
    await overwrite(vault, name!, bytes);
    assert.deepEqual((await sync(vault, target)).problems, []);
    assert.ok(moved > 10, `${moved} moved`);
    assert.deepEqual(await contentOf(inner), await contentOf(vault));
  });

  it('moves no data file that the replica has already, as of a backup that was made of a chain', async () => {
    const { vault } = await makeChainOfFour();
    const [replica, other] = [memoryVault(), memoryVault()];
    for (const target of [replica, other]) await sync(vault, target);
    const newest = (await readCatalog(vault)).backups.at(-1)!.manifest;
    await consolidate(vault, { format: newest.format, compression: newest.compression });
    const full = (await readCatalog(vault)).backups.findLast(({ manifest }) => manifest.kind === 'full')!;
    assert.notEqual(full.manifest.backupId, newest.chain!.baseId);
    const read = new Set<string>();
    const watched: Vault = {
      ...vault,
      readRange: (name, offset, length) => {
        read.add(name);
        return vault.readRange(name, offset, length);
      },
    };
    assert.deepEqual((await sync(watched, replica)).problems, []);
    const moved = full.manifest.files.filter(({ name }) => read.has(full.folder + name));
    assert.ok(moved.length < full.manifest.files.length, `all of ${moved.length} files moved`);
    assert.deepEqual(await contentOf(replica), await contentOf(vault));
    // A twin that was damaged meanwhile is not spread either.
    for (const name of await objectNames(other)) {
      if (!name.includes('/events-')) continue;
      const bytes = await readObject(other, name);
      bytes[0]! ^= 1;
      await overwrite(other, name, bytes);
    }
    assert.deepEqual((await sync(vault, other)).problems, []);
    for (const { name } of full.manifest.files) {
      assert.deepEqual(
        await readObject(other, full.folder + name),
        await readObject(vault, full.folder + name),
      );
    }
  });

  it('says so when the target does not keep what was written', async () => {
    const { vault } = await makeRegion();
    const corrupt = (_: string, bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes).fill(0, 0, 1);
    const { vault: target } = faultyVault(memoryVault(), { corrupt });
    await assert.rejects(sync(vault, target, { readBack: true }), { code: 'vault_refused' });
  });

  it('ends when it is told to, and the next one goes on', async () => {
    const { vault } = await makeRegion();
    const replica = memoryVault();
    const stop = new AbortController();
    let objects = 0;
    const stopping = sync(vault, replica, {
      signal: stop.signal,
      onBytes: () => {
        objects += 1;
        if (objects === 4) stop.abort();
      },
    });
    await assert.rejects(stopping, { code: 'interrupted' });
    await assertSound(replica, 'when it was stopped');
    await sync(vault, replica);
    assert.deepEqual(await contentOf(replica), await contentOf(vault));
  });
});

describe('a sync that fails at any call of a vault', () => {
  const sweep = async (which: 'source' | 'target', forGood: boolean): Promise<void> => {
    const { store, vault } = await makeRegion();
    const through = (at: number | null, replica: Vault) => {
      const fault = at === null ? {} : { failAt: at, forGood };
      const faulty = faultyVault(which === 'source' ? vault : replica, fault);
      const [source, target] = which === 'source' ? [faulty.vault, replica] : [vault, faulty.vault];
      return { calls: faulty.calls, run: sync(source, target) };
    };
    const counted = through(null, memoryVault());
    await counted.run;
    assert.ok(counted.calls() > 40, `${counted.calls()} calls`);
    const wanted = await contentOf(vault);
    for (let failAt = 1; failAt <= counted.calls(); failAt += 1) {
      const when = `after call ${failAt} of the ${which} failed`;
      const replica = memoryVault();
      await through(failAt, replica).run.then(
        () => assert.fail(`nobody noticed ${when}`),
        (error: unknown) => assert.ok(isBackupError(error, 'vault_unreachable'), String(error)),
      );
      await assertSound(replica, when);
      assert.deepEqual((await sync(vault, replica)).problems, [], when);
      assert.deepEqual(await contentOf(replica), wanted, when);
    }
    await assertSound(vault, 'in the end');
    assert.deepEqual(await restored(vault), await digestStore(store));
  };
  const sentence = 'leaves a sound replica, and the next one completes it';
  it(`${sentence}: the source, once`, () => sweep('source', false));
  it(`${sentence}: the target, once`, () => sweep('target', false));
  it(`${sentence}: the target, for good`, () => sweep('target', true));
});
