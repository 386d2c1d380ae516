import { BackupError, isBackupError } from '../../core/errors.ts';
import type { ObjectInfo, ObjectWriter, Recall, Vault, VaultTraits } from '../../core/vault.ts';

/** One of the two could not do its part, and the other has gone on alone. */
export interface MirrorLapse {
  readonly address: string;
  /** What was tried; an object of it is in the other vault only, until somebody copies it. */
  readonly doing: string;
  readonly failure: BackupError;
}

export interface MirrorOptions {
  /**
   * What happens when one of the two fails. `stop`: the call fails, and what it wrote into the other is taken back, as far as that can be
   * reached and allows it. `go_on`: the call succeeds as long as one of the two did its part, and `onLapse` hears of it.
   */
  readonly onFailure: 'stop' | 'go_on';
  readonly onLapse?: (lapse: MirrorLapse) => void;
}

interface Pair {
  readonly vaults: readonly [Vault, Vault];
  readonly goesOn: boolean;
  readonly lapse: (vault: Vault, doing: string, failure: BackupError) => void;
}

/**
 * Two vaults as one. What is written goes into both, and counts when both have it; the first decides who of two writers of one name wins.
 * What is read comes from the first that has it and gives it: whether the bytes are the right ones, only the digests of the reader tell.
 *
 * Not for two vaults of which one may be away for long: what came meanwhile is copied by nobody here.
 */
export function mirrorVault(first: Vault, second: Vault, options: MirrorOptions): Vault {
  const pair: Pair = {
    vaults: [first, second],
    goesOn: options.onFailure === 'go_on',
    lapse: (vault, doing, failure) => options.onLapse?.({ address: vault.address, doing, failure }),
  };
  return {
    address: `${first.address} and ${second.address}`,
    open: async (how) => void (await both(pair, 'open', (vault) => vault.open(how))),
    createObject: (name) => openWriters(pair, name),
    readRange: (name, offset, length) => fromEither(pair, (vault) => vault.readRange(name, offset, length)),
    stat: (name) => statEither(pair, name),
    list: (prefix) => listBoth(pair, prefix),
    copyObject: (from, to) => copyInBoth(pair, from, to),
    removeObject: (name) => inBothWhatever(pair, (vault) => vault.removeObject(name)).then(() => undefined),
    removeLeftovers: async (prefix) => {
      const counts = await inBothWhatever(pair, (vault) => vault.removeLeftovers(prefix));
      return counts.reduce((sum, count) => sum + count, 0);
    },
    copyFrom: async () => false,
    recall: (name) => fromEither<Recall>(pair, (vault) => vault.recall(name)),
    setLegalHold: async (name, isHeld) => {
      const held = await inBothWhatever(pair, (vault) => vault.setLegalHold(name, isHeld));
      return held.every(Boolean);
    },
    traits: async () => weakerTraits(await both(pair, 'ask for traits of', (vault) => vault.traits())),
    freeBytes: async () => {
      const free = await both(pair, 'ask for room in', (vault) => vault.freeBytes());
      const known = free.filter((bytes) => bytes !== null);
      return known.length === 0 ? null : Math.min(...known);
    },
    close: async () => void (await inBothWhatever(pair, (vault) => vault.close())),
  };
}

type Outcome<Value> =
  | { readonly vault: Vault; readonly value: Value }
  | { readonly vault: Vault; readonly failure: unknown };

async function tryBoth<Value>(
  { vaults }: Pair,
  work: (vault: Vault) => Promise<Value>,
): Promise<readonly [Outcome<Value>, Outcome<Value>]> {
  const one = async (vault: Vault): Promise<Outcome<Value>> => {
    try {
      return { vault, value: await work(vault) };
    } catch (failure) {
      return { vault, failure };
    }
  };
  return Promise.all([one(vaults[0]), one(vaults[1])]);
}

/** Of those that did it; where one did not, as the pair is told. */
async function both<Value>(
  pair: Pair,
  doing: string,
  work: (vault: Vault) => Promise<Value>,
): Promise<Value[]> {
  const outcomes = await tryBoth(pair, work);
  return settle(pair, doing, outcomes);
}

function settle<Value>(pair: Pair, doing: string, outcomes: readonly Outcome<Value>[]): Value[] {
  const failed = outcomes.flatMap((outcome) => ('failure' in outcome ? [outcome] : []));
  const done = outcomes.flatMap((outcome) => ('failure' in outcome ? [] : [outcome.value]));
  if (failed.length === 0) return done;
  if (done.length === 0 || !pair.goesOn) throw failed[0]!.failure;
  for (const { vault, failure } of failed) pair.lapse(vault, doing, lapseOrThrow(failure));
  return done;
}

/** What a place can fail with. A bug is none, and a name that is taken is an answer. */
function isLapse(failure: unknown): failure is BackupError {
  return isBackupError(failure, 'vault_unreachable', 'vault_full', 'vault_refused', 'object_archived');
}

function lapseOrThrow(failure: unknown): BackupError {
  if (isLapse(failure)) return failure;
  throw failure;
}

/** In both, though the other fails; then the failure counts: what was to be gone is not. */
async function inBothWhatever<Value>(pair: Pair, work: (vault: Vault) => Promise<Value>): Promise<Value[]> {
  const outcomes = await tryBoth(pair, work);
  const failed = outcomes.find((outcome) => 'failure' in outcome);
  if (failed !== undefined) throw failed.failure;
  return outcomes.flatMap((outcome) => ('failure' in outcome ? [] : [outcome.value]));
}

/** From the first; from the second where the first has it not, or damaged, or cannot be reached. */
async function fromEither<Value>(
  { vaults: [first, second] }: Pair,
  read: (vault: Vault) => Promise<Value>,
): Promise<Value> {
  try {
    return await read(first);
  } catch (failure) {
    if (!isBackupError(failure) || failure.code === 'internal') throw failure;
    try {
      return await read(second);
    } catch (other) {
      // That it is in neither is known only where both say so.
      throw isBackupError(failure, 'vault_object_missing') ? other : failure;
    }
  }
}

async function statEither(pair: Pair, name: string): Promise<ObjectInfo | null> {
  const [first, second] = pair.vaults;
  const found = await first.stat(name).catch((failure: unknown) => {
    if (!isBackupError(failure, 'vault_unreachable')) throw failure;
    return failure;
  });
  if (found !== null && !isBackupError(found)) return found;
  const other = await second.stat(name);
  if (other === null && found !== null) throw found;
  return other;
}

/** Both listings are in one order, so that one look at the heads of both tells which comes next. */
async function* listBoth(pair: Pair, prefix: string): AsyncGenerator<ObjectInfo> {
  const lists = pair.vaults.map((vault): Listing => {
    return { vault, entries: vault.list(prefix)[Symbol.asyncIterator](), failure: null };
  });
  try {
    const heads = await Promise.all(lists.map((list) => nextOf(pair, list)));
    for (;;) {
      const [a, b] = heads;
      if (a == null && b == null) break;
      const takesFirst = b == null || (a != null && a.name <= b.name);
      const taken = takesFirst ? a! : b;
      yield taken;
      for (const [i, list] of lists.entries()) {
        if (heads[i]?.name === taken.name) heads[i] = await nextOf(pair, list);
      }
    }
    if (lists.every(({ failure }) => failure !== null)) throw lists[0]!.failure;
  } finally {
    for (const { entries } of lists) await entries.return?.();
  }
}

interface Listing {
  readonly vault: Vault;
  readonly entries: AsyncIterator<ObjectInfo>;
  failure: BackupError | null;
}

/** Null at the end, and where a listing ends early and the pair goes on. */
async function nextOf(pair: Pair, list: Listing): Promise<ObjectInfo | null> {
  try {
    const { done, value } = await list.entries.next();
    return done === true ? null : value;
  } catch (failure) {
    if (!pair.goesOn) throw failure;
    list.failure = lapseOrThrow(failure);
    pair.lapse(list.vault, 'list', list.failure);
    return null;
  }
}

async function openWriters(pair: Pair, name: string): Promise<ObjectWriter> {
  const outcomes = await tryBoth(pair, (vault) => vault.createObject(name));
  const opened = outcomes.flatMap((outcome) =>
    'failure' in outcome ? [] : [{ vault: outcome.vault, writer: outcome.value }],
  );
  try {
    settle(pair, `write "${name}" into`, outcomes);
  } catch (error) {
    for (const { writer } of opened) await writer.abort();
    throw error;
  }
  return writeBoth(pair, name, opened);
}

interface OpenWriter {
  readonly vault: Vault;
  readonly writer: ObjectWriter;
}

function writeBoth(pair: Pair, name: string, opened: readonly OpenWriter[]): ObjectWriter {
  let alive = [...opened];
  let isCommitted = false;
  /** The failure of one of them ends only its own part, where the pair goes on. */
  const drop = async (failed: OpenWriter, failure: unknown): Promise<void> => {
    if (!pair.goesOn || alive.length < 2) throw failure;
    pair.lapse(failed.vault, `write "${name}" into`, lapseOrThrow(failure));
    alive = alive.filter((other) => other !== failed);
    await failed.writer.abort().catch(() => undefined);
  };
  return {
    write: async (bytes) => {
      const results = await Promise.allSettled(alive.map(({ writer }) => writer.write(bytes)));
      const failures = alive.map((one, i) => ({ one, result: results[i]! }));
      for (const { one, result } of failures)
        if (result.status === 'rejected') await drop(one, result.reason);
    },
    commit: async () => {
      const [first, second] = alive as [OpenWriter, OpenWriter?];
      try {
        await first.writer.commit();
      } catch (error) {
        await drop(first, error);
        // Only the second is left, and decides alone.
        await second!.writer.commit();
        isCommitted = true;
        return;
      }
      if (second !== undefined) await commitSecond(pair, name, first, second);
      isCommitted = true;
    },
    abort: async () => {
      if (isCommitted) return;
      for (const { writer } of opened) await writer.abort();
    },
  };
}

/** Once the first has it, either the second has it too, or the pair goes on, or the first gives it back. */
async function commitSecond(pair: Pair, name: string, first: OpenWriter, second: OpenWriter): Promise<void> {
  try {
    await second.writer.commit();
  } catch (error) {
    if (pair.goesOn && isLapse(error)) {
      pair.lapse(second.vault, `write "${name}" into`, error);
      return;
    }
    throw await takeBack(first.vault, name, error);
  }
}

/** What was written by this call and not by both. Where it cannot be taken back, the failure says that it stays. */
async function takeBack(vault: Vault, name: string, failure: unknown): Promise<unknown> {
  try {
    await vault.removeObject(name);
    return failure;
  } catch (cause) {
    if (!isBackupError(failure)) return failure;
    const message = `${failure.message}; "${name}" stays in ${vault.address} alone`;
    const hint = 'copy it into the other vault, or remove it, before it is written again';
    return new BackupError(failure.code, message, { hint, facts: failure.facts, cause });
  }
}

/** As with writing: the first decides, then the second follows. One that lacks the object fails with that. */
async function copyInBoth(pair: Pair, from: string, to: string): Promise<void> {
  const [first, second] = pair.vaults;
  const doing = `copy "${from}" to "${to}" in`;
  const mayLapse = (error: unknown): error is BackupError =>
    pair.goesOn && (isLapse(error) || isBackupError(error, 'vault_object_missing'));
  try {
    await first.copyObject(from, to);
  } catch (error) {
    if (!mayLapse(error)) throw error;
    await second.copyObject(from, to);
    pair.lapse(first, doing, error);
    return;
  }
  try {
    await second.copyObject(from, to);
  } catch (error) {
    if (!mayLapse(error)) throw await takeBack(first, to, error);
    pair.lapse(second, doing, error);
  }
}

function weakerTraits(traits: readonly VaultTraits[]): VaultTraits {
  const locks = traits.map(({ lock }) => lock);
  const held = locks.filter((lock) => lock !== null);
  const isLocked = held.length === traits.length && held.length > 0;
  return {
    lock: isLocked
      ? {
          mode: held.every(({ mode }) => mode === 'compliance') ? 'compliance' : 'governance',
          days: Math.min(...held.map(({ days }) => days)),
        }
      : null,
    keepsVersions: traits.every(({ keepsVersions }) => keepsVersions),
    createOnly: traits.every(({ createOnly }) => createOnly === 'exact') ? 'exact' : 'claims',
  };
}
