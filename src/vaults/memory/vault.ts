import { BackupError } from '../../core/errors.ts';
import { assertObjectName, assertObjectPrefix } from '../../core/object-name.ts';
import { assertRangeInside } from '../../core/object-range.ts';
import type { ObjectInfo, ObjectWriter, Vault } from '../../core/vault.ts';

interface MemoryObject {
  readonly bytes: Uint8Array;
  readonly modifiedAtMs: number;
}

type Objects = Map<string, MemoryObject>;

/** A vault that lives as long as this process, for tests and demonstrations. It survives no crash. */
export function memoryVault(): Vault {
  const objects: Objects = new Map();
  return {
    address: 'memory:',
    open: async () => {},
    createObject: async (name) => createWriter(objects, name),
    readRange: async (name, offset, length) => readRange(objects, name, offset, length),
    stat: async (name) => stat(objects, name),
    list: (prefix) => list(objects, prefix),
    copyObject: async (from, to) => copyObject(objects, from, to),
    removeObject: async (name) => {
      assertObjectName(name);
      objects.delete(name);
    },
    removeLeftovers: async (prefix) => {
      assertObjectPrefix(prefix);
      return 0;
    },
    copyFrom: async () => false,
    recall: async (name) => {
      requireObject(objects, name);
      return { state: 'readable' };
    },
    setLegalHold: async () => false,
    traits: async () => ({ lock: null, keepsVersions: false, createOnly: 'exact' }),
    freeBytes: async () => null,
    close: async () => {},
  };
}

function createWriter(objects: Objects, name: string): ObjectWriter {
  assertObjectName(name);
  assertFree(objects, name);
  const parts: Uint8Array[] = [];
  let finished = false;
  const assertUnfinished = () => {
    if (finished) throw new BackupError('internal', `object "${name}" is already finished`);
  };
  return {
    write: async (bytes) => {
      assertUnfinished();
      // Not bytes.slice(): a Buffer gives a view there, and the caller may reuse it.
      parts.push(new Uint8Array(bytes));
    },
    commit: async () => {
      assertUnfinished();
      finished = true;
      assertFree(objects, name);
      objects.set(name, { bytes: new Uint8Array(Buffer.concat(parts)), modifiedAtMs: Date.now() });
      parts.length = 0;
    },
    abort: async () => {
      finished = true;
      parts.length = 0;
    },
  };
}

function assertFree(objects: Objects, name: string): void {
  if (objects.has(name)) throw new BackupError('vault_object_exists', `object "${name}" already exists`);
}

function readRange(objects: Objects, name: string, offset: number, length: number): Uint8Array {
  const { bytes } = requireObject(objects, name);
  assertRangeInside(name, bytes.length, offset, length);
  return bytes.slice(offset, offset + length);
}

function requireObject(objects: Objects, name: string): MemoryObject {
  assertObjectName(name);
  const object = objects.get(name);
  if (object !== undefined) return object;
  throw new BackupError('vault_object_missing', `there is no object "${name}"`);
}

/** The bytes of an object never change, so two can share them. */
function copyObject(objects: Objects, from: string, to: string): void {
  assertObjectName(to);
  const { bytes } = requireObject(objects, from);
  assertFree(objects, to);
  objects.set(to, { bytes, modifiedAtMs: Date.now() });
}

function stat(objects: Objects, name: string): ObjectInfo | null {
  assertObjectName(name);
  const object = objects.get(name);
  return object === undefined ? null : describe(name, object);
}

function describe(name: string, object: MemoryObject): ObjectInfo {
  return { name, sizeBytes: object.bytes.length, modifiedAtMs: object.modifiedAtMs };
}

async function* list(objects: Objects, prefix: string): AsyncGenerator<ObjectInfo> {
  assertObjectPrefix(prefix);
  const names = [...objects.keys()].filter((name) => name.startsWith(prefix)).sort();
  for (const name of names) {
    const object = objects.get(name);
    if (object !== undefined) yield describe(name, object);
  }
}
