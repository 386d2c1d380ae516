import { randomBytes } from 'node:crypto';
import { S3 } from '@aws-sdk/client-s3';
import type { Vault } from '../../../src/core/vault.ts';
import type { VaultFixture } from '../../../src/testing/vault/fixture.ts';
import type { Credentials, Limits } from '../../../src/vaults/s3/options.ts';
import { openS3Vault } from '../../../src/vaults/s3/vault.ts';
import {
  type BucketOptions,
  type S3Server,
  type S3ServerOptions,
  startS3Server,
} from '../../harness/s3-server/server.ts';

export interface VaultSetup {
  readonly server?: S3ServerOptions;
  readonly bucket?: BucketOptions;
  /** More of the address. */
  readonly query?: string;
  readonly limits?: Partial<Limits>;
}

export interface StartedVault extends VaultFixture {
  readonly server: S3Server;
  readonly bucket: string;
  /** The same place by another address. */
  view(query: string, limits?: Partial<Limits>): Promise<Vault>;
  /** The bucket past the vault, as anybody with these rights sees it. */
  readonly client: S3;
  /** Keys begin so. */
  readonly root: string;
}

/** No test waits long for what does not come, or sends megabytes where a few parts are enough. */
export const SHORT: Partial<Limits> = {
  partBytes: 64 << 10,
  ...{ attempts: 5, pauseMs: 5, connectMs: 1000, silenceMs: 300, requestMs: 5000, callMs: 5000 },
};

/** An opened vault on a server of its own, in this process. */
export async function startVault(setup: VaultSetup = {}): Promise<StartedVault> {
  const server = await startS3Server({ minPartBytes: 1, ...setup.server });
  const bucket = `b${randomBytes(6).toString('hex')}`;
  server.createBucket(bucket, setup.bucket);
  const view = (query: string, limits = setup.limits) => openAt(server, bucket, query, limits);
  const reopen = () => view(setup.query ?? '');
  const client = clientOf(server);
  return {
    ...{ server, bucket, client, root: 'vaults/one/', vault: await reopen(), reopen, view },
    dispose: async () => {
      client.destroy();
      await server.stop();
    },
  };
}

async function openAt(server: S3Server, bucket: string, query: string, limits: Partial<Limits> = {}) {
  const vault = openS3Vault(addressOf(server, bucket, query), { credentials: server, limits });
  await vault.open({ create: true });
  return vault;
}

export function addressOf({ endpoint }: { readonly endpoint: string }, bucket: string, query = ''): string {
  const more = query === '' ? '' : `&${query}`;
  return `s3://${bucket}/vaults/one?endpoint=${endpoint}&forcePathStyle=true${more}`;
}

export function clientOf(server: Credentials & { readonly endpoint: string; readonly region: string }): S3 {
  const { endpoint, region, accessKeyId, secretAccessKey } = server;
  return new S3({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
}
