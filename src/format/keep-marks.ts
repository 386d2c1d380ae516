import crypto from 'node:crypto';
import { BackupError } from '../core/errors.ts';
import { parseTime } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import { writeObject } from './data-file-writer.ts';

/** What keeps a backup from being removed by any rule, with all that it builds on (FORMAT.md §15 is normative). */
export interface Hold {
  readonly id: string;
  readonly backupId: string;
  readonly reason: string;
  /** RFC 3339. */
  readonly createdAt: string;
  /** RFC 3339: it ends by itself; null: it does not. */
  readonly until: string | null;
  readonly software: string;
}

/** While there is one, nothing in a vault is removed by a rule or joined. */
export interface Freeze {
  readonly id: string;
  readonly reason: string;
  readonly createdAt: string;
  readonly software: string;
}

export const HOLDS_PREFIX = 'holds/';
export const FREEZE_PREFIX = 'freeze/';

const NAME = /^(?:holds|freeze)\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(-release)?\.json$/;
/** A mark is small; anything larger is none. */
const MAX_MARK_BYTES = 64 << 10;

/** All holds that stand, the oldest first. Throws `damaged`, naming one that cannot be read: nobody knows what it holds. */
export async function readHolds(vault: Vault): Promise<Hold[]> {
  const holds: Hold[] = [];
  for (const { name, id, sizeBytes } of await listMarks(vault, HOLDS_PREFIX)) {
    const hold = await readMark(vault, name, sizeBytes, decodeHold);
    if (hold?.id !== id) {
      throw new BackupError('damaged', `${name} is no hold, or was changed: what it holds is not known`, {
        hint: 'take it from another copy of the vault; when it is certain that nothing is held by it, remove it by hand',
        facts: { file: name },
      });
    }
    holds.push(hold);
  }
  return holds.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
}

/** All that freezes a vault, the oldest first. A mark that cannot be read freezes it too. */
export async function readFreezes(vault: Vault): Promise<Freeze[]> {
  const freezes: Freeze[] = [];
  for (const { name, id, sizeBytes } of await listMarks(vault, FREEZE_PREFIX)) {
    const freeze = await readMark(vault, name, sizeBytes, decodeFreeze);
    freezes.push(
      freeze?.id === id ? freeze : { ...UNREADABLE, id, reason: `by ${name}, which cannot be read` },
    );
  }
  return freezes.sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
}

const UNREADABLE = { createdAt: '', software: '' };

/** Whether nothing may be removed from a vault now, nor joined. One listing. */
export async function isFrozen(vault: Vault): Promise<boolean> {
  return (await listMarks(vault, FREEZE_PREFIX)).length > 0;
}

export function writeHold(vault: Vault, hold: Hold): Promise<void> {
  return writeObject(vault, `${HOLDS_PREFIX}${hold.id}.json`, encodeHold(hold));
}

export function writeFreeze(vault: Vault, freeze: Freeze): Promise<void> {
  return writeObject(vault, `${FREEZE_PREFIX}${freeze.id}.json`, encodeFreeze(freeze));
}

export interface Release {
  /** RFC 3339. */
  readonly releasedAt: string;
  readonly software: string;
}

/**
 * Ends the hold or freeze of this id. Marks are never removed: so that works where nothing can be, a copy of the vault learns of it,
 * and what was held when can be told later.
 */
export async function releaseMark(vault: Vault, prefix: string, id: string, release: Release): Promise<void> {
  const name = `${prefix}${id}-release.json`;
  const fields = { releaseVersion: 1, releases: id, ...release };
  if ((await vault.stat(name)) === null) await writeObject(vault, name, encodeMark(fields));
}

interface FoundMark {
  readonly name: string;
  readonly id: string;
  readonly sizeBytes: number;
}

/** Those that were not released. What lies there under another name says nothing. */
async function listMarks(vault: Vault, prefix: string): Promise<FoundMark[]> {
  const marks: FoundMark[] = [];
  const released = new Set<string>();
  for await (const { name, sizeBytes } of vault.list(prefix)) {
    const [, id, release] = NAME.exec(name) ?? [];
    if (id === undefined) continue;
    if (release !== undefined) released.add(id);
    else marks.push({ name, id, sizeBytes });
  }
  return marks.filter(({ id }) => !released.has(id));
}

/** In the form of a manifest: the last key holds a checksum of all before it. */
function encodeMark(fields: object): Buffer {
  const checksum = crypto.hash('sha256', JSON.stringify(fields, null, 2), 'hex');
  return Buffer.from(`${JSON.stringify({ ...fields, checksum }, null, 2)}\n`);
}

async function readMark<Mark>(
  vault: Vault,
  name: string,
  sizeBytes: number,
  decode: (bytes: Uint8Array) => Mark | null,
): Promise<Mark | null> {
  return sizeBytes > MAX_MARK_BYTES ? null : decode(await vault.readRange(name, 0, sizeBytes));
}

export function encodeHold({ id, backupId, reason, createdAt, until, software }: Hold): Buffer {
  return encodeMark({ holdVersion: 1, holdId: id, backupId, reason, createdAt, until, software });
}

export function encodeFreeze({ id, reason, createdAt, software }: Freeze): Buffer {
  return encodeMark({ freezeVersion: 1, freezeId: id, reason, createdAt, software });
}

/** Null for anything that is not, byte for byte, what a hold encodes to. */
export function decodeHold(bytes: Uint8Array): Hold | null {
  const { holdId, backupId, reason, createdAt, until, software } = parseFields(bytes);
  const isTimed = until === null || (typeof until === 'string' && parseTime(until) !== null);
  if (!isTimed || !areTexts([holdId, backupId, reason, createdAt, software])) return null;
  const hold = { id: holdId, backupId, reason, createdAt, until, software } as Hold;
  return encodeHold(hold).equals(bytes) ? hold : null;
}

/** Null for anything that is not, byte for byte, what a freeze encodes to. */
export function decodeFreeze(bytes: Uint8Array): Freeze | null {
  const { freezeId, reason, createdAt, software } = parseFields(bytes);
  if (!areTexts([freezeId, reason, createdAt, software])) return null;
  const freeze = { id: freezeId, reason, createdAt, software } as Freeze;
  return encodeFreeze(freeze).equals(bytes) ? freeze : null;
}

function parseFields(bytes: Uint8Array): Record<string, unknown> {
  try {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
    return (JSON.parse(text) as Record<string, unknown> | null) ?? {};
  } catch {
    return {};
  }
}

function areTexts(values: readonly unknown[]): boolean {
  return values.every((value) => typeof value === 'string');
}
