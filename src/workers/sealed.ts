import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  KeyObject,
  randomBytes,
} from 'node:crypto';
import { promisify } from 'node:util';
import { Deserializer, Serializer } from 'node:v8';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import { BackupError } from '../core/errors.ts';

/**
 * What goes through a queue is sealed: AES-256-GCM under a key that coordinators and workers share, bound to the job it belongs to.
 * Jobs hold addresses with passwords and the data keys of sealed backups, results hold names of streams; and whoever could write jobs
 * of their own would have the rights of all workers. The key comes of a secret by HKDF-SHA256 (RFC 5869).
 */
export interface QueueKey {
  readonly bytes: Uint8Array;
  /** Tells two keys apart without telling anything else of them. */
  readonly check: string;
}

/** What the bytes are, and of which job: bytes that are put somewhere else do not open. */
export interface Bound {
  readonly what: 'job' | 'result' | 'failure';
  readonly jobId: string;
  /** −1: of all attempts. */
  readonly attempt: number;
}

const MIN_SECRET_CHARACTERS = 32;
const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SALT = 'eventcore queue 1';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** Throws `key_refused` for a secret that could be guessed. */
export function queueKey(secret: string): QueueKey {
  if (secret.length < MIN_SECRET_CHARACTERS) {
    throw new BackupError('key_refused', `the queue key has fewer than ${MIN_SECRET_CHARACTERS} characters`, {
      hint: 'make one with `openssl rand -base64 32`, and give the same to coordinators and workers',
    });
  }
  const derive = (info: string, length: number): Uint8Array =>
    new Uint8Array(hkdfSync('sha256', secret, SALT, info, length));
  return { bytes: derive('seal', 32), check: Buffer.from(derive('check', 16)).toString('hex') };
}

/** Plain data (what structured cloning knows, but no shared memory) and secret keys, compressed and sealed. */
export async function sealData(key: QueueKey, bound: Bound, data: unknown): Promise<Uint8Array> {
  const plain = await compress(pack(data));
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key.bytes, nonce).setAAD(named(bound));
  return Buffer.concat([
    Buffer.from([VERSION]),
    nonce,
    cipher.update(plain),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
}

/** Throws `queue_refused` for what was not sealed with this key, for this. */
export async function openData(key: QueueKey, bound: Bound, sealed: Uint8Array): Promise<unknown> {
  return unpack(await decompress(open(key, bound, sealed)));
}

/** As structured cloning does it: each array gets memory of its own, which `serialize` of node:v8 would not give it. */
function pack(data: unknown): Uint8Array {
  const serializer = new KeySerializer();
  serializer.writeHeader();
  serializer.writeValue(data);
  return serializer.releaseBuffer();
}

function unpack(bytes: Uint8Array): unknown {
  const deserializer = new KeyDeserializer(bytes);
  deserializer.readHeader();
  return deserializer.readValue() as unknown;
}

/** The key of a sealed bundle goes along as its bytes: nothing but what is sealed here ever holds them. */
class KeySerializer extends Serializer {
  _writeHostObject(value: unknown): void {
    if (!(value instanceof KeyObject) || value.type !== 'secret') throw new TypeError('is no plain data');
    const bytes = value.export();
    this.writeUint32(bytes.length);
    this.writeRawBytes(bytes);
  }
}

class KeyDeserializer extends Deserializer {
  _readHostObject(): KeyObject {
    return createSecretKey(this.readRawBytes(this.readUint32()));
  }
}

function open(key: QueueKey, bound: Bound, sealed: Uint8Array): Uint8Array {
  const end = sealed.length - TAG_BYTES;
  if (end <= NONCE_BYTES || sealed[0] !== VERSION) throw notOurs(bound);
  const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', key.bytes, nonce).setAAD(named(bound));
  decipher.setAuthTag(sealed.subarray(end));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(1 + NONCE_BYTES, end)), decipher.final()]);
  } catch {
    throw notOurs(bound);
  }
}

function named({ what, jobId, attempt }: Bound): Buffer {
  return Buffer.from(`${what}\n${jobId}\n${attempt}`, 'utf8');
}

function notOurs({ what, jobId }: Bound): BackupError {
  return new BackupError('queue_refused', `the ${what} of job ${jobId} was not sealed with this queue key`, {
    hint: 'somebody with another key, or without one, writes into the queue: see who may connect to its database',
  });
}
