import { randomUUID } from 'node:crypto';
import { type Dirent, utimesSync } from 'node:fs';
import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { drillFolderName, drillFolderOwner } from '../core/drill-target.ts';
import { BackupError } from '../core/errors.ts';
import type { Writers } from '../core/writers.ts';

/** Folders of drills, side by side in one folder that exists, each with the name of the process that made it. */

/** A process of another machine or container, or of before a restart, is told by this: it touches its folder, unless SQLite keeps it busy. */
const HEARTBEAT_MS = 30_000;
const SILENT_MS = 24 * 3_600_000;

export interface DrillFolder {
  readonly path: string;
  /** It stays, and no sweep takes it. Gives its new path. */
  keep(): Promise<string>;
  /** Safe to repeat. */
  remove(): Promise<void>;
}

export async function makeDrillFolder(parent: string, { self }: Writers): Promise<DrillFolder> {
  const path = join(parent, drillFolderName(self, randomUUID()));
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (cause) {
    throw refused(parent, cause);
  }
  const beat = setInterval(() => touch(path), HEARTBEAT_MS);
  beat.unref();
  let isKept = false;
  return {
    path,
    keep: async () => {
      clearInterval(beat);
      isKept = true;
      const kept = join(dirname(path), basename(path).replace('eventcore-drill-', 'eventcore-kept-drill-'));
      await rename(path, kept);
      return kept;
    },
    remove: async () => {
      clearInterval(beat);
      if (!isKept) await removeTree(path);
    },
  };
}

function touch(path: string): void {
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    // Somebody removed it: whoever uses it will find out.
  }
}

/** What a program that is just ending still writes there may come while it is removed. */
async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

/**
 * Removes the folders of drills whose processes are dead. `before` ends what still runs in one. What belongs to another user, or cannot be
 * told, stays.
 */
export async function removeDeadFolders(
  parent: string,
  { stateOf }: Writers,
  before: (path: string) => Promise<void> = async () => {},
): Promise<string[]> {
  const removed: string[] = [];
  for (const entry of await listFolder(parent)) {
    const owner = drillFolderOwner(entry.name);
    if (owner === null || !entry.isDirectory()) continue;
    const path = join(parent, entry.name);
    const state = stateOf(owner);
    if (state === 'alive' || (state === 'unknown' && !(await isSilent(path)))) continue;
    try {
      await before(path);
      await removeTree(path);
      removed.push(`the folder ${path}`);
    } catch {
      // Another user's, or another run was quicker.
    }
  }
  return removed;
}

async function listFolder(parent: string): Promise<Dirent[]> {
  try {
    return await readdir(parent, { withFileTypes: true });
  } catch (cause) {
    throw refused(parent, cause);
  }
}

async function isSilent(path: string): Promise<boolean> {
  try {
    return Date.now() - (await lstat(path)).mtimeMs > SILENT_MS;
  } catch {
    return false;
  }
}

function refused(folder: string, cause: unknown): BackupError {
  const { code } = cause as NodeJS.ErrnoException;
  return new BackupError('store_refused', `${folder} cannot be used for drills (${code ?? 'unknown'})`, {
    hint: 'name a folder that exists and may be written: drill.target, or --target sqlite:FOLDER',
    cause,
  });
}
