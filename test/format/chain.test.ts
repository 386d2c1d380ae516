import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import type { ChainLink, Manifest } from '../../src/core/manifest.ts';
import type { Catalog, CatalogEntry } from '../../src/format/catalog.ts';
import {
  type Chain,
  type ChainBreak,
  followChain,
  inChainOrder,
  isBroken,
  newestRestorePoint,
  requireChain,
} from '../../src/format/chain.ts';
import { manifestChecksum } from '../../src/format/manifest-codec.ts';
import { sampleManifest } from '../harness/sample-manifest.ts';

const entry = (manifest: Manifest): CatalogEntry => ({
  manifest,
  folder: `backups/${manifest.kind}-backup-${manifest.backupId}.eventcore/`,
  manifestBytes: 1000,
});

const full = (backupId: string) => entry(sampleManifest({ backupId, totalEvents: 100, totalStreams: 10 }));

/** A backup of ten events more, in one stream more. */
function childOf(
  { manifest: parent }: CatalogEntry,
  backupId: string,
  link: Partial<ChainLink> = {},
): CatalogEntry {
  const before = parent.chain ?? { baseId: parent.backupId, length: 1, totalEvents: 100, totalStreams: 10 };
  const chain: ChainLink = {
    baseId: before.baseId,
    parentChecksum: manifestChecksum(parent),
    length: before.length + 1,
    totalEvents: before.totalEvents + 10,
    totalStreams: before.totalStreams + 1,
    method: 'transactions',
    ...link,
  };
  const totals = { totalEvents: 10, totalStreams: 3 };
  return entry(
    sampleManifest({ backupId, kind: 'incremental', parentId: parent.backupId, chain, ...totals }),
  );
}

const catalogOf = (...backups: CatalogEntry[]): Catalog => ({ backups, damaged: [], unfinished: [] });
const idsOf = (chain: Chain): string[] => chain.map(({ manifest }) => manifest.backupId);

const base = full('base');
const one = childOf(base, 'one');
const two = childOf(one, 'two');
const three = childOf(two, 'three');

function breakOf(catalog: Catalog, wanted: CatalogEntry): ChainBreak {
  const chain = followChain(catalog, wanted);
  assert.ok(isBroken(chain), 'the chain is broken');
  return chain;
}

describe('following a chain', () => {
  it('gives all links, the full backup first, wherever they lie in the catalog', () => {
    const catalog = catalogOf(three, one, base, two);
    assert.deepEqual(idsOf(requireChain(catalog, three)), ['base', 'one', 'two', 'three']);
    assert.deepEqual(idsOf(requireChain(catalog, one)), ['base', 'one']);
    assert.deepEqual(idsOf(requireChain(catalog, base)), ['base']);
  });

  it('names a link that is missing, and says what its children cannot do', () => {
    const catalog = catalogOf(base, two, three);
    for (const wanted of [two, three]) {
      const { backupId, reason, message } = breakOf(catalog, wanted);
      assert.deepEqual([backupId, reason], ['one', 'missing']);
      assert.match(message, /^one, which it builds on, is not in the vault$/);
    }
    assert.throws(
      () => requireChain(catalog, three),
      (error) =>
        isBackupError(error, 'damaged') &&
        /backup three cannot be used: one,/.test(error.message) &&
        error.facts.reason === 'missing',
    );
  });

  it('tells a link that never finished and one that is damaged from one that is gone', () => {
    const unfinished = {
      ...one,
      kind: 'incremental',
      backupId: 'one',
      objects: 1,
      sizeBytes: 1,
      modifiedAtMs: 1,
      canBeTakenUp: false,
    } as const;
    const attempt = breakOf({ ...catalogOf(base, two), unfinished: [unfinished] }, two);
    assert.deepEqual(
      [attempt.reason, attempt.message],
      ['missing', 'one, which it builds on, has no manifest'],
    );
    const hurt = {
      folder: one.folder,
      kind: 'incremental',
      backupId: 'one',
      code: 'manifest_damaged',
    } as const;
    const damaged = breakOf({ ...catalogOf(base, two), damaged: [{ ...hurt, message: 'no JSON' }] }, two);
    assert.deepEqual(
      [damaged.backupId, damaged.reason, damaged.message],
      ['one', 'damaged', 'one, which it builds on, is damaged: no JSON'],
    );
  });

  it('notices a parent of the same id that is another backup', () => {
    const other = entry({ ...one.manifest, createdAt: '2026-11-24T00:00:00.000Z' });
    const { backupId, reason } = breakOf(catalogOf(base, other, two, three), three);
    assert.deepEqual([backupId, reason], ['one', 'replaced']);
    const otherBase = entry({ ...base.manifest, software: 'another program' });
    assert.equal(breakOf(catalogOf(otherBase, one), one).reason, 'replaced');
  });

  it('notices a child that does not add up with its parent', () => {
    for (const link of [{ totalEvents: 111 }, { length: 7 }, { length: 1 }, { baseId: 'another' }]) {
      const wrong = childOf(one, 'wrong', link);
      const { backupId, reason } = breakOf(catalogOf(base, one, wrong), wrong);
      assert.deepEqual([backupId, reason], ['wrong', 'inconsistent'], JSON.stringify(link));
    }
  });

  it('follows each of two children of one parent to the same base', () => {
    const fork = childOf(one, 'fork');
    const catalog = catalogOf(base, one, two, fork, three);
    assert.deepEqual(idsOf(requireChain(catalog, fork)), ['base', 'one', 'fork']);
    assert.deepEqual(idsOf(requireChain(catalog, three)), ['base', 'one', 'two', 'three']);
  });
});

describe('the newest restore point', () => {
  it('is the newest backup whose chain is whole, and those that were passed over are named', () => {
    const whole = newestRestorePoint(catalogOf(base, one, two), 'file:/v');
    assert.deepEqual([idsOf(whole.chain), whole.passedOver], [['base', 'one', 'two'], []]);
    const broken = newestRestorePoint(catalogOf(base, one, three), 'file:/v');
    assert.deepEqual(idsOf(broken.chain), ['base', 'one']);
    assert.deepEqual(
      broken.passedOver.map(({ backupId }) => backupId),
      ['three'],
    );
  });

  it('is refused where no chain is whole', () => {
    assert.throws(
      () => newestRestorePoint(catalogOf(two, three), 'file:/v'),
      (error) => isBackupError(error, 'damaged') && /backup three cannot be used/.test(error.message),
    );
    assert.throws(
      () => newestRestorePoint(catalogOf(), 'file:/v'),
      (error) => isBackupError(error, 'no_backups'),
    );
  });
});

describe('backups in the order of their chains', () => {
  it('come each right behind its parent, with all that builds on it before the next child', () => {
    const fork = childOf(one, 'fork');
    const late = full('late');
    const orphan = childOf(childOf(full('gone'), 'also gone'), 'orphan');
    const ordered = inChainOrder([base, one, orphan, two, fork, late, three]);
    assert.deepEqual(idsOf(ordered), ['base', 'one', 'two', 'three', 'fork', 'orphan', 'late']);
  });
});

it('a chain of 3000 links is followed from each of them in seconds', () => {
  const entries = [base];
  for (let link = 1; link <= 3000; link += 1) entries.push(childOf(entries.at(-1)!, `link-${link}`));
  const catalog = catalogOf(...entries);
  const startedAt = performance.now();
  for (const wanted of entries) assert.equal(requireChain(catalog, wanted).at(-1), wanted);
  const seconds = (performance.now() - startedAt) / 1000;
  assert.ok(seconds < 10, `${seconds} s`);
});
