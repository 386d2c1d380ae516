import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RUNG_OF } from '../../src/core/report.ts';
import { RUNGS, type Rung } from '../../src/core/rungs.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { encodeManifest } from '../../src/format/manifest-codec.ts';
import { verifyBackup } from '../../src/integrity/verify/backup.ts';
import { verifyChains } from '../../src/integrity/verify/chains.ts';
import { climb, rungsOf } from '../../src/integrity/verify/ladder.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { entryOf, makeChainOfFour } from '../harness/chain.ts';
import { forge, type PlainSample, plainSample } from '../harness/forged-backup.ts';
import { backUp, fill, overwrite, readObject, testClock, verifyAll } from '../harness/memory-backup.ts';
import { keysOf, makePerson, makeRing, makeSigner } from '../harness/test-keys.ts';

const owner = makePerson('owner');
const host = keysOf(makeRing([owner]), makeSigner());
const asOwner = keysOf(makeRing([], [owner]), null);

type Result = Awaited<ReturnType<typeof verifyBackup>>;

const lowest = ({ rungs }: Result): Rung | undefined => rungs.find(({ state }) => state === 'failed')?.name;
const passed = ({ rungs }: Result): Rung[] =>
  rungs.filter(({ state }) => state === 'passed').map(({ name }) => name);
const reasonOf = ({ rungs }: Result, rung: Rung) => rungs.find(({ name }) => name === rung)?.reason;

describe('the ladder', () => {
  const bytesOf = (sample: PlainSample, name: string) => readObject(sample.vault, sample.folder + name);

  const damages: [string, Rung, (sample: PlainSample) => Promise<void>][] = [
    ['a file that is gone', 'existence', ({ vault, folder }) => vault.removeObject(`${folder}heads.jsonl`)],
    [
      'a file that is shorter',
      'size',
      async (sample) =>
        overwrite(
          sample.vault,
          `${sample.folder}events-00001.jsonl`,
          (await bytesOf(sample, 'events-00001.jsonl')).subarray(1),
        ),
    ],
    [
      'a byte flipped',
      'checksum',
      async (sample) => {
        const bytes = await bytesOf(sample, 'events-00001.jsonl');
        bytes[40]! ^= 1;
        await overwrite(sample.vault, `${sample.folder}events-00001.jsonl`, bytes);
      },
    ],
    [
      'a payload that is no JSON',
      'decode',
      (sample) => forge(sample, 'events', (t) => t.replace(':1}', ':1,')),
    ],
    [
      'an event without a stream',
      'structure',
      (sample) => forge(sample, 'events', (t) => t.replace('"streamId":"a"', '"streamId":""')),
    ],
    [
      'a version below the first',
      'structure',
      (sample) => forge(sample, 'events', (t) => t.replace('"version":1', '"version":-4')),
    ],
    [
      'an event of the next century',
      'structure',
      (sample) => forge(sample, 'events', (t) => t.replace(/"recordedAt":"2/, '"recordedAt":"3')),
    ],
    [
      'a stream that misses a version',
      'order',
      (sample) => forge(sample, 'events', (t) => t.replace('"version":1', '"version":3')),
    ],
    [
      'heads of other events',
      'counts',
      (sample) => forge(sample, 'heads', (t) => t.replace('"lastVersion":1', '"lastVersion":9')),
    ],
  ];
  for (const [what, rung, damage] of damages) {
    it(`is climbed up to \`${rung}\` and no further with ${what}`, async () => {
      const sample = await plainSample();
      const [sound] = await verifyAll(sample.vault);
      assert.deepEqual(lowest(sound!), undefined);
      await damage(sample);
      const [result] = await verifyAll(sample.vault);
      assert.equal(lowest(result!), rung, JSON.stringify(result!.problems));
      const below = RUNGS.slice(0, RUNGS.indexOf(rung)).filter((name) => name !== 'seal');
      assert.deepEqual(passed(result!), below);
      for (const problem of result!.problems) assert.equal(problem.rung, RUNG_OF[problem.code]);
    });
  }

  it('has a rung for seals: a manifest that somebody changed without the key', async () => {
    const store = memoryStore();
    await store.initialise();
    await store.append([{ streamId: 'a', events: [{ type: 'Happened', data: '{}' }] }]);
    const vault = memoryVault();
    const { folder, manifest } = await backUp(store, vault, {}, host);
    const [sound] = await verifyAll(vault, false, asOwner);
    assert.deepEqual(passed(sound!), RUNGS.slice(0, -1));
    const { signature: _, ...unsigned } = manifest;
    const changed = { ...unsigned, tag: 'f'.repeat(64) };
    await overwrite(vault, `${folder}manifest.json`, encodeManifest(changed));
    const [result] = await verifyAll(vault, false, asOwner);
    assert.equal(lowest(result!), 'seal');
  });

  it('says why a rung was not tried: no key, no store, `--quick`', async () => {
    const { vault } = await plainSample();
    const [quick] = await verifyAll(vault, true);
    assert.deepEqual(passed(quick!), ['existence', 'size']);
    assert.equal(reasonOf(quick!, 'checksum'), '`--quick`');
    assert.equal(reasonOf(quick!, 'completeness'), 'no store was named');
    const store = memoryStore();
    await store.initialise();
    const sealed = memoryVault();
    await backUp(store, sealed, {}, host);
    const [shut] = await verifyAll(sealed, false, keysOf(makeRing([owner]), null));
    assert.deepEqual(passed(shut!), ['existence', 'size', 'checksum']);
    for (const rung of ['seal', 'decode', 'structure', 'order', 'counts'] as const)
      assert.equal(reasonOf(shut!, rung), 'no key opens it', rung);
  });

  it('ends at completeness, which fails where the store has more, or less', async () => {
    const { vault, manifest, store } = await plainSample();
    const entry = await entryOf(vault, manifest.backupId);
    const check = () =>
      verifyBackup({ vault, clock: testClock }, entry, { quick: false, parallel: 1, againstStore: store });
    assert.equal(passed(await check()).at(-1), 'completeness');
    await store.append([{ streamId: 'a', events: [{ type: 'Happened', data: '{}' }] }]);
    assert.equal(lowest(await check()), 'completeness');
  });

  it('is climbed by some files of a backup as far as they show something alone', async () => {
    const sample = await plainSample();
    const entry = await entryOf(sample.vault, sample.manifest.backupId);
    const check = async (...files: string[]) => {
      const now = await entryOf(sample.vault, entry.manifest.backupId);
      const options = { quick: false, parallel: 1, files: new Set(files) };
      return verifyBackup({ vault: sample.vault, clock: testClock }, now, options);
    };
    const events = await check('events-00001.jsonl');
    assert.deepEqual(passed(events), ['existence', 'size', 'checksum', 'decode', 'structure']);
    assert.equal(reasonOf(events, 'counts'), 'only 1 of its 2 files were checked');
    assert.deepEqual([events.isWhole, events.eventsValid, events.overallValid], [false, null, true]);
    const heads = await check('heads.jsonl');
    assert.deepEqual(passed(heads), ['existence', 'size', 'checksum', 'decode']);
    await forge(sample, 'events', (text) => text.replace('"streamId":"a"', '"streamId":""'));
    assert.equal(lowest(await check('events-00001.jsonl')), 'structure');
    assert.equal(lowest(await check('heads.jsonl')), undefined);
  });

  it('is climbed by a backup whose parents wait for another turn, as long as their heads can be read', async () => {
    const { vault, ids } = await makeChainOfFour();
    const only = async () => {
      const catalog = await readCatalog(vault);
      const entry = await entryOf(vault, ids[2]!);
      const options = { quick: false, parallel: 1 };
      return (await verifyChains({ vault, clock: testClock }, catalog, [entry], options))[0]!.verification;
    };
    assert.equal(passed(await only()).at(-1), 'counts');
    const parent = await entryOf(vault, ids[1]!);
    const heads = parent.manifest.files.find(({ role }) => role === 'heads')!;
    const bytes = await readObject(vault, parent.folder + heads.name);
    bytes[3]! ^= 1;
    await overwrite(vault, parent.folder + heads.name, bytes);
    const result = await only();
    assert.equal(lowest(result), 'counts');
    assert.equal(result.problems[0]!.code, 'chain_broken');
  });

  it('counts payloads of a store that are no JSON when asked, and calls them no damage', async () => {
    const store = memoryStore();
    await store.initialise();
    await fill(store, [{ streamId: 'a', version: 1, data: '{"n":1' }]);
    for (const format of ['columns', 'jsonl', 'msgpack'] as const) {
      const vault = memoryVault();
      const { manifest } = await backUp(store, vault, { format });
      const entry = await entryOf(vault, manifest.backupId);
      const check = (payloads: boolean) =>
        verifyBackup({ vault, clock: testClock }, entry, { quick: false, parallel: 1, payloads });
      const looked = await check(true);
      assert.deepEqual([looked.malformedPayloads, looked.overallValid], [1, true], format);
      assert.equal((await check(false)).malformedPayloads, null);
    }
  });
});

describe('rungs above one that failed', () => {
  it('are never said to have passed', () => {
    for (const rung of RUNGS) {
      const states = climb(new Set([rung]), {});
      const above = states.slice(RUNGS.indexOf(rung) + 1).filter(({ name }) => name !== 'completeness');
      for (const { state, reason } of above)
        assert.deepEqual([state, reason], ['skipped', `\`${rung}\` failed`]);
    }
  });

  it('are told by the codes of problems, each of which has one', () => {
    const place = { file: null, chunk: null, streamId: null, version: null, message: '' };
    const codes = Object.keys(RUNG_OF) as (keyof typeof RUNG_OF)[];
    const found = rungsOf(codes.map((code) => ({ ...place, code })));
    assert.deepEqual(
      RUNGS.filter((rung) => !found.has(rung)),
      [],
    );
  });
});
