import crypto from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { makeBucket } from './buckets.ts';
import type { FaultHook } from './faults.ts';
import { makeLog, type RequestLog } from './log.ts';
import { type Running, serve } from './serve.ts';
import {
  currentVersion,
  type DefaultRetention,
  findBucket,
  type Ignorable,
  storedBytes,
  type User,
  type World,
} from './world.ts';

/**
 * S3 in this process and its memory: what no server at hand does (archived objects, checksums that are really checked)
 * and what none does on demand (faults, clocks, lags). Held against a real server by `s3-conformance.ts`. Path style.
 */
export interface S3Server extends Credentials {
  readonly endpoint: string;
  readonly region: string;
  /** What came, oldest first: the last ones, and how many of each operation. */
  readonly log: RequestLog;
  /** Asked for every request whose signature is right. Null again for a server that is well. */
  fault: FaultHook | null;
  /** How far the server's clock is ahead: signatures, dates, locks. */
  clockAheadMs: number;
  /** Lets locks and restored copies age, while the clock that signatures are checked by stays. */
  passTime(ms: number): void;
  /** From the request to restore an archived object until it can be read. */
  restoreMs: number;
  createBucket(name: string, options?: BucketOptions): void;
  /** With all that is in it. */
  removeBucket(name: string): void;
  /** From now on listings of the bucket show what it has now. Returns what ends that. */
  freezeListings(bucketName: string): () => void;
  /** Changes stored bytes, as a bad disk does; the last byte of the current version, or the one at `offset`. */
  corrupt(bucketName: string, key: string, offset?: number): void;
  /** Somebody else, without some rights (`DeleteObjectVersion`, `BypassGovernanceRetention`, …). */
  addUser(options?: { denied?: readonly string[]; sessionMs?: number }): SessionCredentials;
  /** Their tokens are too old from now on. */
  expireSessions(): void;
  storedBytes(): number;
  /** Uploads that were neither completed nor aborted. */
  openUploads(bucketName: string): number;
  /** Their keys. */
  openUploadKeys(bucketName: string): string[];
  stop(): Promise<void>;
}

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface SessionCredentials extends Credentials {
  readonly sessionToken?: string;
}

export interface BucketOptions {
  readonly versioning?: boolean;
  /** Object Lock, with or without a retention for all objects. */
  readonly lock?: boolean | DefaultRetention;
}

export interface S3ServerOptions {
  /** Before every answer. */
  readonly latencyMs?: number;
  readonly ignores?: readonly Ignorable[];
  readonly clockAheadMs?: number;
  readonly restoreMs?: number;
  /** 5 MiB, as in S3, unless a test needs many parts of little. */
  readonly minPartBytes?: number;
  readonly maxCopyBytes?: number;
  readonly maxStoredBytes?: number;
  /** Of the owner; made up unless several servers are to know the same one. */
  readonly credentials?: Credentials;
}

const REGION = 'us-east-1';
const MIN_PART_BYTES = 5 << 20;
const MAX_COPY_BYTES = 5 * 2 ** 30;
const MAX_STORED_BYTES = 2 * 2 ** 30;

export async function startS3Server(options: S3ServerOptions = {}): Promise<S3Server> {
  const clock = { aheadMs: options.clockAheadMs ?? 0, passedMs: 0 };
  const running: Running = {
    ...{ world: makeWorld(options, clock), clock, log: makeLog(), hook: { fault: null } },
    ...{ latencyMs: options.latencyMs ?? 0, stopped: new AbortController() },
  };
  const owner = { ...makeUser({}), ...options.credentials };
  running.world.users.set(owner.accessKeyId, owner);
  const server = http.createServer((request, response) => void serve(running, request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  const { port } = server.address() as AddressInfo;
  return Object.assign(controls(running, server), bucketControls(running.world), {
    endpoint: `http://127.0.0.1:${port}`,
    accessKeyId: owner.accessKeyId,
    secretAccessKey: owner.secretAccessKey,
  });
}

function makeWorld(options: S3ServerOptions, clock: Running['clock']): World {
  return {
    ...{ users: new Map(), buckets: new Map(), storedBytesBound: 0 },
    settings: {
      ignores: new Set(options.ignores),
      restoreMs: options.restoreMs ?? 0,
      minPartBytes: options.minPartBytes ?? MIN_PART_BYTES,
      maxCopyBytes: options.maxCopyBytes ?? MAX_COPY_BYTES,
      maxStoredBytes: options.maxStoredBytes ?? MAX_STORED_BYTES,
    },
    now: () => Date.now() + clock.aheadMs + clock.passedMs,
  };
}

function makeUser({ denied = [], sessionMs }: { denied?: readonly string[]; sessionMs?: number }): User {
  return {
    accessKeyId: `TEST${crypto.randomBytes(8).toString('hex').toUpperCase()}`,
    secretAccessKey: crypto.randomBytes(30).toString('base64'),
    session:
      sessionMs === undefined
        ? null
        : { token: crypto.randomBytes(60).toString('base64'), expiresAtMs: Date.now() + sessionMs },
    denied: new Set(denied),
  };
}

type BucketControls = Pick<
  S3Server,
  | 'createBucket'
  | 'removeBucket'
  | 'freezeListings'
  | 'corrupt'
  | 'storedBytes'
  | 'openUploads'
  | 'openUploadKeys'
>;
type Controls = Omit<S3Server, 'endpoint' | keyof Credentials | keyof BucketControls>;

function bucketControls(world: World): BucketControls {
  return {
    createBucket: (name, { versioning = false, lock = false } = {}) => {
      const bucket = makeBucket(world, name, lock !== false);
      if (versioning) bucket.versioning = 'Enabled';
      if (typeof lock === 'object') bucket.lock = { defaultRetention: lock };
    },
    removeBucket: (name) => void world.buckets.delete(name),
    freezeListings: (name) => {
      const bucket = findBucket(world, name);
      bucket.staleObjects = new Map(bucket.objects);
      return () => {
        bucket.staleObjects = null;
      };
    },
    corrupt: (name, key, offset) => {
      const version = currentVersion(findBucket(world, name), key);
      if (version === null || version.sizeBytes === 0)
        throw new Error(`nothing to corrupt at ${name}/${key}`);
      const bytes = Buffer.concat(version.pieces);
      bytes[offset ?? bytes.length - 1]! ^= 1;
      version.pieces = [bytes];
    },
    storedBytes: () => storedBytes(world),
    openUploads: (name) => findBucket(world, name).uploads.size,
    openUploadKeys: (name) => [...findBucket(world, name).uploads.values()].map(({ key }) => key),
  };
}

function controls(running: Running, server: http.Server): Controls {
  const { world, clock, hook } = running;
  return {
    region: REGION,
    log: running.log,
    get fault() {
      return hook.fault;
    },
    set fault(fault) {
      hook.fault = fault;
    },
    get clockAheadMs() {
      return clock.aheadMs;
    },
    set clockAheadMs(aheadMs) {
      clock.aheadMs = aheadMs;
    },
    get restoreMs() {
      return world.settings.restoreMs;
    },
    set restoreMs(ms) {
      world.settings.restoreMs = ms;
    },
    passTime: (ms) => {
      clock.passedMs += ms;
    },
    addUser: (options = {}) => {
      const user = makeUser(options);
      world.users.set(user.accessKeyId, user);
      const { accessKeyId, secretAccessKey, session } = user;
      return { accessKeyId, secretAccessKey, ...(session === null ? {} : { sessionToken: session.token }) };
    },
    expireSessions: () => {
      for (const { session } of world.users.values()) if (session !== null) session.expiresAtMs = 0;
    },
    stop: async () => {
      running.stopped.abort();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      world.buckets.clear();
      const [bug] = running.log.bugs;
      if (bug !== undefined) throw new Error('the S3 server made a mistake', { cause: bug });
    },
  };
}
