import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Host } from './network.ts';
import type { Address } from './relay.ts';

/** A server of S3 of one region, in a process of its own. */
export interface BucketServer {
  /** Of the vault in it, for all regions. */
  readonly address: string;
  /** Of the same vault, for one host that may be cut off. */
  addressFor(host: Host): Promise<string>;
  /** With all that is in it. */
  destroy(): Promise<void>;
}

/** For the servers of all regions, and for who reads them. */
export const BUCKET_CREDENTIALS = {
  AWS_ACCESS_KEY_ID: 'LABORATORY',
  AWS_SECRET_ACCESS_KEY: 'not-a-secret-of-anybody',
  AWS_REGION: 'us-east-1',
};

const PORT = 9000;

export async function startBucketServer(host: Host): Promise<BucketServer> {
  const at = await host.listen(PORT);
  const command = [process.execPath, join(import.meta.dirname, 'bucket-server.ts'), at.host, String(at.port)];
  const [program, ...words] = [...host.prefix, ...command];
  const child = spawn(program!, words, {
    ...{ env: { ...process.env, ...BUCKET_CREDENTIALS }, stdio: ['pipe', 'pipe', 'inherit'] },
  });
  const ended = once(child, 'exit');
  await Promise.race([
    once(child.stdout, 'data'),
    ended.then(() => Promise.reject(new Error(`the server of S3 of ${host.name} did not start`))),
  ]);
  const own = { host: host.address, port: PORT };
  return {
    address: vaultAddress(own),
    addressFor: async (other) => vaultAddress(await other.reach(own)),
    destroy: async () => {
      child.stdin.destroy();
      await ended;
    },
  };
}

function vaultAddress({ host, port }: Address): string {
  return `s3://vault/backups?region=us-east-1&endpoint=http://${host}:${port}&forcePathStyle=true`;
}
