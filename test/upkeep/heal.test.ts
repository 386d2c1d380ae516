import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { describe, it } from 'node:test';
import { compactLog } from '../../src/capture/compact.ts';
import { isBackupError } from '../../src/core/errors.ts';
import type { Vault } from '../../src/core/vault.ts';
import { bundleFolder } from '../../src/format/bundle.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { decodeManifest, encodeManifest } from '../../src/format/manifest-codec.ts';
import { sealManifest } from '../../src/format/manifest-seal.ts';
import { type HealReport, healVault } from '../../src/upkeep/heal.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { grow } from '../harness/chain.ts';
import { faultyVault } from '../harness/faulty-vault.ts';
import { backUp, objectNames, overwrite, readObject, testClock } from '../harness/memory-backup.ts';
import { archiveOnce, assertSound, contentOf, leaseOf, makeRegion, sync } from '../harness/region.ts';
import { keysOf, makePerson, makeRing, makeSigner } from '../harness/test-keys.ts';

async function foldersOf(vault: Vault): Promise<string[]> {
  const { backups, damaged, unfinished } = await readCatalog(vault);
  const logs = await readLogCatalog(vault);
  return [...backups, ...damaged, ...unfinished, ...logs].map(({ folder }) => folder);
}

async function heal(vault: Vault, ...donors: Vault[]): Promise<HealReport> {
  const folders = await foldersOf(vault);
  return leaseOf(vault)((lease) => healVault({ vault, donors, lease, clock: testClock }, { folders }));
}

async function flip(vault: Vault, name: string, at = 9): Promise<void> {
  const bytes = await readObject(vault, name);
  bytes[bytes.length - at]! ^= 1;
  await overwrite(vault, name, bytes);
}

async function namesOf(vault: Vault): Promise<string[]> {
  return Object.keys(await contentOf(vault));
}

async function withReplica(): Promise<{ vault: Vault; replica: Vault; wanted: Record<string, string> }> {
  const { vault } = await makeRegion();
  const replica = memoryVault();
  await sync(vault, replica);
  return { vault, replica, wanted: await contentOf(vault) };
}

describe('healing a vault from another', () => {
  it('mends every single object of backups and log, damaged or missing', async () => {
    const { vault, replica, wanted } = await withReplica();
    const names = (await namesOf(vault)).filter((name) => !name.startsWith('epochs/'));
    const last = (await readLogCatalog(vault)).at(0)!.spans.at(-1)!.files.at(-1)!.name;
    const first = (await readLogCatalog(vault)).at(0)!.spans.at(0)!.files.at(0)!.name;
    for (const name of names) {
      await flip(vault, name);
      const { healed, unhealed } = await heal(vault, memoryVault(), replica);
      assert.deepEqual(unhealed, [], name);
      assert.deepEqual(healed, [{ name, from: 'memory:', was: 'damaged' }]);
      assert.deepEqual(await contentOf(vault), wanted, name);
      // Nobody misses the end of a log, nor its beginning, that a rule may have removed.
      if (name === last || name === first) continue;
      await vault.removeObject(name);
      const again = await heal(vault, replica);
      assert.deepEqual(again.unhealed, [], name);
      assert.equal(again.healed[0]!.was, 'missing');
      assert.deepEqual(await contentOf(vault), wanted, name);
    }
    await assertSound(vault, 'after all was mended');
  });

  it('changes nothing where all is sound', async () => {
    const { vault, replica, wanted } = await withReplica();
    assert.deepEqual(await heal(vault, replica), { healed: [], unhealed: [] });
    assert.deepEqual(await contentOf(vault), wanted);
  });

  it('never takes what is not sound, and leaves what nobody has as it is', async () => {
    const { vault, replica } = await withReplica();
    const [name] = await objectNames(vault);
    await flip(vault, name!);
    await flip(replica, name!, 5);
    const before = await contentOf(vault);
    const { healed, unhealed } = await heal(vault, replica);
    assert.deepEqual([healed, unhealed.map((object) => object.name)], [[], [name]]);
    assert.deepEqual(await contentOf(vault), before);
  });

  it('brings back a whole backup that others build on', async () => {
    const { vault, replica, wanted } = await withReplica();
    const [full] = (await readCatalog(vault)).backups;
    for (const name of (await objectNames(vault)).filter((found) => found.startsWith(full!.folder)))
      await vault.removeObject(name);
    const { healed, unhealed } = await heal(vault, replica);
    assert.deepEqual(unhealed, []);
    assert.deepEqual(
      healed.map(({ name }) => name),
      [`${full!.folder}manifest.json`],
    );
    assert.deepEqual(await contentOf(vault), wanted);
  });

  it('does not bring back what was removed by rule: a manifest goes first, and a backup that nobody builds on', async () => {
    const { vault, replica } = await withReplica();
    const newest = (await readCatalog(vault)).backups.at(-1)!;
    await vault.removeObject(`${newest.folder}manifest.json`);
    const [part] = (await objectNames(vault)).filter((name) => name.startsWith(newest.folder));
    await vault.removeObject(part!);
    const before = await contentOf(vault);
    assert.deepEqual(await heal(vault, replica), { healed: [], unhealed: [] });
    assert.deepEqual(await contentOf(vault), before);
  });

  it('takes no manifest where other vaults have different ones, nor one with a forged signature', async () => {
    const { store } = await makeRegion();
    const person = makePerson('owner');
    const vault = memoryVault();
    const keys = keysOf(makeRing([person], [person]), makeSigner());
    const { manifest } = await backUp(store, vault, {}, keys);
    const name = `${bundleFolder('full', manifest.backupId)}manifest.json`;
    const [sound, other] = [memoryVault(), memoryVault()];
    for (const replica of [sound, other]) await sync(vault, replica);
    const bytes = await readObject(vault, name);
    const forged = encodeManifest({ ...decodeManifest(bytes), software: 'somebody else' });
    await overwrite(other, name, forged);
    await flip(vault, name);
    const { healed } = await heal(vault, other, sound);
    assert.deepEqual(
      healed.map((object) => object.name),
      [name],
    );
    assert.deepEqual(await readObject(vault, name), bytes);
    const { signature: _, ...unsigned } = decodeManifest(bytes);
    await overwrite(other, name, encodeManifest({ ...unsigned, software: 'somebody else' }));
    await flip(vault, name);
    const refused = await heal(vault, sound, other);
    assert.deepEqual([refused.healed, refused.unhealed[0]!.name], [[], name]);
  });

  it('tells a manifest that was written anew by what builds on it, and heals the rest of its backup with it', async () => {
    const { vault, replica, wanted } = await withReplica();
    const [full] = (await readCatalog(vault)).backups;
    const { manifest, folder } = full!;
    const [events, ...others] = manifest.files;
    const name = folder + events!.name;
    await flip(vault, name);
    const sha256 = crypto.hash('sha256', await readObject(vault, name));
    const files = [{ ...events!, sha256 }, ...others];
    await overwrite(vault, `${folder}manifest.json`, encodeManifest({ ...manifest, files }));
    const { healed, unhealed } = await heal(vault, memoryVault(), replica);
    assert.deepEqual(unhealed, []);
    assert.deepEqual(
      healed.map(({ name }) => name.slice(folder.length)),
      ['manifest.json', events!.name],
    );
    assert.deepEqual(await contentOf(vault), wanted);
  });

  it('tells a manifest by whose signature it must have, where somebody says so', async () => {
    const { store } = await makeRegion();
    const [vault, replica] = [memoryVault(), memoryVault()];
    const [host, stranger] = [makeSigner(), makeSigner()];
    const { manifest } = await backUp(store, vault, {}, keysOf(makeRing([]), host));
    await sync(vault, replica);
    const wanted = await contentOf(vault);
    const folder = bundleFolder('full', manifest.backupId);
    const { signature: _, ...unsigned } = decodeManifest(await readObject(vault, `${folder}manifest.json`));
    const trust = { trustedSigners: [host.name], requireSignature: true };
    const lease = { epoch: 1, assertHeld: () => undefined };
    for (const other of [unsigned, sealManifest(unsigned, null, stranger)]) {
      await overwrite(vault, `${folder}manifest.json`, encodeManifest(other));
      const ports = { vault, donors: [replica], lease, clock: testClock };
      const { unhealed } = await healVault(ports, { folders: [folder] });
      assert.match(unhealed[0]!.reason, /nothing proves which is right/);
      assert.equal((await healVault(ports, { folders: [folder], trust })).healed.length, 1);
      assert.deepEqual(await contentOf(vault), wanted);
    }
  });

  it('says of a manifest that nothing tells from another one where the other one is, and leaves it', async () => {
    const { vault, replica } = await withReplica();
    const { folder, manifest } = (await readCatalog(vault)).backups.at(-1)!;
    await overwrite(vault, `${folder}manifest.json`, encodeManifest({ ...manifest, totalEvents: 1 }));
    const before = await contentOf(vault);
    const { healed, unhealed } = await heal(vault, replica);
    assert.deepEqual(healed, []);
    assert.deepEqual(
      unhealed.map(({ name }) => name),
      [`${folder}manifest.json`],
    );
    assert.match(unhealed[0]!.reason, /another one in memory:: nothing proves which is right/);
    assert.deepEqual(await contentOf(vault), before);
  });

  it('mends sealed backups and their key records without any key', async () => {
    const { store } = await makeRegion();
    const person = makePerson('owner');
    const vault = memoryVault();
    await backUp(store, vault, {}, keysOf(makeRing([person], [person])));
    const replica = memoryVault();
    await sync(vault, replica);
    const wanted = await contentOf(vault);
    for (const name of await namesOf(vault)) {
      await flip(vault, name);
      assert.deepEqual((await heal(vault, replica)).unhealed, [], name);
      assert.deepEqual(await contentOf(vault), wanted, name);
      if (!name.includes('/key-')) continue;
      await vault.removeObject(name);
      assert.equal((await heal(vault, replica)).healed.length, 1);
      assert.deepEqual(await contentOf(vault), wanted, name);
    }
  });

  it('mends a log that the other vault has joined in another way', async () => {
    const region = await makeRegion();
    const { vault, store } = region;
    for (let round = 0; round < 4; round += 1) {
      await grow(store, 60 + round, 1);
      await archiveOnce(region);
    }
    const replica = memoryVault();
    await sync(vault, replica);
    const policy = { levelsMs: [60_000], maxBytes: 1 << 20, keepMs: 0 };
    for (let round = 0; round < 2; round += 1) {
      const [timeline] = await readLogCatalog(vault);
      await compactLog(vault, timeline!, { nowMs: Date.now() + 3_600_000, policy });
    }
    const filesIn = async (where: Vault): Promise<string[]> =>
      (await readLogCatalog(where))[0]!.spans.flatMap(({ files }) => files.map(({ name }) => name));
    const joined = (await filesIn(vault)).find((name) => !name.includes('9-0000000000000009'))!;
    const wanted = await contentOf(vault);
    await flip(vault, joined);
    assert.deepEqual((await heal(vault, replica)).unhealed, []);
    assert.deepEqual(await contentOf(vault), wanted);
    const parts = (await filesIn(replica)).slice(1);
    await flip(replica, parts[0]!);
    const { healed, unhealed } = await heal(replica, vault);
    assert.deepEqual([healed.map(({ name }) => name), unhealed], [[joined], []]);
    await assertSound(replica, 'with the longer file');
  });

  it('mends a mark that says that nothing was committed, also where a run died over it', async () => {
    const region = await makeRegion();
    const { vault } = region;
    for (let round = 0; round < 3; round += 1) await archiveOnce(region);
    const mark = (await namesOf(vault)).find((name) => name.endsWith('.quiet'));
    assert.ok(mark !== undefined, 'there is a mark');
    const replica = memoryVault();
    await sync(vault, replica);
    const held = (await namesOf(replica)).find((name) => name.endsWith('.quiet'))!;
    const wanted = await contentOf(vault);
    await flip(vault, held);
    assert.deepEqual((await heal(vault, replica)).unhealed, []);
    assert.deepEqual(await contentOf(vault), wanted);
    await vault.copyObject(held, `healing/${held}`);
    await vault.removeObject(held);
    await heal(vault, replica);
    assert.deepEqual(await contentOf(vault), wanted);
  });

  it('passes over a vault that cannot be asked', async () => {
    const { vault, replica, wanted } = await withReplica();
    const [name] = await objectNames(vault);
    await flip(vault, name!);
    const { vault: away } = faultyVault(memoryVault(), { failAt: 1, forGood: true });
    assert.deepEqual((await heal(vault, away, replica)).unhealed, []);
    assert.deepEqual(await contentOf(vault), wanted);
  });
});

describe('a healing that dies at any call of a vault', () => {
  const prepared = async () => {
    const scene = await withReplica();
    const names = (await namesOf(scene.vault)).filter((name) => !name.startsWith('epochs/'));
    const log = names.find((name) => name.endsWith('.log'))!;
    await flip(scene.vault, names[0]!);
    await flip(scene.vault, log);
    await scene.vault.removeObject(names[1]!);
    const folders = await foldersOf(scene.vault);
    return { ...scene, folders, damaged: [names[0]!, log] };
  };
  const run = (vault: Vault, donor: Vault, folders: readonly string[]): Promise<HealReport> => {
    const lease = { epoch: 1, assertHeld: () => undefined };
    return healVault({ vault, donors: [donor], lease, clock: testClock }, { folders });
  };

  it('loses nothing, and the next one goes on', async () => {
    const first = await prepared();
    const counted = faultyVault(first.vault, {});
    await run(counted.vault, first.replica, first.folders);
    assert.ok(counted.calls() > 40, `${counted.calls()} calls`);
    for (let failAt = 1; failAt <= counted.calls(); failAt += 1) {
      const { vault, replica, wanted, folders } = await prepared();
      const before = await contentOf(vault);
      const { vault: dying } = faultyVault(vault, { failAt, forGood: true });
      await run(dying, replica, folders).then(
        () => assert.fail(`nobody noticed call ${failAt}`),
        (error: unknown) => assert.ok(isBackupError(error, 'vault_unreachable'), String(error)),
      );
      const now = await contentOf(vault);
      for (const [name, digest] of Object.entries(before)) {
        const isSame = now[name] === digest || now[name] === wanted[name];
        assert.ok(isSame || now[`healing/${name}`] === wanted[name], `${name}, call ${failAt}`);
      }
      // Not even told which folders: what was begun is gone on with.
      await run(vault, replica, []);
      assert.deepEqual((await run(vault, replica, folders)).unhealed, []);
      assert.deepEqual(await contentOf(vault), wanted, `call ${failAt}`);
    }
  });
});
