import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ChainLink, Manifest } from '../../src/core/manifest.ts';
import { type BackupVerification, type ProblemCode, RUNG_OF } from '../../src/core/report.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import type { HeadLine } from '../../src/format/heads.ts';
import { encodeManifest, manifestChecksum } from '../../src/format/manifest-codec.ts';
import { verifyBackup } from '../../src/integrity/verify/backup.ts';
import { verifyChains } from '../../src/integrity/verify/chains.ts';
import { compareWithStore } from '../../src/integrity/verify/completeness.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { addIncremental, type ChainOfFour, entryOf, grow, makeChainOfFour } from '../harness/chain.ts';
import { overwrite, testClock, verifyAll } from '../harness/memory-backup.ts';
import { sampleManifest } from '../harness/sample-manifest.ts';

/** A chain whose newest backup has events. */
async function makeChain(): Promise<ChainOfFour & { readonly newest: string }> {
  const chain = await makeChainOfFour();
  await chain.vault.removeObject(`${(await entryOf(chain.vault, chain.ids[3]!)).folder}manifest.json`);
  return { ...chain, newest: chain.ids[2]! };
}

/** What a faulty program would write: a manifest that holds together and says something else. */
async function rewrite(
  vault: Vault,
  backupId: string,
  change: (manifest: Manifest) => Manifest,
): Promise<void> {
  const { folder, manifest } = await entryOf(vault, backupId);
  await overwrite(vault, `${folder}manifest.json`, encodeManifest(change(manifest)));
}

const codesOf = ({ problems }: BackupVerification): string[] => problems.map(({ code }) => code);

async function verdictOn(vault: Vault, backupId: string, quick = false): Promise<BackupVerification> {
  return (await verifyAll(vault, quick)).find((result) => result.backupId === backupId)!;
}

describe('checking a chain', () => {
  it('finds a link that is missing, quickly too, and all that builds on it', async () => {
    for (const quick of [true, false]) {
      const { vault, ids } = await makeChainOfFour();
      await vault.removeObject(`${(await entryOf(vault, ids[1]!)).folder}manifest.json`);
      const results = await verifyAll(vault, quick);
      assert.deepEqual(
        results.map(({ backupId, overallValid }) => [backupId, overallValid]),
        [ids[0], ids[2], ids[3]].map((id) => [id, id === ids[0]]),
      );
      for (const result of results.slice(1)) {
        assert.deepEqual(codesOf(result), ['chain_broken']);
        assert.match(
          result.problems[0]!.message,
          new RegExp(`${ids[1]}, which it builds on, has no manifest`),
        );
        assert.equal(result.metadataConsistent, false);
      }
    }
  });

  it('takes no child for sound whose parent was replaced, nor its children', async () => {
    const { vault, ids } = await makeChainOfFour();
    await rewrite(vault, ids[1]!, (manifest) => ({ ...manifest, software: 'another program' }));
    const results = await verifyAll(vault);
    assert.deepEqual(results.map(codesOf), [[], [], ['chain_broken'], ['chain_broken']]);
    assert.match(results[2]!.problems[0]!.message, /is not the backup that .* was built on/);
  });

  it('does not call an incremental backup sound when nobody says what it builds on', async () => {
    const { vault, newest } = await makeChain();
    const options = { quick: false, parallel: 1 };
    const result = await verifyBackup({ vault, clock: testClock }, await entryOf(vault, newest), options);
    assert.equal(result.overallValid, false);
    assert.deepEqual(codesOf(result), ['chain_broken']);
  });

  type Change = (manifest: Manifest) => Partial<Manifest>;
  const changes: [string, Change, RegExp, ProblemCode?][] = [
    [
      'missing versions',
      ({ oddities }) => ({ oddities: { ...oddities, missingVersions: 1 } }),
      /^oddities\.missingVersions is /,
      'version_gap',
    ],
    [
      'times of the future',
      ({ oddities }) => ({ oddities: { ...oddities, futureTimes: 1 } }),
      /^oddities\.futureTimes is /,
      'event_invalid',
    ],
    [
      'times',
      ({ eventRange }) => ({ eventRange: { ...eventRange!, latestVersion: '99' } }),
      /^eventRange is /,
    ],
    [
      'streams of the chain',
      ({ chain }) => ({ chain: { ...chain!, totalStreams: chain!.totalStreams + 1 } }),
      /^chain\.totalStreams is /,
    ],
  ];
  for (const [what, change, said, code = 'counts_differ'] of changes) {
    it(`finds a manifest with other ${what}`, async () => {
      const { vault, newest } = await makeChain();
      assert.equal((await verdictOn(vault, newest)).overallValid, true);
      await rewrite(vault, newest, (manifest) => ({ ...manifest, ...change(manifest) }));
      const result = await verdictOn(vault, newest);
      assert.deepEqual(codesOf(result), [code]);
      assert.match(result.problems[0]!.message, said);
      assert.deepEqual(
        result.rungs.filter(({ state }) => state === 'failed').map(({ name }) => name),
        [RUNG_OF[code]],
      );
      assert.equal(result.metadataConsistent, false);
    });
  }

  it('finds totals that do not add up, quickly too', async () => {
    const { vault, newest } = await makeChain();
    await rewrite(vault, newest, (manifest) => {
      const chain: ChainLink = { ...manifest.chain!, totalEvents: manifest.chain!.totalEvents + 1 };
      return { ...manifest, chain };
    });
    for (const quick of [true, false]) {
      const result = await verdictOn(vault, newest, quick);
      assert.deepEqual(codesOf(result), ['chain_broken']);
      assert.match(result.problems[0]!.message, /does not add up with/);
    }
  });

  it('finds an event whose version the chain holds already, and names its stream', async () => {
    const { store, vault, newest } = await makeChain();
    await grow(store, 30, 1);
    const first = await addIncremental(store, vault, { parent: newest });
    const again = await addIncremental(store, vault, { parent: newest });
    assert.equal((await verdictOn(vault, again)).overallValid, true, 'a fork may hold it too');
    const { manifest: parent } = await entryOf(vault, first);
    await rewrite(vault, again, (manifest) => ({
      ...manifest,
      parentId: first,
      chain: {
        ...manifest.chain!,
        parentChecksum: manifestChecksum(parent),
        length: manifest.chain!.length + 1,
        totalEvents: parent.chain!.totalEvents + manifest.totalEvents,
      },
    }));
    const result = await verdictOn(vault, again);
    const doubled = result.problems.filter(({ code, message }) => {
      return code === 'version_duplicate' && message.includes('that the chain holds already');
    });
    assert.deepEqual(doubled.map(({ streamId }) => streamId).sort(), ['born-in-30', 'order-2']);
    assert.ok(codesOf(result).includes('heads_differ'));
  });

  it('compares all that the chain holds with the live store', async () => {
    const { store, vault } = await makeChainOfFour();
    const catalog = await readCatalog(vault);
    const check = async () => {
      const againstStore = { store, backups: new Set(catalog.backups.slice(-1)) };
      const options = { quick: true, parallel: 1, againstStore };
      const results = await verifyChains({ vault, clock: testClock }, catalog, catalog.backups, options);
      return results.map(({ verification }) => verification);
    };
    const same = await check();
    assert.deepEqual(
      same.map(({ completenessVerified, overallValid }) => [completenessVerified, overallValid]),
      [false, false, false, true].map((compared) => [compared, true]),
    );
    await grow(store, 40, 3);
    assert.equal((await check()).at(-1)!.missingEvents, 6);
  });
});

describe('comparing heads with a live store', () => {
  const head = (streamId: string, events: number, lastVersion = events): HeadLine => ({
    ...{ streamId, events, firstVersion: 1, lastVersion, lastEventId: 'unknown' },
  });

  async function compare(heads: readonly HeadLine[], live: Readonly<Record<string, number>>) {
    const store = memoryStore();
    await store.initialise();
    for (const [streamId, count] of Object.entries(live)) {
      const events = Array.from({ length: count }, () => ({ type: 'T', data: '{}' }));
      await store.append([{ streamId, events }]);
    }
    async function* lines(): AsyncGenerator<HeadLine> {
      yield* heads;
    }
    const { missingEvents, problems, isVerified } = await compareWithStore(lines(), sampleManifest(), store);
    assert.equal(isVerified, true);
    return { missingEvents, said: problems.map(({ code, message }) => `${code}: ${message}`) };
  }

  it('finds nothing where both hold the same', async () => {
    assert.deepEqual(await compare([head('a', 3), head('b', 2)], { a: 3, b: 2 }), {
      missingEvents: 0,
      said: [],
    });
  });

  it('counts what the store gained: behind the last version, below it, and in new streams', async () => {
    const gained = await compare([head('b', 2), head('c', 2, 3)], { a: 4, b: 5, c: 3, d: 1 });
    assert.deepEqual(gained, { missingEvents: 4 + 3 + 1 + 1, said: [] });
  });

  it('says of each stream how many events are gone from it', async () => {
    const { said } = await compare([head('a', 5), head('b', 2), head('c', 9)], { a: 2, c: 8 });
    assert.deepEqual(said, [
      'store_differs: stream "a" ends at version 2 in the store, at 5 in the backup: 3 events are gone',
      'store_differs: stream "b" is not in the store any more: 2 events are gone',
      'store_differs: stream "c" ends at version 8 in the store, at 9 in the backup: 1 event is gone',
    ]);
  });

  it('finds events that are gone from a stream that went on, and does not take the new ones for them', async () => {
    const { said, missingEvents } = await compare([head('a', 7, 4)], { a: 2500 });
    assert.deepEqual(said, [
      'store_differs: stream "a" has 4 events up to version 4 in the store, 7 in the backup: 3 events are gone',
    ]);
    assert.equal(missingEvents, 2496);
  });
});
