import type { Manifest } from '../../../src/core/manifest.ts';
import type { Vault } from '../../../src/core/vault.ts';
import type { CatalogEntry } from '../../../src/format/catalog.ts';
import { parseKeyRecordName } from '../../../src/format/key-record.ts';
import { bundleChecksum, encodeManifest } from '../../../src/format/manifest-codec.ts';
import { sealManifest } from '../../../src/format/manifest-seal.ts';
import { overwrite } from '../../harness/memory-backup.ts';
import { makeSigner } from '../../harness/test-keys.ts';
import { type Damage, repaired } from '../damage.ts';
import type { VaultSpecimen } from './specimen.ts';
import { fileOf, flipByte, manifestOf, replace } from './tamper.ts';

const FROM_REPLICA = repaired('`verify --heal`: the object is taken from the replica, without any key');
const CHILDREN = ['first: chain_broken', 'second: chain_broken'];

/** What is done to sealed and signed vaults, also by who can write there and has no key. */
export const SEALED_DAMAGE: readonly Damage<VaultSpecimen>[] = [
  {
    name: 'a byte of a sealed event file is flipped',
    does: async (specimen) => {
      const file = fileOf(specimen, 'full');
      await flipByte(specimen.vault, file.object, file.sizeBytes >> 1);
      return [file.name];
    },
    expect: {
      rung: 'checksum',
      reports: ['full: chunk_checksum', 'full: file_checksum', ...CHILDREN],
      repair: FROM_REPLICA,
    },
  },
  {
    name: 'the sealed events of another backup are put in, table and manifest made to fit',
    does: async (specimen) => {
      const { vault, backups } = specimen;
      const [own, foreign] = [fileOf(specimen, 'other'), fileOf(specimen, 'full')];
      await replace(vault, own.object, foreign.object);
      await replace(vault, own.table, foreign.table);
      const { files } = backups.full.manifest;
      await rewrite(vault, backups.other, ({ files: ours }) => ({
        files: ours.map((file) =>
          file.role === 'events' ? files.find(({ role }) => role === 'events')! : file,
        ),
      }));
      return [own.index.name];
    },
    expect: {
      rung: 'seal',
      reports: [
        'other: seal_broken',
        'other: counts_differ',
        'other: signature_invalid',
        'other: tag_invalid',
      ],
      repair: FROM_REPLICA,
    },
  },
  {
    name: 'a sealed manifest is edited, its checksum made to fit',
    does: async ({ vault, backups }) => {
      await rewrite(vault, backups.other, ({ totalEvents }) => ({ totalEvents: totalEvents - 1 }));
      return ['manifest'];
    },
    expect: {
      rung: 'seal',
      reports: ['other: tag_invalid', 'other: signature_invalid', 'other: counts_differ'],
      repair: FROM_REPLICA,
    },
  },
  {
    name: 'a signed manifest is signed anew by a stranger',
    does: async ({ vault, backups }) => {
      const stranger = makeSigner();
      const { signature: _, ...unsigned } = backups.other.manifest;
      await overwrite(
        vault,
        manifestOf(backups.other),
        encodeManifest(sealManifest(unsigned, null, stranger)),
      );
      return [stranger.name];
    },
    expect: {
      rung: 'seal',
      reports: ['other: signature_invalid'],
      repair: FROM_REPLICA,
    },
  },
  {
    name: 'the record of the key of a backup is gone',
    does: async ({ vault, backups }) => {
      await vault.removeObject(await keyRecordOf(vault, backups.other));
      return [backups.other.manifest.sealing!.keyId];
    },
    expect: { rung: 'seal', reports: ['other: key_record_missing'], repair: FROM_REPLICA },
  },
  {
    name: 'a byte of the record of a key is flipped',
    does: async ({ vault, backups }) => {
      const name = await keyRecordOf(vault, backups.full);
      await flipByte(vault, name, 200);
      return [name.slice(backups.full.folder.length)];
    },
    expect: { rung: 'seal', reports: ['full: key_record_damaged', ...CHILDREN], repair: FROM_REPLICA },
  },
  {
    name: 'the record of the key of a log is gone',
    does: async ({ vault, log }) => {
      const name = await keyRecordIn(vault, log.folder);
      await vault.removeObject(name);
      return [parseKeyRecordName(name.slice(log.folder.length))!.keyId];
    },
    expect: { rung: 'seal', reports: ['log: key_record_missing'], repair: FROM_REPLICA },
  },
];

async function keyRecordOf(vault: Vault, { folder }: CatalogEntry): Promise<string> {
  return keyRecordIn(vault, folder);
}

async function keyRecordIn(vault: Vault, folder: string): Promise<string> {
  for await (const { name } of vault.list(folder)) {
    if (parseKeyRecordName(name.slice(folder.length)) !== null) return name;
  }
  throw new Error(`no key record in ${folder}`);
}

/** As who can write into the vault and has no key: all that can be made to fit, fits. */
async function rewrite(
  vault: Vault,
  { folder, manifest }: CatalogEntry,
  with_: (manifest: Manifest) => Partial<Manifest>,
): Promise<void> {
  const edited = { ...manifest, ...with_(manifest) };
  const fitting = { ...edited, checksum: bundleChecksum(edited.files) };
  await overwrite(vault, `${folder}manifest.json`, encodeManifest(fitting));
}
