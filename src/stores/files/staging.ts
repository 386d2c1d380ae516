import fs from 'node:fs/promises';
import path from 'node:path';
import { BackupError } from '../../core/errors.ts';
import type { FilesConfig } from './config.ts';
import { exists, listFolder, moveDurably, syncFolder } from './durable.ts';
import { EVENTS, LOCAL, REPLACED } from './paths.ts';

/**
 * A restore puts all it makes into a folder of its own inside `.eventcore/`, which is on the same file system and which neither Git nor
 * EventCore looks into. Publishing moves what is there before out of the way, into the same folder, and last `events/` in: with that
 * one rename the restore is done. A folder that still has `new/events` is of one that is not; what it moved is put back.
 */
const PREFIX = 'restore-';

export interface Staging {
  readonly folder: string;
  /** What is to be published, as it is to lie below the root. */
  readonly fresh: string;
  /** What was moved out of the way, likewise. */
  readonly old: string;
}

export function stagingOf({ root }: FilesConfig, attemptId: string): Staging {
  const folder = path.join(root, LOCAL, `${PREFIX}${attemptId}`);
  return { folder, fresh: path.join(folder, 'new'), old: path.join(folder, 'old') };
}

export async function makeStaging(staging: Staging): Promise<void> {
  await fs.mkdir(path.join(staging.fresh, EVENTS), { recursive: true });
}

/** What killed restores left. */
export async function findStagings(config: FilesConfig): Promise<Staging[]> {
  const names = await listFolder(path.join(config.root, LOCAL));
  return names
    .filter((name) => name.startsWith(PREFIX))
    .map((name) => stagingOf(config, name.slice(PREFIX.length)));
}

/** A restore that has moved the events out of the way and was killed before others were in their place. */
export async function halfDone(config: FilesConfig): Promise<Staging | null> {
  for (const staging of await findStagings(config)) {
    if (await exists(path.join(staging.old, EVENTS))) return staging;
  }
  return null;
}

/**
 * The steps that publish, each of which may be the last one that is done. Before the last one, `settle` brings everything back as it
 * was; after it, what is left to do is to throw away what was there before.
 */
export async function publishSteps(
  { root }: FilesConfig,
  staging: Staging,
): Promise<(() => Promise<void>)[]> {
  const steps: (() => Promise<void>)[] = [];
  const move = (from: string, to: string): void => {
    steps.push(() => moveDurably(from, to));
  };
  const isEmpty = (await listFolder(path.join(root, EVENTS))).length === 0;
  for (const name of REPLACED) {
    // A rename takes the place of an empty folder at once: nobody finds the store without its events.
    if (name === EVENTS && isEmpty) continue;
    if (await exists(path.join(root, name))) move(path.join(root, name), path.join(staging.old, name));
  }
  for (const name of REPLACED) {
    const isMade = name !== EVENTS && (await exists(path.join(staging.fresh, name)));
    if (isMade) move(path.join(staging.fresh, name), path.join(root, name));
  }
  move(path.join(staging.fresh, EVENTS), path.join(root, EVENTS));
  steps.push(() => removeStaging(staging));
  return steps;
}

export async function removeStaging({ folder }: Staging): Promise<void> {
  await fs.rm(folder, { recursive: true, force: true });
  await syncFolder(path.dirname(folder));
}

/** Undoes what a killed restore had begun, and throws away what it had made. The store must be locked. Gives what was left, in words. */
export async function settle(config: FilesConfig): Promise<string[]> {
  const settled: string[] = [];
  for (const staging of await findStagings(config)) {
    const isPublished = !(await exists(path.join(staging.fresh, EVENTS)));
    const moved = isPublished ? [] : await putBack(config, staging);
    await removeStaging(staging);
    const what = moved.length === 0 ? '' : `, which had moved ${moved.join(' and ')} out of the way`;
    settled.push(`${staging.folder} of a killed restore${what}`);
  }
  return settled;
}

async function putBack({ root, address }: FilesConfig, { old }: Staging): Promise<string[]> {
  const moved: string[] = [];
  for (const name of REPLACED) if (await exists(path.join(old, name))) moved.push(name);
  if (moved.includes(EVENTS) && (await listFolder(path.join(root, EVENTS))).length > 0) {
    throw new BackupError('store_refused', `${address} was written to after a restore into it was killed`, {
      hint: `what was there before lies in ${old}: decide which of the two stays, and move the other away`,
    });
  }
  // The events last: as long as they are not back, this is begun again.
  for (const name of moved.toReversed()) {
    await fs.rm(path.join(root, name), { recursive: true, force: true });
    await moveDurably(path.join(old, name), path.join(root, name));
  }
  return moved;
}
