import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isBackupError } from '../../src/core/errors.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { planTier } from '../../src/policy/archive-tier.ts';
import { archiveChains, archivedBackups } from '../../src/upkeep/archive-tier.ts';
import { archivedManifests, archivedObjects, recallObjects } from '../../src/upkeep/recall.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { archivedVault } from '../harness/archived-vault.ts';
import { makeChainOfFour, nextInstant } from '../harness/chain.ts';
import { faultyVault } from '../harness/faulty-vault.ts';
import { backUp, objectNames, testClock } from '../harness/memory-backup.ts';
import { assertSound, contentOf, leaseOf, restored } from '../harness/region.ts';

const DAY = 86_400_000;

/** A chain of four, and a backup that begins the next one and is younger than the days that are to pass. */
async function twoChains(): Promise<{ vault: Vault; old: readonly string[]; young: string; now: number }> {
  const { store, vault, ids } = await makeChainOfFour();
  const now = Date.now() + 90 * DAY + 1;
  await nextInstant();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const { manifest } = await backUp(store, vault);
  return { vault, old: ids, young: manifest.backupId, now };
}

async function listed(vault: Vault): Promise<{ name: string }[]> {
  const infos: { name: string }[] = [];
  for await (const info of vault.list('')) infos.push(info);
  return infos;
}

function move(source: Vault, target: Vault, now: number) {
  const clock = { ...testClock, now: () => now };
  return archiveChains({ source, target, clock, underLease: leaseOf(target) }, 90);
}

describe('the archive tier', () => {
  it('gets whole chains once their newest backup is old enough, and is a vault of its own', async () => {
    const { vault, old, young, now } = await twoChains();
    const archive = memoryVault();
    const { copied, problems, lag } = await move(vault, archive, now);
    assert.deepEqual([copied, problems, lag], [old, [], null]);
    assert.equal(await assertSound(archive, 'in the archive'), 4);
    const alone = memoryVault();
    for (const name of (await objectNames(vault)).filter((found) => !found.includes(young))) {
      const info = await vault.stat(name);
      const object = await alone.createObject(name);
      await object.write(await vault.readRange(name, 0, info!.sizeBytes));
      await object.commit();
    }
    assert.deepEqual(await restored(archive), await restored(alone));
    const catalog = await readCatalog(vault);
    assert.deepEqual([...(await archivedBackups(catalog, archive))].sort(), [...old].sort());
  });

  it('does not hold a backup of which one object, or one that it builds on, is not there', async () => {
    const { vault, old, now } = await twoChains();
    const archive = memoryVault();
    await move(vault, archive, now);
    const [, second] = old;
    const name = (await objectNames(archive)).find((found) => found.includes(second!))!;
    await archive.removeObject(name);
    const catalog = await readCatalog(vault);
    assert.deepEqual([...(await archivedBackups(catalog, archive))], [old[0]]);
  });

  it('is not read to tell what it holds: what is archived cannot be', async () => {
    const { vault, old, now } = await twoChains();
    const inner = memoryVault();
    await move(vault, inner, now);
    const { vault: archive, asked } = archivedVault(inner, () => true);
    const again = await move(vault, archive, now);
    assert.deepEqual([again.copied, again.objects, again.problems], [[], 0, []]);
    assert.equal((await archivedBackups(await readCatalog(vault), archive)).size, old.length);
    assert.deepEqual(asked, []);
  });

  it('is gone on with where a move ended, though nothing in it can be read', async () => {
    const { vault, old, now } = await twoChains();
    const inner = memoryVault();
    const cold = archivedVault(inner, () => true, 1_000_000).vault;
    const target: Vault = { ...cold, copyFrom: () => assert.fail('what is moved there cannot be proven') };
    const counted = faultyVault(target, {});
    await move(vault, counted.vault, now);
    const wanted = await contentOf(inner);
    for (const { name } of await listed(inner)) await inner.removeObject(name);
    const half = faultyVault(target, { failAt: Math.round(counted.calls() / 2) });
    await assert.rejects(move(vault, half.vault, now), { code: 'vault_unreachable' });
    const { problems } = await move(vault, target, now);
    assert.deepEqual(problems, []);
    assert.deepEqual(await contentOf(inner), wanted);
    assert.equal((await archivedBackups(await readCatalog(vault), target)).size, old.length);
  });

  it('is whole or lacks the manifest, whatever call of a vault a move fails at', async () => {
    const { vault, now } = await twoChains();
    for (const which of ['source', 'target'] as const) {
      const through = (archive: Vault, failAt?: number) => {
        const faulty = faultyVault(
          which === 'source' ? vault : archive,
          failAt === undefined ? {} : { failAt },
        );
        const pair =
          which === 'source' ? ([faulty.vault, archive] as const) : ([vault, faulty.vault] as const);
        return { calls: faulty.calls, moved: move(...pair, now) };
      };
      const wanted = memoryVault();
      const counted = through(wanted);
      await counted.moved;
      for (let failAt = 1; failAt <= counted.calls(); failAt += 3) {
        const archive = memoryVault();
        await through(archive, failAt).moved.then(
          () => assert.fail(`nobody noticed call ${failAt}`),
          (error: unknown) => assert.ok(isBackupError(error, 'vault_unreachable'), String(error)),
        );
        await assertSound(archive, `call ${failAt} of the ${which}`);
        await move(vault, archive, now);
        assert.deepEqual(await contentOf(archive), await contentOf(wanted));
      }
    }
  });

  it('gets all of a chain or nothing of it, and only what is older than the days that are to pass', () => {
    const backups = fc.array(
      fc.record({
        backupId: fc.uuid(),
        baseId: fc.constantFrom('a', 'b', 'c', 'd'),
        createdAtMs: fc.integer({ min: 0, max: 200 * DAY }),
      }),
    );
    fc.assert(
      fc.property(backups, fc.integer({ min: 1, max: 100 }), (candidates, afterDays) => {
        const nowMs = 200 * DAY;
        const decided = planTier(candidates, { afterDays, nowMs });
        const members = decided.flatMap((chain) => chain.members);
        assert.deepEqual(new Set(members), new Set(candidates));
        assert.equal(members.length, candidates.length);
        for (const { baseId, members: own, moves, reason } of decided) {
          const isOld = own.every(({ createdAtMs }) => nowMs - createdAtMs > afterDays * DAY);
          assert.equal(moves, isOld);
          assert.ok(own.every((member) => member.baseId === baseId) && reason.length > 0);
        }
      }),
    );
  });
});

describe('reading back from an archive tier', () => {
  const scene = async (looks = 1) => {
    const { vault: inner } = await makeChainOfFour();
    const archived = archivedVault(inner, () => true, looks);
    return { ...archived, inner, names: await archivedObjects(archived.vault, ['backups/']) };
  };

  it('asks for all objects, and says how long it takes', async () => {
    const { vault, asked, names } = await scene();
    const refused = recallObjects(vault, names, { wait: false });
    await assert.rejects(refused, (error) => {
      assert.ok(isBackupError(error, 'object_archived'));
      assert.deepEqual([error.exitCode, error.retryable], [6, true]);
      assert.match(error.hint!, /were asked for, and it usually takes up to 12 h/);
      return true;
    });
    assert.deepEqual(asked.toSorted(), names);
    await recallObjects(vault, names, { wait: false });
    await restored(vault);
  });

  it('waits until all can be read, and says how many are left', async () => {
    const { vault, names } = await scene(2);
    const waiting: number[] = [];
    await recallObjects(vault, names, {
      ...{ wait: true, firstPauseMs: 1 },
      onWaiting: (state) => waiting.push(state.waiting),
    });
    assert.deepEqual(waiting, [names.length, names.length]);
    await restored(vault);
  });

  it('ends when it is told to, and when it takes too long', async () => {
    const { vault, names } = await scene(1_000_000);
    const stop = new AbortController();
    const stopped = recallObjects(vault, names, {
      ...{ wait: true, signal: stop.signal },
      onWaiting: () => stop.abort(),
    });
    await assert.rejects(stopped, { code: 'interrupted' });
    const late = recallObjects(vault, names, { wait: true, firstPauseMs: 1, timeoutMs: 30 });
    await assert.rejects(late, { code: 'object_archived' });
  });

  it('finds manifests that were archived too, and asks for nothing where nothing is', async () => {
    const { vault, inner } = await scene();
    assert.equal((await archivedManifests(vault)).length, 4);
    assert.deepEqual(await archivedManifests(inner), []);
    await recallObjects(inner, [], { wait: false });
  });
});
