import { isBackupError } from '../../core/errors.ts';
import { assertObjectName } from '../../core/object-name.ts';
import type { Vault, VaultTraits } from '../../core/vault.ts';
import { parseS3Address } from './address.ts';
import { ask, type Connection, keyOf } from './connection.ts';
import { copyInto } from './copy.ts';
import { type Handle, makeHandle } from './handle.ts';
import { removeLeftovers } from './leftovers.ts';
import { listObjects } from './listing.ts';
import { findLock, keepsVersions, setLegalHold } from './locks.ts';
import { type Head, headObject, infoOfHead, missing } from './objects.ts';
import type { S3VaultOptions } from './options.ts';
import { originalsOf, rememberOriginals } from './originals.ts';
import { readRange } from './read.ts';
import { recall } from './recall.ts';
import { openView } from './view.ts';
import { createWriter } from './writer.ts';

/**
 * A vault in a bucket of S3 or of a server like it; an object lies under the prefix of the address and its name. The bucket must
 * be there: none is ever created. Throws `usage` for what is no address of one.
 */
export function openS3Vault(address: string, options: S3VaultOptions = {}): Vault {
  const at = parseS3Address(address);
  const handle = makeHandle(at, options);
  if (at.view !== null) return openView(handle, at.view);
  return rememberOriginals(liveVault(handle), {
    at,
    find: async (name) => {
      const { Bucket, Key } = keyOf(handle.connection(), name);
      const head = await headObject(handle.connection(), name);
      return head === null ? null : { bucket: Bucket, key: Key, head };
    },
  });
}

function liveVault(handle: Handle): Vault {
  const { at, connection, abilities } = handle;
  return {
    address: at.text,
    // Whether it can be written shows when the first object is, without leaving anything behind that nobody asked for.
    open: async () => handle.open(),
    createObject: async (name) => {
      assertObjectName(name);
      return createWriter(connection(), abilities, name);
    },
    readRange: (name, offset, length) => readByName(connection(), name, offset, length),
    stat: async (name) => {
      assertObjectName(name);
      const head = await headObject(connection(), name);
      return head === null ? null : infoOfHead(name, head);
    },
    list: (prefix) => listObjects(connection(), prefix),
    copyObject: (from, to) => copyByName(handle, from, to),
    removeObject: async (name) => {
      assertObjectName(name);
      await removeObject(connection(), name);
    },
    removeLeftovers: (prefix) => removeLeftovers(connection(), prefix),
    copyFrom: (source, name) => copyFrom(handle, source, name),
    recall: async (name) => recall(connection(), name, await requireHead(connection(), name)),
    setLegalHold: async (name, isHeld) => {
      assertObjectName(name);
      return setLegalHold(connection(), name, isHeld);
    },
    traits: () => findTraits(handle),
    freeBytes: async () => null,
    close: async () => handle.close(),
  };
}

async function requireHead(connection: Connection, name: string): Promise<Head> {
  assertObjectName(name);
  const head = await headObject(connection, name);
  if (head === null) throw missing(connection, name);
  return head;
}

async function readByName(
  connection: Connection,
  name: string,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  assertObjectName(name);
  const size = async () => (await headObject(connection, name))?.ContentLength ?? null;
  const readable = { name, request: keyOf(connection, name), size, missing: () => missing(connection, name) };
  return readRange(connection, readable, offset, length);
}

async function copyByName({ connection, abilities }: Handle, from: string, to: string): Promise<void> {
  assertObjectName(to);
  const head = await requireHead(connection(), from);
  const { Bucket, Key } = keyOf(connection(), from);
  await copyInto(connection(), abilities, { bucket: Bucket, key: Key, head }, to);
}

/** By the rights of this vault, which may not be allowed to read the other: then no. */
async function copyFrom(
  { at, connection, abilities }: Handle,
  source: Vault,
  name: string,
): Promise<boolean> {
  assertObjectName(name);
  const originals = originalsOf(source, at);
  if (originals === null) return false;
  const original = await originals.find(name);
  if (original === null) throw missing(connection(), name);
  try {
    await copyInto(connection(), abilities, original, name);
    return true;
  } catch (error) {
    if (isBackupError(error, 'vault_refused')) return false;
    throw error;
  }
}

/** In a bucket that keeps versions what was there stays, and can be read by `asOf` and `versions=first`. */
async function removeObject(connection: Connection, name: string): Promise<void> {
  const { s3, at } = connection;
  const doing = `remove "${name}" from ${at.text}`;
  await ask(connection, doing, (abortSignal) => s3.deleteObject(keyOf(connection, name), { abortSignal }));
}

async function findTraits({ connection, abilities }: Handle): Promise<VaultTraits> {
  const { isExact } = await abilities().catch((error: unknown) => {
    // Who may not write, promises nobody anything.
    if (isBackupError(error, 'vault_refused')) return { isExact: false };
    throw error;
  });
  return {
    lock: await findLock(connection()),
    keepsVersions: await keepsVersions(connection()),
    createOnly: isExact ? 'exact' : 'claims',
  };
}
