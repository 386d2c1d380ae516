import { isBackupError } from '../../core/errors.ts';
import type { ObjectInfo, ObjectWriter, Vault } from '../../core/vault.ts';
import { passOn } from './pass.ts';

export const VAULT_OPERATIONS = [
  'open',
  'createObject',
  'write',
  'commit',
  'abort',
  'readRange',
  'stat',
  'list',
  'copyObject',
  'removeObject',
  'removeLeftovers',
  'copyFrom',
  'recall',
  'setLegalHold',
  'traits',
  'freeBytes',
] as const;

export type VaultOperation = (typeof VAULT_OPERATIONS)[number];

/** Upper ends of the classes into which durations are counted; the last class has none. */
export const DURATION_CLASSES_MS = [1, 5, 25, 100, 500, 2500, 10_000] as const;

export interface OperationMeter {
  readonly calls: number;
  /** How many failed with which code; `unknown` for what is no BackupError. */
  readonly errors: Readonly<Record<string, number>>;
  readonly totalMs: number;
  readonly longestMs: number;
  /** As many as `DURATION_CLASSES_MS`, and one: how many calls took no longer than that, and longer than the class before. */
  readonly durations: readonly number[];
}

export interface VaultMeters {
  readonly address: string;
  /** Only what writers took and reads gave. */
  readonly bytesWritten: number;
  readonly bytesRead: number;
  readonly objectsListed: number;
  readonly operations: Readonly<Record<VaultOperation, OperationMeter>>;
}

interface Counting {
  calls: number;
  errors: Record<string, number>;
  totalMs: number;
  longestMs: number;
  durations: number[];
}

/** A vault that counts what passes through it, and how to read the counts; they only grow. */
export function meteredVault(
  inner: Vault,
  now: () => number = () => performance.now(),
): { readonly vault: Vault; readonly read: () => VaultMeters } {
  const bytes = { written: 0, read: 0, listed: 0 };
  const operations = Object.fromEntries(VAULT_OPERATIONS.map((name) => [name, startCounting()])) as Record<
    VaultOperation,
    Counting
  >;
  const count = async <Value>(operation: VaultOperation, call: () => Promise<Value>): Promise<Value> => {
    const beganAt = now();
    try {
      const value = await call();
      note(operations[operation], now() - beganAt, null);
      return value;
    } catch (error) {
      note(operations[operation], now() - beganAt, error);
      throw error;
    }
  };
  const writer = (opened: ObjectWriter): ObjectWriter => ({
    write: async (piece) => {
      await count('write', () => opened.write(piece));
      bytes.written += piece.length;
    },
    commit: () => count('commit', () => opened.commit()),
    abort: () => count('abort', () => opened.abort()),
  });
  const vault = passOn(inner, {
    open: (options) => count('open', () => inner.open(options)),
    createObject: async (name) => writer(await count('createObject', () => inner.createObject(name))),
    readRange: async (name, offset, length) => {
      const given = await count('readRange', () => inner.readRange(name, offset, length));
      bytes.read += given.length;
      return given;
    },
    stat: (name) => count('stat', () => inner.stat(name)),
    list: (prefix) => listCounted(inner, prefix, { now, counting: operations.list, bytes }),
    copyObject: (from, to) => count('copyObject', () => inner.copyObject(from, to)),
    removeObject: (name) => count('removeObject', () => inner.removeObject(name)),
    removeLeftovers: (prefix) => count('removeLeftovers', () => inner.removeLeftovers(prefix)),
    copyFrom: (source, name) => count('copyFrom', () => inner.copyFrom(source, name)),
    recall: (name) => count('recall', () => inner.recall(name)),
    setLegalHold: (name, isHeld) => count('setLegalHold', () => inner.setLegalHold(name, isHeld)),
    traits: () => count('traits', () => inner.traits()),
    freeBytes: () => count('freeBytes', () => inner.freeBytes()),
  });
  return {
    vault,
    read: () => ({
      ...{ address: inner.address, bytesWritten: bytes.written, bytesRead: bytes.read },
      ...{ objectsListed: bytes.listed, operations: structuredClone(operations) },
    }),
  };
}

/** A listing takes as long as its objects were waited for, not as long as they were worked with. */
async function* listCounted(
  inner: Vault,
  prefix: string,
  { now, counting, bytes }: { now: () => number; counting: Counting; bytes: { listed: number } },
): AsyncGenerator<ObjectInfo> {
  let waitedMs = 0;
  let failure: unknown = null;
  let since = now();
  try {
    for await (const info of inner.list(prefix)) {
      waitedMs += now() - since;
      bytes.listed += 1;
      yield info;
      since = now();
    }
    waitedMs += now() - since;
  } catch (error) {
    waitedMs += now() - since;
    failure = error;
    throw error;
  } finally {
    note(counting, waitedMs, failure);
  }
}

function startCounting(): Counting {
  return {
    ...{ calls: 0, errors: {}, totalMs: 0, longestMs: 0 },
    durations: new Array<number>(DURATION_CLASSES_MS.length + 1).fill(0),
  };
}

function note(counting: Counting, tookMs: number, error: unknown): void {
  counting.calls += 1;
  counting.totalMs += tookMs;
  counting.longestMs = Math.max(counting.longestMs, tookMs);
  const found = DURATION_CLASSES_MS.findIndex((limitMs) => tookMs <= limitMs);
  counting.durations[found === -1 ? DURATION_CLASSES_MS.length : found]! += 1;
  if (error === null) return;
  const code = isBackupError(error) ? error.code : 'unknown';
  counting.errors[code] = (counting.errors[code] ?? 0) + 1;
}
