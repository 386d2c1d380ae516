import { S3 } from '@aws-sdk/client-s3';
import { type Damage, harmless, repaired } from '../damage.ts';
import { BUCKET_PREFIX, type VaultSpecimen } from './specimen.ts';
import { fileOf, manifestOf } from './tamper.ts';

const FROM_REPLICA = repaired('`verify --heal`: the object is taken from the replica, proven by its digest');

/** As any tool for S3 does it. */
async function withS3<Result>(
  { s3 }: VaultSpecimen,
  work: (client: S3, bucket: string) => Promise<Result>,
): Promise<Result> {
  const { endpoint, region } = s3!.server;
  const client = new S3({ endpoint, region, forcePathStyle: true });
  try {
    return await work(client, s3!.bucket);
  } finally {
    client.destroy();
  }
}

function keyOf(specimen: VaultSpecimen, backup: 'full' | 'other'): { key: string; name: string } {
  const { object, name } = fileOf(specimen, backup);
  return { key: `${BUCKET_PREFIX}/${object}`, name };
}

/** What happens to buckets alone. */
export const BUCKET_DAMAGE: readonly Damage<VaultSpecimen>[] = [
  {
    name: 'the disks of a bucket flip a bit',
    does: async (specimen) => {
      const { key, name } = keyOf(specimen, 'other');
      specimen.s3!.server.corrupt(specimen.s3!.bucket, key, 50);
      return [name];
    },
    expect: {
      rung: 'checksum',
      reports: ['other: chunk_checksum', 'other: file_checksum'],
      repair: FROM_REPLICA,
    },
  },
  {
    name: 'an object of a bucket is written over',
    does: async (specimen) => {
      const { key, name } = keyOf(specimen, 'other');
      await withS3(specimen, (client, Bucket) => client.putObject({ Bucket, Key: key, Body: 'ransom' }));
      return [name];
    },
    expect: { rung: 'size', reports: ['other: file_size'], repair: FROM_REPLICA },
  },
  {
    name: 'an object of a bucket has no byte',
    does: async (specimen) => {
      const { key, name } = keyOf(specimen, 'other');
      await withS3(specimen, (client, Bucket) =>
        client.putObject({ Bucket, Key: key, Body: '', ContentLength: 0 }),
      );
      return [name];
    },
    expect: { rung: 'size', reports: ['other: file_size'], repair: FROM_REPLICA },
  },
  {
    name: 'a listing still shows an object that is gone',
    does: async (specimen) => {
      const { key, name } = keyOf(specimen, 'other');
      const { server, bucket } = specimen.s3!;
      specimen.passing.push(server.freezeListings(bucket));
      await withS3(specimen, (client, Bucket) => client.deleteObject({ Bucket, Key: key }));
      return [name];
    },
    expect: { rung: 'existence', reports: ['other: file_missing'], repair: FROM_REPLICA },
  },
  {
    name: 'a listing does not show an object yet',
    does: async (specimen) => {
      const { key } = keyOf(specimen, 'other');
      const { server } = specimen.s3!;
      await withS3(specimen, async (client, Bucket) => {
        const { Body } = await client.getObject({ Bucket, Key: key });
        const bytes = await Body!.transformToByteArray();
        await client.deleteObject({ Bucket, Key: key });
        server.freezeListings(Bucket);
        await client.putObject({ Bucket, Key: key, Body: bytes });
      });
      return [];
    },
    expect: {
      rung: null,
      reports: [],
      repair: harmless('files of a backup are asked for by name, never looked up in a listing'),
    },
  },
  {
    name: 'a listing does not show a manifest yet',
    does: async (specimen) => {
      const { server } = specimen.s3!;
      const Key = `${BUCKET_PREFIX}/${manifestOf(specimen.backups.other)}`;
      await withS3(specimen, async (client, Bucket) => {
        const { Body } = await client.getObject({ Bucket, Key });
        const bytes = await Body!.transformToByteArray();
        await client.deleteObject({ Bucket, Key });
        server.freezeListings(Bucket);
        await client.putObject({ Bucket, Key, Body: bytes });
      });
      return [];
    },
    expect: {
      rung: null,
      reports: [],
      repair: harmless(
        'the backup is not there yet for those who list: an older one counts as the newest; nothing is taken for damage',
      ),
    },
  },
  {
    name: 'the clock of a bucket is an hour ahead',
    does: async ({ s3 }) => {
      s3!.server.clockAheadMs = 3_600_000;
      return [];
    },
    expect: {
      rung: null,
      reports: [],
      told: { by: ['doctor'], as: /the vault is 3(?:59|60)\d\.\d s ahead/ },
      repair: harmless('no decision compares two clocks; `doctor` tells how far the vault’s clock is off'),
    },
  },
];
