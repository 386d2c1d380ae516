import type { Manifest } from '../../../src/core/manifest.ts';
import type { Vault } from '../../../src/core/vault.ts';
import type { CatalogEntry } from '../../../src/format/catalog.ts';
import { encodeManifest } from '../../../src/format/manifest-codec.ts';
import { overwrite } from '../../harness/memory-backup.ts';
import { type Damage, refused, repaired } from '../damage.ts';
import type { VaultSpecimen } from './specimen.ts';
import { change, flipByte, manifestOf, replace } from './tamper.ts';

const FROM_REPLICA = repaired('`verify --heal`: the object is taken from the replica, proven by its digest');
const OF_TWO = refused(
  /nothing proves which is right/,
  'sign backups (`encryption.sign_key`), then it is told; else look at both manifests and copy the right one by hand',
);
const CHILDREN = ['first: chain_broken', 'second: chain_broken'];

/** Damage to what says what a backup is, and to how backups build on one another. */
export const MANIFEST_DAMAGE: readonly Damage<VaultSpecimen>[] = [
  {
    name: 'a byte of a manifest is flipped',
    does: async ({ vault, backups }) => {
      await flipByte(vault, manifestOf(backups.full), 300);
      return ['manifest'];
    },
    expect: { rung: 'checksum', reports: ['full: manifest_damaged', ...CHILDREN], repair: FROM_REPLICA },
  },
  {
    name: 'a manifest is cut short',
    does: async ({ vault, backups }) => {
      await change(vault, manifestOf(backups.other), (bytes) => bytes.subarray(0, bytes.length >> 1));
      return ['manifest'];
    },
    expect: { rung: 'checksum', reports: ['other: manifest_damaged'], repair: FROM_REPLICA },
  },
  {
    name: 'a manifest is replaced by that of another backup',
    does: async ({ vault, backups }) => {
      await replace(vault, manifestOf(backups.full), manifestOf(backups.other));
      return ['manifest'];
    },
    expect: { rung: 'checksum', reports: ['full: manifest_damaged', ...CHILDREN], repair: FROM_REPLICA },
  },
  {
    name: 'the manifest of a backup that others build on is gone',
    does: async ({ vault, backups }) => {
      await vault.removeObject(manifestOf(backups.full));
      return [backups.full.manifest.backupId];
    },
    expect: { rung: 'counts', reports: CHILDREN, repair: FROM_REPLICA },
  },
  {
    name: 'a whole backup that others build on is gone',
    does: async ({ vault, backups }) => {
      await removeAll(vault, backups.first);
      return [backups.first.manifest.backupId];
    },
    expect: { rung: 'counts', reports: ['second: chain_broken'], repair: FROM_REPLICA },
  },
  {
    name: 'the manifest of a backup that nothing builds on is gone',
    does: async ({ vault, backups }) => {
      await vault.removeObject(manifestOf(backups.other));
      return [];
    },
    expect: {
      rung: null,
      reports: [],
      told: { by: ['list'], as: /1 attempt without a manifest/ },
      repair: refused(
        /^$/,
        'a backup that is removed by rule looks the same; `eventcore list` shows it as unfinished, `eventcore sync` brings it back from a replica',
      ),
    },
  },
  {
    name: 'a manifest tells of fewer events, its checksum made to fit',
    does: async ({ vault, backups }) => {
      await edit(vault, backups.other, ({ totalEvents }) => ({ totalEvents: totalEvents - 1 }));
      return [String(backups.other.manifest.totalEvents - 1)];
    },
    expect: {
      rung: 'counts',
      reports: ['other: counts_differ'],
      repair: OF_TWO,
    },
  },
  {
    name: 'a manifest no longer names an event file, all checksums made to fit',
    does: async ({ vault, backups }) => {
      await edit(vault, backups.other, ({ files }) => ({ files: files.slice(1) }));
      return ['checksum'];
    },
    expect: {
      rung: 'checksum',
      reports: ['other: bundle_checksum', 'other: counts_differ', 'other: heads_differ'],
      repair: OF_TWO,
    },
  },
  {
    name: 'a manifest that others build on is written anew with another time, its checksum made to fit',
    does: async ({ vault, backups }) => {
      await edit(vault, backups.full, () => ({ finishedAt: '2026-01-01T00:00:00.000Z' }));
      return [backups.full.manifest.backupId];
    },
    expect: { rung: 'counts', reports: CHILDREN, repair: FROM_REPLICA },
  },
  {
    name: 'a backup lies in the folder of another one',
    does: async ({ vault, backups }) => {
      for (const role of ['events', 'heads'] as const) {
        const [from, to] = [partOf(backups.second, role), partOf(backups.other, role)];
        await replace(vault, to.object, from.object);
        await replace(vault, to.table, from.table);
      }
      await replace(vault, manifestOf(backups.other), manifestOf(backups.second));
      return ['manifest'];
    },
    expect: { rung: 'checksum', reports: ['other: manifest_damaged'], repair: FROM_REPLICA },
  },
  {
    name: 'a backup of a newer program is there',
    does: async ({ vault, replica, backups }) => {
      for (const region of [vault, replica])
        await edit(region, backups.other, () => ({ formatVersion: 2 as 1 }));
      return ['version 2'];
    },
    expect: {
      rung: 'decode',
      reports: ['other: format_unknown'],
      repair: refused(/no other vault has it as it should be/, 'use a newer version of this program'),
    },
  },
];

function partOf({ folder, manifest }: CatalogEntry, role: 'events' | 'heads') {
  const file = manifest.files.find((candidate) => candidate.role === role)!;
  return { object: folder + file.name, table: folder + file.index.name };
}

async function removeAll(vault: Vault, { folder }: CatalogEntry): Promise<void> {
  const names: string[] = [];
  for await (const { name } of vault.list(folder)) names.push(name);
  for (const name of names) await vault.removeObject(name);
}

/** Whoever can write into a vault can make a checksum fit. */
async function edit(
  vault: Vault,
  { folder, manifest }: CatalogEntry,
  with_: (manifest: Manifest) => Partial<Manifest>,
): Promise<void> {
  await overwrite(vault, `${folder}manifest.json`, encodeManifest({ ...manifest, ...with_(manifest) }));
}
