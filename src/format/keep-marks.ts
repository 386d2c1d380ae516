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
    const value = await readMark(vault, name, sizeBytes);
    const hold = value === null ? null : asHold(value);
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
    const value = await readMark(vault, name, sizeBytes);
    const freeze = value === null ? null : asFreeze(value);
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

export async function writeHold(
  vault: Vault,
  { id, backupId, reason, createdAt, until, software }: Hold,
): Promise<void> {
  const fields = { holdVersion: 1, holdId: id, backupId, reason, createdAt, until, software };
  await writeObject(vault, `${HOLDS_PREFIX}${id}.json`, encodeMark(fields));
}

export async function writeFreeze(vault: Vault, { id, reason, createdAt, software }: Freeze): Promise<void> {
  const fields = { freezeVersion: 1, freezeId: id, reason, createdAt, software };
  await writeObject(vault, `${FREEZE_PREFIX}${id}.json`, encodeMark(fields));
}

export interface Release {
  /** RFC 3339. */
  readonly releasedAt: string;
  readonly software: string;
}

/**
 * Ends the hold or freeze of this id: the object goes; where the vault keeps objects from being removed, a release is written
 * beside it.
 */
export async function releaseMark(vault: Vault, prefix: string, id: string, release: Release): Promise<void> {
  const { lock } = await vault.traits();
  if (lock === null) return vault.removeObject(`${prefix}${id}.json`);
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

/** Null for anything that is not, byte for byte, what a mark encodes to. */
async function readMark(
  vault: Vault,
  name: string,
  sizeBytes: number,
): Promise<Record<string, unknown> | null> {
  if (sizeBytes > MAX_MARK_BYTES) return null;
  const bytes = Buffer.from(await vault.readRange(name, 0, sizeBytes));
  try {
    const { checksum: _, ...fields } = JSON.parse(bytes.toString('utf8')) as Record<string, unknown>;
    return encodeMark(fields).equals(bytes) ? fields : null;
  } catch {
    return null;
  }
}

function asHold({
  holdVersion,
  holdId,
  backupId,
  reason,
  createdAt,
  until,
  software,
}: Record<string, unknown>): Hold | null {
  const isHold =
    holdVersion === 1 &&
    [holdId, backupId, reason, createdAt, software].every((text) => typeof text === 'string') &&
    (until === null || (typeof until === 'string' && parseTime(until) !== null));
  return isHold ? ({ id: holdId, backupId, reason, createdAt, until, software } as Hold) : null;
}

function asFreeze({
  freezeVersion,
  freezeId,
  reason,
  createdAt,
  software,
}: Record<string, unknown>): Freeze | null {
  const isFreeze =
    freezeVersion === 1 && [freezeId, reason, createdAt, software].every((text) => typeof text === 'string');
  return isFreeze ? ({ id: freezeId, reason, createdAt, software } as Freeze) : null;
}
