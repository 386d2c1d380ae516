import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { S3 } from '@aws-sdk/client-s3';
import { archive } from '../../../src/capture/archiver.ts';
import { loadKeysRoom } from '../../../src/cli/wire.ts';
import type { EventStore } from '../../../src/core/event-store.ts';
import type { Vault } from '../../../src/core/vault.ts';
import { type CatalogEntry, readCatalog } from '../../../src/format/catalog.ts';
import { type LogTimeline, readLogCatalog } from '../../../src/format/log-catalog.ts';
import type { ReadKeys } from '../../../src/format/open-bundle.ts';
import { openSqliteStore } from '../../../src/stores/sqlite/store.ts';
import { generateAppends } from '../../../src/testing/event-generator.ts';
import { openDirectoryVault } from '../../../src/vaults/fs/vault.ts';
import { openS3Vault } from '../../../src/vaults/s3/vault.ts';
import { addIncremental, nextInstant } from '../../harness/chain.ts';
import { backUp, testClock } from '../../harness/memory-backup.ts';
import { sync } from '../../harness/region.ts';
import type { S3Server } from '../../harness/s3-server/server.ts';

/** A vault that is well, with a chain of three backups, another full one and a log, and a replica of it. */
export interface VaultSpecimen {
  /** Of the command: names both vaults, and the keys where there are some. */
  readonly config: string;
  readonly vault: Vault;
  readonly replica: Vault;
  readonly backups: Readonly<Record<BackupName, CatalogEntry>>;
  readonly log: LogTimeline;
  /** Where the vault is a bucket. */
  readonly s3: { readonly server: S3Server; readonly bucket: string } | null;
  /** Ends what of the damage goes by itself: done before anything is repaired. */
  readonly passing: (() => void)[];
  close(): Promise<void>;
}

const BACKUP_NAMES = ['full', 'first', 'second', 'other'] as const;

/** `first` builds on `full`, `second` on `first`; `other` is a full backup that nothing builds on. */
export type BackupName = (typeof BACKUP_NAMES)[number];

/** What all specimens are copies of. */
export interface Original {
  readonly folder: string;
  readonly encryption: string;
}

const CHUNK_BYTES = 4000;

/** Makes the vault and its replica in a folder. Sealed and signed with new keys, or in the clear. */
export async function makeOriginal(folder: string, isSealed: boolean): Promise<Original> {
  await mkdir(folder, { recursive: true });
  const { keys, encryption } = isSealed ? await makeKeys(folder) : { keys: undefined, encryption: '' };
  const [vault, replica] = await openDirectories(folder);
  const store = openSqliteStore(`sqlite:${join(folder, 'events.db')}`);
  await store.initialise();
  const history = generateAppends({ seed: 8, events: 600 });
  const grow = async (transactions: number): Promise<void> => {
    for (let i = 0; i < transactions; i += 1) await store.append(history.next().value!);
    await archiveOnce(store, vault, keys);
  };
  await grow(20);
  await backUp(store, vault, { chunkBytes: CHUNK_BYTES }, keys);
  await nextInstant();
  await grow(8);
  await addIncremental(store, vault, { format: 'jsonl', compression: 'none', chunkBytes: CHUNK_BYTES }, keys);
  await grow(8);
  await addIncremental(store, vault, {}, keys);
  await grow(4);
  await backUp(store, vault, { chunkBytes: CHUNK_BYTES }, keys);
  await grow(4);
  await store.close();
  await sync(vault, replica);
  return { folder, encryption };
}

async function makeKeys(folder: string): Promise<{ keys: ReadKeys; encryption: string }> {
  const room = await loadKeysRoom();
  const { recipient, text } = await room.makeIdentityFile(false, 'for a test');
  const signing = room.makeSigningKeyFile();
  await writeFile(join(folder, 'owner.txt'), text, { mode: 0o600 });
  await writeFile(join(folder, 'host.pem'), signing.text, { mode: 0o600 });
  const opened = await room.openKeys(
    {
      ...{ recipients: [recipient], passphrase: null },
      identities: [room.parseIdentitySource('file:owner.txt', folder)],
      signKey: room.parseSecretSource('file:host.pem', folder),
    },
    {},
  );
  const trust = { trustedSigners: [signing.signer], requireSignature: true };
  const lines = [
    'encryption:',
    `  identities: ['file:${join(folder, 'owner.txt')}']`,
    `  trusted_signers: ['${signing.signer}']`,
    '  require_signature: true',
  ];
  return { keys: { ...opened, trust }, encryption: `${lines.join('\n')}\n` };
}

async function archiveOnce(store: EventStore, vault: Vault, keys: ReadKeys | undefined): Promise<void> {
  const options = { format: 'columns', compression: 'zstd', level: null, flushMs: 1, idleMs: 20 } as const;
  const how = { software: 'test', outage: { policy: 'hold' }, once: true } as const;
  const ports = { store, vault, clock: testClock, ...(keys === undefined ? {} : { keys }) };
  await archive(ports, { ...options, ...how });
}

async function openDirectories(folder: string): Promise<[Vault, Vault]> {
  const vaults: [Vault, Vault] = [
    openDirectoryVault(join(folder, 'east')),
    openDirectoryVault(join(folder, 'west')),
  ];
  for (const vault of vaults) await vault.open({ create: true });
  return vaults;
}

/** A copy in directories, gone when it is closed. */
export async function copyOriginal(original: Original, to: string): Promise<VaultSpecimen> {
  await mkdir(to);
  for (const region of ['east', 'west'])
    await cp(join(original.folder, region), join(to, region), { recursive: true });
  const [vault, replica] = await openDirectories(to);
  const config = await writeConfig(to, ['./east', './west'], original);
  return describe({ config, vault, replica, s3: null }, () => rm(to, { recursive: true }));
}

/** A copy in a bucket; its replica is in a directory. */
export async function copyToBucket(
  original: Original,
  to: string,
  { server, bucket }: NonNullable<VaultSpecimen['s3']>,
): Promise<VaultSpecimen> {
  const { folder } = original;
  await cp(join(folder, 'west'), join(to, 'west'), { recursive: true });
  const [source, replica] = [openDirectoryVault(join(folder, 'east')), openDirectoryVault(join(to, 'west'))];
  for (const directory of [source, replica]) await directory.open({ create: false });
  server.createBucket(bucket, { versioning: true });
  await upload(source, server, bucket);
  const address = `s3://${bucket}/${BUCKET_PREFIX}?endpoint=${server.endpoint}&forcePathStyle=true`;
  const vault = openS3Vault(address);
  await vault.open({ create: false });
  const config = await writeConfig(to, [address, './west'], original);
  return describe({ config, vault, replica, s3: { server, bucket } }, async () => {
    server.clockAheadMs = 0;
    server.removeBucket(bucket);
    await rm(to, { recursive: true });
  });
}

export const BUCKET_PREFIX = 'shop';

async function upload(source: Vault, { endpoint, region }: S3Server, bucket: string): Promise<void> {
  const client = new S3({ endpoint, region, forcePathStyle: true });
  for await (const { name, sizeBytes } of source.list('')) {
    const Body = await source.readRange(name, 0, sizeBytes);
    await client.putObject({ Bucket: bucket, Key: `${BUCKET_PREFIX}/${name}`, Body });
  }
  client.destroy();
}

async function writeConfig(
  folder: string,
  storage: readonly string[],
  { encryption, folder: original }: Original,
): Promise<string> {
  const config = join(folder, 'eventcore.config.yaml');
  const store = join(original, 'events.db');
  const lines = [
    'backup: { parallel: 1 }',
    `store: 'sqlite:${store}'`,
    `primary: { region: east, storage: '${storage[0]}' }`,
    `replicas: [{ region: west, storage: '${storage[1]}' }]`,
  ];
  await writeFile(config, `${lines.join('\n')}\n${encryption}`);
  return config;
}

async function describe(
  parts: Pick<VaultSpecimen, 'config' | 'vault' | 'replica' | 's3'>,
  remove: () => Promise<void>,
): Promise<VaultSpecimen> {
  const { backups } = await readCatalog(parts.vault);
  const [log] = await readLogCatalog(parts.vault);
  const named = Object.fromEntries(BACKUP_NAMES.map((name, place) => [name, backups[place]!]));
  const close = async (): Promise<void> => {
    for (const vault of [parts.vault, parts.replica]) await vault.close();
    await remove();
  };
  return { ...parts, backups: named as VaultSpecimen['backups'], log: log!, passing: [], close };
}
