import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateBucketCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectLockConfigurationCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { freePort } from './free-port.ts';
import type { BucketOptions, Credentials } from './s3-server/server.ts';

/** Ceph's S3 (RADOS gateway) over one monitor and one disk in memory, on 127.0.0.1, gone when the test process is. */
export interface TestRgw extends Credentials {
  readonly endpoint: string;
  readonly region: string;
  createBucket(name: string, options?: BucketOptions): Promise<void>;
  /** Somebody with the right to read, write and delete, versions too, in these buckets, but not to bypass their locks. */
  addUser(buckets: readonly string[]): Promise<Credentials>;
  /** From now on these are nobody's. */
  revoke(credentials: Credentials): Promise<void>;
  stop(): Promise<void>;
}

export interface TestRgwOptions {
  /** Known besides STANDARD. They are names only: what is in GLACIER can be read. */
  readonly storageClasses?: readonly string[];
}

const PROGRAMS = ['ceph', 'ceph-mon', 'ceph-osd', 'monmaptool', 'radosgw', 'radosgw-admin'];
const PATHS = ['/usr/bin', '/usr/local/bin', '/usr/sbin'];
const REGION = 'default';
const START_ATTEMPTS = 3;
const START_TIMEOUT_MS = 60_000;
const STEP_TIMEOUT_MS = 30_000;
const POLL_MS = 50;
const STOP_POLLS = 100;
const LOG_KEPT_CHARS = 4_000;

/**
 * Why Ceph's S3 cannot be started here, with the way out; false where it can. For `skip` of a test, and said aloud, so
 * that nobody takes a run without it for a whole one.
 */
export function whyNoRgw(): string | false {
  const missing = PROGRAMS.filter((name) => findProgram(name) === null);
  if (missing.length === 0) return false;
  const reason = `no Ceph RGW here (${missing.join(', ')}); on Debian, as root: node scripts/install-test-servers.mjs`;
  console.error(`SKIPPED: ${reason}`);
  return reason;
}

export async function startRgw(options: TestRgwOptions = {}): Promise<TestRgw> {
  for (let attempt = 1; ; attempt += 1) {
    const root = mkdtempSync(path.join(tmpdir(), 'eventcore-rgw-'));
    const janitor = startJanitor(root);
    const end = async (): Promise<void> => {
      janitor.stdin?.destroy();
      await isEnded(janitor);
    };
    try {
      return await startIn(root, options, end);
    } catch (error) {
      const facts = lastWords(root);
      await end();
      // Another process may have taken a port since it was found free.
      if (attempt === START_ATTEMPTS) throw new Error(`Ceph RGW did not start: ${facts}`, { cause: error });
    }
  }
}

async function startIn(root: string, options: TestRgwOptions, end: () => Promise<void>): Promise<TestRgw> {
  const [port, monitorPort] = [await freePort(), await freePort()];
  const cluster = writeCluster(root, port, monitorPort);
  await startCluster(cluster);
  const owner = await createUser(cluster, 'owner');
  for (const name of options.storageClasses ?? []) await addStorageClass(cluster, name);
  startDaemon(cluster, 'radosgw', ['-n', 'client.rgw']);
  const endpoint = `http://127.0.0.1:${port}`;
  await waitUntilAnswers(endpoint);
  const client = new S3Client({ endpoint, region: REGION, forcePathStyle: true, credentials: owner });
  let users = 0;
  return {
    ...{ endpoint, region: REGION, ...owner },
    createBucket: (name, bucket = {}) => createBucket(client, name, bucket),
    addUser: async (buckets) => {
      users += 1;
      const id = `user-${users}`;
      const user = await createUser(cluster, id);
      for (const bucket of buckets) await allow(client, bucket, id);
      return user;
    },
    revoke: ({ accessKeyId }) =>
      admin(cluster.config, ['key', 'rm', '--key-type', 's3', '--access-key', accessKeyId]),
    stop: async () => {
      client.destroy();
      await end();
    },
  };
}

interface Cluster {
  readonly root: string;
  readonly id: string;
  readonly monitorPort: number;
  readonly config: readonly string[];
}

function writeCluster(root: string, port: number, monitorPort: number): Cluster {
  const id = crypto.randomUUID();
  for (const name of ['mon', 'osd', 'rgw', 'log']) mkdirSync(path.join(root, name));
  writeFileSync(path.join(root, 'keyring'), makeKeyring(), { mode: 0o600 });
  writeFileSync(
    path.join(root, 'ceph.conf'),
    `[global]
fsid = ${id}
mon host = [v2:127.0.0.1:${monitorPort}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
keyring = ${root}/keyring
log file = ${root}/log/$name.log
run dir = ${root}
admin socket =
pid file =
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
# One monitor has nobody to wait for: with the second that is usual here, everything starts five times as slowly.
paxos propose interval = 0.05
paxos min wait = 0.01
objecter tick interval = 0.5
[mon.a]
mon data = ${root}/mon
[osd]
osd objectstore = memstore
memstore device bytes = 4294967296
osd data = ${root}/osd
osd class load list = *
osd class default list = *
[client.rgw]
# Without the last word, every answer of more than a line waits 40 ms.
rgw frontends = beast endpoint=127.0.0.1:${port} tcp_nodelay=1
rgw data = ${root}/rgw
rgw thread pool size = 32
rgw crypt require ssl = false
`,
  );
  return { root, id, monitorPort, config: ['-c', path.join(root, 'ceph.conf')] };
}

function makeKeyring(): string {
  const all = ['mon', 'osd', 'mgr'].map((name) => `\tcaps ${name} = "allow *"\n`).join('');
  return ['mon.', 'client.admin', 'osd.0', 'client.rgw']
    .map((name) => `[${name}]\n\tkey = ${makeKey()}\n${all}`)
    .join('');
}

/** Ceph's form of an AES key: kind, time of creation, length, bytes. */
function makeKey(): string {
  const head = Buffer.alloc(12);
  head.writeUInt16LE(1, 0);
  head.writeUInt32LE(Math.floor(Date.now() / 1000), 2);
  head.writeUInt16LE(16, 10);
  return Buffer.concat([head, crypto.randomBytes(16)]).toString('base64');
}

async function startCluster(cluster: Cluster): Promise<void> {
  const { root, id, monitorPort, config } = cluster;
  const map = path.join(root, 'monmap');
  const diskId = crypto.randomUUID();
  const address = `[v2:127.0.0.1:${monitorPort}]`;
  await run('monmaptool', ['--create', '--fsid', id, '--addv', 'a', address, map]);
  await run('ceph-mon', [...config, '--mkfs', '-i', 'a', '--monmap', map, '--keyring', `${root}/keyring`]);
  startDaemon(cluster, 'ceph-mon', ['-i', 'a']);
  await run('ceph', [...config, 'osd', 'new', diskId]);
  await run('ceph-osd', [...config, '-i', '0', '--mkfs', '--osd-uuid', diskId]);
  await run('ceph', [...config, 'osd', 'crush', 'add', 'osd.0', '1.0', 'root=default', 'host=localhost']);
  startDaemon(cluster, 'ceph-osd', ['-i', '0']);
}

async function createUser({ config }: Cluster, id: string): Promise<Credentials> {
  const accessKeyId = `TEST${crypto.randomBytes(8).toString('hex').toUpperCase()}`;
  const secretAccessKey = crypto.randomBytes(20).toString('hex');
  const keys = ['--access-key', accessKeyId, '--secret', secretAccessKey];
  await admin(config, ['user', 'create', '--uid', id, '--display-name', id, ...keys]);
  return { accessKeyId, secretAccessKey };
}

/** Works before the gateway starts, and after its zone was made, which the first user does. */
async function addStorageClass({ config }: Cluster, name: string): Promise<void> {
  const placement = ['placement', 'add', '--placement-id', 'default-placement', '--storage-class', name];
  await admin(config, ['zonegroup', ...placement, '--rgw-zonegroup', 'default']);
  await admin(config, [
    'zone',
    ...placement,
    '--rgw-zone',
    'default',
    '--data-pool',
    `default.rgw.${name}.data`,
  ]);
}

function admin(config: readonly string[], words: readonly string[]): Promise<void> {
  return run('radosgw-admin', [...config, '-n', 'client.rgw', ...words]);
}

async function createBucket(client: S3Client, name: string, options: BucketOptions): Promise<void> {
  const { versioning = false, lock = false } = options;
  await client.send(new CreateBucketCommand({ Bucket: name, ObjectLockEnabledForBucket: lock !== false }));
  if (versioning && lock === false) {
    const wanted = { Status: 'Enabled' } as const;
    await client.send(new PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration: wanted }));
  }
  if (typeof lock !== 'object') return;
  const Rule = { DefaultRetention: { Mode: lock.mode, Days: lock.days } };
  const ObjectLockConfiguration = { ObjectLockEnabled: 'Enabled', Rule } as const;
  await client.send(new PutObjectLockConfigurationCommand({ Bucket: name, ObjectLockConfiguration }));
}

const BACKUP_HOST_RIGHTS = [
  ...['ListBucket', 'ListBucketVersions', 'ListBucketMultipartUploads', 'GetBucketVersioning'],
  ...['GetBucketObjectLockConfiguration', 'GetObject', 'GetObjectVersion', 'PutObject', 'DeleteObject'],
  ...['DeleteObjectVersion', 'AbortMultipartUpload', 'ListMultipartUploadParts', 'GetObjectRetention'],
  ...['PutObjectRetention', 'GetObjectLegalHold', 'PutObjectLegalHold'],
];

async function allow(client: S3Client, bucket: string, user: string): Promise<void> {
  const who = {
    Principal: { AWS: [`arn:aws:iam:::user/${user}`] },
    Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
  };
  const Statement = [
    { Effect: 'Allow', ...who, Action: BACKUP_HOST_RIGHTS.map((name) => `s3:${name}`) },
    // Whoever may delete versions may bypass their locks, unless this says no.
    { Effect: 'Deny', ...who, Action: ['s3:BypassGovernanceRetention'] },
  ];
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement });
  await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
}

/** In the foreground, with its number in a file that the janitor reads. */
function startDaemon({ root, config }: Cluster, name: string, parameters: readonly string[]): void {
  const script = 'echo $$ >"$1"; shift; exec "$@"';
  const words = [path.join(root, `${name}.pid`), programPath(name), '-f', ...config, ...parameters];
  const child = spawn('sh', ['-c', script, name, ...words], {
    ...{ cwd: '/', env: environment(), stdio: 'ignore' },
  });
  child.unref();
}

async function run(name: string, parameters: readonly string[]): Promise<void> {
  const child = spawn(programPath(name), parameters, {
    ...{ cwd: '/', env: environment(), stdio: ['ignore', 'ignore', 'pipe'], timeout: STEP_TIMEOUT_MS },
    killSignal: 'SIGKILL',
  });
  let words = '';
  child.stderr.on('data', (bytes: Buffer) => {
    words = (words + bytes.toString()).slice(-LOG_KEPT_CHARS);
  });
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once('error', reject);
  child.once('close', resolve);
  const code = await promise;
  if (code !== 0) throw new Error(`${name} ${parameters.join(' ')} ended with ${code}: ${words}`);
}

function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: tmpdir(), LC_ALL: 'C.UTF-8' };
}

function findProgram(name: string): string | null {
  const folders = [...PATHS, ...(process.env.PATH ?? '').split(':')].filter((folder) => folder !== '');
  return folders.map((folder) => path.join(folder, name)).find((file) => existsSync(file)) ?? null;
}

function programPath(name: string): string {
  const found = findProgram(name);
  if (found === null) throw new Error(`${name} is not installed`);
  return found;
}

async function waitUntilAnswers(endpoint: string): Promise<void> {
  const endMs = Date.now() + START_TIMEOUT_MS;
  while (!(await answers(endpoint))) {
    if (Date.now() > endMs) throw new Error(`no answer in ${START_TIMEOUT_MS} ms`);
    await sleep(POLL_MS);
  }
}

function answers(endpoint: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const request = http.get(endpoint, { timeout: STEP_TIMEOUT_MS }, (response) => {
    response.resume();
    resolve(response.statusCode === 200);
  });
  request.on('error', () => resolve(false));
  return promise;
}

/** Ends whatever was started in the folder and removes it, once this process closes the pipe or is gone. */
function startJanitor(root: string): ChildProcess {
  const script = `cat >/dev/null; cat "$1"/*.pid 2>/dev/null | xargs -r kill -9 2>/dev/null
    for try in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$1" && break; sleep 0.1; done`;
  const janitor = spawn('sh', ['-c', script, 'janitor', root], {
    ...{ cwd: '/', detached: true, stdio: ['pipe', 'ignore', 'ignore'] },
  });
  janitor.unref();
  (janitor.stdin as Socket).unref();
  return janitor;
}

async function isEnded(child: ChildProcess): Promise<void> {
  for (let i = 0; i < STOP_POLLS && child.exitCode === null; i += 1) await sleep(POLL_MS);
  if (child.exitCode === null) throw new Error(`process ${child.pid} has not ended Ceph RGW`);
}

/** For the error message. */
function lastWords(root: string): string {
  const { stdout } = spawnSync('sh', ['-c', 'tail -n 5 "$1"/log/*.log', 'tail', root], { encoding: 'utf8' });
  return stdout.slice(-LOG_KEPT_CHARS);
}
