import { BackupError } from '../../core/errors.ts';
import { assertObjectName, assertObjectPrefix } from '../../core/object-name.ts';
import { assertRangeInside } from '../../core/object-range.ts';
import type { ObjectInfo, ObjectWriter, Vault } from '../../core/vault.ts';

/** What would have reached the vault, in the order in which it would have. */
export type DryRunChange =
  | { readonly kind: 'write'; readonly name: string; readonly sizeBytes: number }
  | { readonly kind: 'copy'; readonly name: string; readonly from: string }
  | { readonly kind: 'remove'; readonly name: string; readonly sizeBytes: number }
  | { readonly kind: 'remove leftovers'; readonly prefix: string }
  | { readonly kind: 'recall'; readonly name: string }
  | { readonly kind: 'hold'; readonly name: string; readonly isHeld: boolean };

export interface DryRunOptions {
  /** So much of what is written is kept to be read again; of the rest, name and size. */
  readonly keepBytes?: number;
  readonly now?: () => number;
}

/** Where the content of an object that was written in a dry run is. */
type Content =
  | { readonly at: 'here'; readonly bytes: Uint8Array }
  | { readonly at: 'vault'; readonly name: string }
  | { readonly at: 'nowhere' };

interface Written {
  readonly info: ObjectInfo;
  readonly content: Content;
}

interface Run {
  readonly inner: Vault;
  readonly now: () => number;
  /** What is other than in the vault; null where it was removed. */
  readonly over: Map<string, Written | null>;
  readonly changes: DryRunChange[];
  roomBytes: number;
}

const DEFAULT_KEEP_BYTES = 64 << 20;

/**
 * A vault in which all that is written and removed is only noted. What comes later through the same wrapper sees it as if it had been
 * done; nothing reaches the vault. An object removed and written anew here is the new one.
 */
export function dryRunVault(
  inner: Vault,
  options: DryRunOptions = {},
): { readonly vault: Vault; readonly changes: () => readonly DryRunChange[] } {
  const run: Run = {
    ...{ inner, now: options.now ?? Date.now, over: new Map(), changes: [] },
    roomBytes: options.keepBytes ?? DEFAULT_KEEP_BYTES,
  };
  return { vault: makeVault(run), changes: () => [...run.changes] };
}

function makeVault(run: Run): Vault {
  const { inner, changes } = run;
  return {
    address: inner.address,
    open: () => inner.open({ create: false }),
    createObject: (name) => openWriter(run, name),
    readRange: (name, offset, length) => readRange(run, name, offset, length),
    stat: (name) => statOver(run, name),
    list: (prefix) => listOver(run, prefix),
    copyObject: (from, to) => copyObject(run, from, to),
    removeObject: async (name) => {
      const info = await statOver(run, name);
      if (info === null) return;
      run.over.set(name, null);
      changes.push({ kind: 'remove', name, sizeBytes: info.sizeBytes });
    },
    removeLeftovers: async (prefix) => {
      assertObjectPrefix(prefix);
      changes.push({ kind: 'remove leftovers', prefix });
      return 0;
    },
    copyFrom: async () => false,
    recall: async (name) => {
      const info = await requireObject(run, name);
      if (info.isArchived !== true) return { state: 'readable' };
      changes.push({ kind: 'recall', name });
      return { state: 'asked', usuallyMs: null };
    },
    setLegalHold: async (name, isHeld) => {
      await requireObject(run, name);
      if ((await inner.traits()).lock === null) return false;
      changes.push({ kind: 'hold', name, isHeld });
      return true;
    },
    traits: () => inner.traits(),
    freeBytes: () => inner.freeBytes(),
    close: () => inner.close(),
  };
}

async function openWriter(run: Run, name: string): Promise<ObjectWriter> {
  await assertFree(run, name);
  let parts: Uint8Array[] = [];
  let sizeBytes = 0;
  let keptBytes = 0;
  let isWhole = true;
  let isOver = false;
  const assertOpen = (): void => {
    if (isOver) throw new BackupError('internal', `object "${name}" is already finished`);
  };
  const letGo = (): void => {
    run.roomBytes += keptBytes;
    keptBytes = 0;
    parts = [];
  };
  return {
    write: async (bytes) => {
      assertOpen();
      sizeBytes += bytes.length;
      if (!isWhole) return;
      if (bytes.length > run.roomBytes) {
        isWhole = false;
        return letGo();
      }
      run.roomBytes -= bytes.length;
      keptBytes += bytes.length;
      parts.push(new Uint8Array(bytes));
    },
    commit: async () => {
      assertOpen();
      isOver = true;
      const content: Content = isWhole
        ? { at: 'here', bytes: new Uint8Array(Buffer.concat(parts)) }
        : { at: 'nowhere' };
      try {
        await addObject(run, { name, sizeBytes, content }, { kind: 'write', name, sizeBytes });
      } catch (error) {
        letGo();
        throw error;
      }
      parts = [];
    },
    abort: async () => {
      if (isOver) return;
      isOver = true;
      letGo();
    },
  };
}

async function addObject(
  run: Run,
  { name, sizeBytes, content }: { name: string; sizeBytes: number; content: Content },
  change: DryRunChange,
): Promise<void> {
  await assertFree(run, name);
  // Another may have taken the name while the vault was asked.
  if (run.over.get(name) != null) throw taken(name);
  run.over.set(name, { info: { name, sizeBytes, modifiedAtMs: run.now() }, content });
  run.changes.push(change);
}

async function assertFree(run: Run, name: string): Promise<void> {
  if ((await statOver(run, name)) !== null) throw taken(name);
}

function taken(name: string): BackupError {
  return new BackupError('vault_object_exists', `object "${name}" already exists`);
}

async function statOver({ over, inner }: Run, name: string): Promise<ObjectInfo | null> {
  assertObjectName(name);
  const changed = over.get(name);
  return changed === undefined ? inner.stat(name) : (changed?.info ?? null);
}

async function requireObject(run: Run, name: string): Promise<ObjectInfo> {
  const info = await statOver(run, name);
  if (info !== null) return info;
  throw new BackupError('vault_object_missing', `there is no object "${name}"`);
}

async function readRange(run: Run, name: string, offset: number, length: number): Promise<Uint8Array> {
  assertObjectName(name);
  const changed = run.over.get(name);
  if (changed === undefined) return run.inner.readRange(name, offset, length);
  const { sizeBytes } = await requireObject(run, name);
  assertRangeInside(name, sizeBytes, offset, length);
  const { content } = changed!;
  if (content.at === 'here') return content.bytes.slice(offset, offset + length);
  if (content.at === 'vault') return run.inner.readRange(content.name, offset, length);
  throw new BackupError('vault_refused', `a dry run has not kept what "${name}" would hold`, {
    hint: 'it keeps what is small only; run without it to read what was written',
  });
}

async function copyObject(run: Run, from: string, to: string): Promise<void> {
  assertObjectName(to);
  const { sizeBytes } = await requireObject(run, from);
  const content = run.over.get(from)?.content ?? { at: 'vault', name: from };
  await addObject(run, { name: to, sizeBytes, content }, { kind: 'copy', name: to, from });
}

/** What the vault has and what was written here, in one order. */
async function* listOver({ inner, over }: Run, prefix: string): AsyncGenerator<ObjectInfo> {
  const added = [...over.values()]
    .flatMap((written) => (written?.info.name.startsWith(prefix) === true ? [written.info] : []))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  for await (const info of inner.list(prefix)) {
    while (added.length > 0 && added[0]!.name < info.name) yield added.shift()!;
    if (!over.has(info.name)) yield info;
  }
  yield* added;
}
