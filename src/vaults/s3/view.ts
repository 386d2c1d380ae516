import { BackupError } from '../../core/errors.ts';
import { assertObjectName } from '../../core/object-name.ts';
import type { Vault } from '../../core/vault.ts';
import type { View } from './address.ts';
import { type Connection, keyOf } from './connection.ts';
import type { Handle } from './handle.ts';
import { findLock, keepsVersions } from './locks.ts';
import { type Head, headObject, missing } from './objects.ts';
import { rememberOriginals } from './originals.ts';
import { readRange } from './read.ts';
import { recall } from './recall.ts';
import { findVersion, listVersions, type Seen } from './versions.ts';

/** How many names' versions are remembered. */
const MAX_KNOWN = 10_000;

/**
 * A bucket that keeps versions, as it once was: whatever was written over an object or removed since, it reads as it did then.
 * Nothing can be written through it.
 */
export function openView(handle: Handle, view: View): Vault {
  const find = rememberVersions(handle.connection, view);
  const refuse = async (): Promise<never> => {
    throw new BackupError('vault_refused', `${handle.at.text} shows what was: nothing can be written there`, {
      hint: 'leave versions and asOf out of the address to write; what is read here can be restored or synced elsewhere',
    });
  };
  const vault: Vault = {
    address: handle.at.text,
    open: async () => handle.open(),
    createObject: refuse,
    readRange: (name, offset, length) => readVersion(handle.connection(), find, name, offset, length),
    stat: find,
    list: (prefix) => listVersions(handle.connection(), prefix, view),
    copyObject: refuse,
    removeObject: refuse,
    removeLeftovers: refuse,
    copyFrom: refuse,
    recall: async (name) => {
      const { connection, head, versionId } = await requireVersion(handle.connection(), find, name);
      return recall(connection, name, head, versionId);
    },
    setLegalHold: refuse,
    traits: async () => ({
      lock: await findLock(handle.connection()),
      keepsVersions: await keepsVersions(handle.connection()),
      createOnly: 'exact',
    }),
    freeBytes: async () => null,
    close: async () => handle.close(),
  };
  return rememberOriginals(vault, {
    at: handle.at,
    find: async (name) => {
      if ((await find(name)) === null) return null;
      const { connection, head } = await requireVersion(handle.connection(), find, name);
      return { bucket: connection.at.bucket, key: keyOf(connection, name).Key, head };
    },
  });
}

type Find = (name: string) => Promise<Seen | null>;

/** What was, stays: each name is looked up once. */
function rememberVersions(connection: () => Connection, view: View): Find {
  const known = new Map<string, Seen>();
  return async (name) => {
    assertObjectName(name);
    const seen = known.get(name) ?? (await findVersion(connection(), name, view));
    if (known.size >= MAX_KNOWN) known.clear();
    if (seen !== null) known.set(name, seen);
    return seen;
  };
}

async function readVersion(
  connection: Connection,
  find: Find,
  name: string,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const seen = await find(name);
  if (seen === null) throw missing(connection, name);
  const readable = {
    ...{ name, request: { ...keyOf(connection, name), VersionId: seen.versionId } },
    ...{ size: async () => seen.sizeBytes, missing: () => missing(connection, name) },
  };
  return readRange(connection, readable, offset, length);
}

async function requireVersion(
  connection: Connection,
  find: Find,
  name: string,
): Promise<{ connection: Connection; head: Head; versionId: string }> {
  const seen = await find(name);
  const head = seen === null ? null : await headObject(connection, name, { versionId: seen.versionId });
  if (seen === null || head === null) throw missing(connection, name);
  return { connection, head, versionId: seen.versionId };
}
