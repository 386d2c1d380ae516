import type { Clock } from '../core/clock.ts';
import { BackupError, isBackupError, throwIfAborted } from '../core/errors.ts';
import type { Vault, VaultTraits } from '../core/vault.ts';

/** A folder of its own, in which nothing stays. */
export const PROBE_PREFIX = 'doctor/';

/** What was tried of what a vault promises: kept, or in which way not. Null where it could not be tried. */
export type Finding = { readonly broken: readonly string[] } | null;

export interface VaultProbe {
  /** Of the vault's clock before this machine's. */
  readonly clockAheadMs: number;
  readonly freeBytes: number | null;
  readonly traits: VaultTraits;
  /** A name is written once, whole, and by one of those who try at once. */
  readonly writes: Finding;
  /** What was written reads back, all of it and in parts. Null where it goes into an archive at once. */
  readonly reads: Finding;
  /** A listing shows what was written, at once and in order. */
  readonly listing: Finding;
  /** What was removed is gone. Null where this user may not remove anything. */
  readonly removal: Finding;
  /** How many pieces of killed writers were found and removed; null where they could not be. */
  readonly leftovers: number | null;
  /** How many objects of the probe are still there. */
  readonly left: number;
}

export interface ProbeOptions {
  /** Also races for an object that is larger than one part of an upload. */
  readonly large?: boolean;
  readonly signal?: AbortSignal;
}

interface Probe {
  readonly vault: Vault;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
  readonly folder: string;
}

/** Who tries at once to write one object. */
export const RACERS = 8;
const SMALL_BYTES = 64;
/** More than one part of S3, which has 8 MiB or so. */
export const LARGE_BYTES = (9 << 20) + 1;
/** What an earlier probe left is no longer that of one that runs now. */
const STALE_MS = 60 * 60 * 1000;

/**
 * Tries out what a vault promises, with a few small objects. Throws where the vault cannot be reached or written; a promise that is
 * not kept, or a right to remove that is missing, is a finding.
 */
export async function probeVault(
  vault: Vault,
  clock: Clock,
  { large = false, signal }: ProbeOptions = {},
): Promise<VaultProbe> {
  const probe: Probe = { vault, clock, signal, folder: `${PROBE_PREFIX}${clock.uuid()}/` };
  const leftovers = await removeStale(probe);
  let isClean = false;
  try {
    const traits = await vault.traits();
    const raced = await raceFor(probe, `${probe.folder}a/1`, SMALL_BYTES);
    const writes = [...raced.broken, ...(await tryWrites(probe, raced.winner))];
    if (large) writes.push(...(await raceFor(probe, `${probe.folder}large`, LARGE_BYTES)).broken);
    const reads = await tryReads(probe, raced.winner);
    const listing = await tryListing(probe, large);
    const removal = await tryRemoval(probe);
    isClean = removal?.broken.length === 0;
    return {
      ...{ clockAheadMs: raced.clockAheadMs, freeBytes: await vault.freeBytes(), traits },
      ...{ writes: { broken: writes }, reads, listing, removal, leftovers },
      left: removal === null ? (await namesUnder(vault, probe.folder)).length : 0,
    };
  } finally {
    if (!isClean) await cleanUp(probe);
  }
}

interface Raced {
  readonly broken: readonly string[];
  /** Whose content the object should have; 0 when it cannot be told. */
  readonly winner: number;
  readonly clockAheadMs: number;
}

/** Some write the same object at once, each with a content of its own. Waits for all: what is being written could not be removed. */
async function raceFor({ vault, clock, signal }: Probe, name: string, sizeBytes: number): Promise<Raced> {
  throwIfAborted(signal);
  const beganAtMs = clock.now();
  const tries = await Promise.allSettled(
    Array.from({ length: RACERS }, (_, who) => createProbe(vault, name, who, sizeBytes)),
  );
  const clockMs = (beganAtMs + clock.now()) / 2;
  const failure = tries.find((result) => result.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
  const winners = tries.flatMap((result, who) =>
    result.status === 'fulfilled' && result.value ? [who] : [],
  );
  const what = sizeBytes === SMALL_BYTES ? 'the same object' : 'the same large object';
  const broken: string[] = [];
  if (winners.length !== 1)
    broken.push(`of ${RACERS} that wrote ${what} at once ${winners.length} succeeded`);
  const info = await vault.stat(name);
  if (info?.sizeBytes !== sizeBytes) broken.push('an object that was written is not there whole');
  const winner = winners[0] ?? 0;
  const last = await readUnlessArchived(vault, name, sizeBytes - 1, 1);
  if (winners.length === 1 && last !== null && (last === 'gone' || last[0] !== markOf(winner))) {
    broken.push(`the one that succeeded with ${what} is not the one whose bytes are there`);
  }
  return { broken, winner, clockAheadMs: Math.round((info?.modifiedAtMs ?? clockMs) - clockMs) };
}

/** Nothing overwrites what is there, and nothing shows that is not finished. */
async function tryWrites({ vault, folder, signal }: Probe, winner: number): Promise<string[]> {
  throwIfAborted(signal);
  const broken: string[] = [];
  const other = (winner + 1) % RACERS;
  if (await createProbe(vault, `${folder}a/1`, other, SMALL_BYTES)) {
    broken.push('an object that was there was overwritten');
  }
  const unfinished = `${folder}unfinished`;
  const writer = await vault.createObject(unfinished);
  try {
    await writer.write(contentOf(0, SMALL_BYTES));
    if ((await vault.stat(unfinished)) !== null) broken.push('an object shows before it is finished');
  } finally {
    await writer.abort();
  }
  if ((await vault.stat(unfinished)) !== null) broken.push('an object that was given up is there');
  return broken;
}

async function tryReads({ vault, folder, signal }: Probe, winner: number): Promise<Finding> {
  const name = `${folder}a/1`;
  const expected = contentOf(winner, SMALL_BYTES);
  const broken: string[] = [];
  for (const [offset, length] of [
    [0, SMALL_BYTES],
    [7, 11],
    [SMALL_BYTES - 1, 1],
    [SMALL_BYTES, 0],
  ] as const) {
    throwIfAborted(signal);
    const found = await readUnlessArchived(vault, name, offset, length);
    if (found === null) return null;
    const wanted = expected.subarray(offset, offset + length);
    if (found === 'gone' || found.length !== length || !wanted.every((byte, i) => byte === found[i])) {
      const isWhole = length === SMALL_BYTES;
      broken.push(
        isWhole
          ? 'what was read is not what was written'
          : `bytes ${offset} to ${offset + length} are others`,
      );
    }
  }
  const past = await outcomeOf(vault.readRange(name, SMALL_BYTES - 1, 2));
  if (past !== 'damaged') broken.push(`to read behind the end of an object is no damage (${past})`);
  const missing = await outcomeOf(vault.readRange(`${folder}missing`, 0, 1));
  if (missing !== 'vault_object_missing') broken.push(`an object that is not there can be read (${missing})`);
  return { broken };
}

/** In byte order; between these, a hyphen, a slash and a digit decide. */
async function tryListing({ vault, folder, signal }: Probe, hasLarge: boolean): Promise<Finding> {
  for (const name of ['a0', 'a-1']) {
    throwIfAborted(signal);
    await createProbe(vault, `${folder}${name}`, 0, SMALL_BYTES);
  }
  const expected = ['a-1', 'a/1', 'a0', ...(hasLarge ? ['large'] : [])].map((name) => `${folder}${name}`);
  const found = await namesUnder(vault, folder);
  const missing = expected.filter((name) => !found.includes(name));
  if (missing.length > 0) return { broken: ['a listing does not show what was written'] };
  const shown = found.filter((name) => expected.includes(name));
  if (shown.length > expected.length) return { broken: ['a listing shows an object twice'] };
  if (shown.some((name, i) => name !== expected[i])) return { broken: ['a listing is not in byte order'] };
  const inner = await namesUnder(vault, `${folder}a/`);
  if (inner.length !== 1) return { broken: ['a listing of a folder shows what is not in it'] };
  return { broken: [] };
}

/** Null where this user may not. */
async function tryRemoval({ vault, folder, signal }: Probe): Promise<Finding> {
  for (const name of NAMES) {
    throwIfAborted(signal);
    try {
      await vault.removeObject(`${folder}${name}`);
    } catch (error) {
      if (isBackupError(error, 'vault_refused')) return null;
      throw error;
    }
  }
  const broken: string[] = [];
  if ((await vault.stat(`${folder}a/1`)) !== null) broken.push('an object that was removed is still there');
  if ((await namesUnder(vault, folder)).length > 0) broken.push('a listing shows what was removed');
  return { broken };
}

/** False when the name is taken. */
async function createProbe(vault: Vault, name: string, who: number, sizeBytes: number): Promise<boolean> {
  try {
    const writer = await vault.createObject(name);
    try {
      const piece = contentOf(who, Math.min(sizeBytes, 1 << 20));
      for (let at = 0; at < sizeBytes; at += piece.length) {
        await writer.write(piece.subarray(0, sizeBytes - at));
      }
      await writer.commit();
    } catch (error) {
      await writer.abort();
      throw error;
    }
    return true;
  } catch (error) {
    if (isBackupError(error, 'vault_object_exists')) return false;
    throw error;
  }
}

/** Every byte says who wrote it, and the first ones where they stand. */
function contentOf(who: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(markOf(who));
  for (let i = 0; i < Math.min(length, SMALL_BYTES) - 1; i += 1) bytes[i] = markOf(who) + i;
  return bytes;
}

function markOf(who: number): number {
  return 64 + who;
}

/** Null when it is archived, and reads as nothing before it is asked for. */
async function readUnlessArchived(
  vault: Vault,
  name: string,
  offset: number,
  length: number,
): Promise<Uint8Array | 'gone' | null> {
  try {
    return await vault.readRange(name, offset, length);
  } catch (error) {
    if (isBackupError(error, 'object_archived')) return null;
    if (isBackupError(error, 'damaged', 'vault_object_missing')) return 'gone';
    throw error;
  }
}

/** The code of its failure, or that it succeeded. Throws for a vault that cannot be reached. */
async function outcomeOf(reading: Promise<unknown>): Promise<string> {
  try {
    await reading;
    return 'it succeeds';
  } catch (error) {
    if (!isBackupError(error) || error.code === 'vault_unreachable') throw error;
    return error.code;
  }
}

async function namesUnder(vault: Vault, prefix: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of vault.list(prefix)) names.push(name);
  return names;
}

/** Null where this user may remove nothing. */
async function removeStale({ vault, clock, signal }: Probe): Promise<number | null> {
  const stale: string[] = [];
  for await (const { name, modifiedAtMs } of vault.list(PROBE_PREFIX)) {
    if (clock.now() - modifiedAtMs > STALE_MS) stale.push(name);
  }
  try {
    for (const name of stale) {
      throwIfAborted(signal);
      await vault.removeObject(name);
    }
    return await vault.removeLeftovers(PROBE_PREFIX);
  } catch (error) {
    if (isBackupError(error, 'vault_refused')) return null;
    throw error;
  }
}

const NAMES = ['a/1', 'a0', 'a-1', 'large', 'unfinished'];

/** By their names, since a listing may be what is broken. The failure that led here says more than one of the cleaning. */
async function cleanUp({ vault, folder }: Probe): Promise<void> {
  try {
    for (const name of NAMES) await vault.removeObject(`${folder}${name}`);
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
  }
}
