import type { Stats } from 'node:fs';
import { link, open, rename, stat, unlink } from 'node:fs/promises';
import { BackupError } from '../../core/errors.ts';
import type { Output } from '../output.ts';

/** Where exported events go. */
export interface ExportSink {
  /** False when nobody reads any more: the export may end. */
  write(part: Uint8Array): Promise<boolean>;
  commit(): Promise<void>;
  /** Leaves no file. Safe after `commit`. */
  abort(): Promise<void>;
}

export function openExportStream(output: Output): ExportSink {
  return { write: (part) => output.write(part), commit: async () => {}, abort: async () => {} };
}

/** A file holds the whole history of a store: its owner's alone. */
const FILE_MODE = 0o600;

/**
 * Writes beside the file and gives it its name when all of it is on the disk; killed before that, a file that
 * ends in `.unfinished` is left. Only a regular file is ever replaced. Throws `would_overwrite`, and `usage` for a path
 * that cannot be written.
 */
export async function openExportFile(path: string, overwrite: boolean): Promise<ExportSink> {
  const found = await statIfThere(path);
  if (found !== null && !found.isFile()) throw unwritable(path, 'it is no regular file');
  if (found !== null && !overwrite) throw wouldOverwrite(path);
  const temporary = `${path}.${process.pid}.unfinished`;
  const handle = await orUnwritable(path, () => open(temporary, 'wx', FILE_MODE));
  let isOpen = true;
  const close = async (): Promise<void> => {
    if (isOpen) await handle.close();
    isOpen = false;
  };
  return {
    write: (part) =>
      orUnwritable(path, async () => {
        await handle.writeFile(part);
        return true;
      }),
    commit: () =>
      orUnwritable(path, async () => {
        await handle.sync();
        await close();
        if (overwrite) await rename(temporary, path);
        else await publish(temporary, path);
      }),
    abort: async () => {
      await close();
      await unlink(temporary).catch(ignoreMissing);
    },
  };
}

/** A hard link never takes the place of a file that has come meanwhile; where there are none, a rename has to do. */
async function publish(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw wouldOverwrite(path);
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP') throw cause;
    return rename(temporary, path);
  }
  await unlink(temporary);
}

async function statIfThere(path: string): Promise<Stats | null> {
  try {
    return await stat(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw toUnwritable(path, cause);
  }
}

async function orUnwritable<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    throw cause instanceof BackupError ? cause : toUnwritable(path, cause);
  }
}

function toUnwritable(path: string, cause: unknown): BackupError {
  return unwritable(path, (cause as NodeJS.ErrnoException).code ?? 'unknown failure', cause);
}

function unwritable(path: string, reason: string, cause?: unknown): BackupError {
  return new BackupError('usage', `cannot write ${path}: ${reason}`, {
    hint: 'nothing was left there; check the path, its rights and the free space',
    ...(cause === undefined ? {} : { cause }),
  });
}

function wouldOverwrite(path: string): BackupError {
  return new BackupError('would_overwrite', `${path} exists`, {
    hint: 'choose another name, or pass --force to overwrite it',
    facts: { flag: '--force' },
  });
}

function ignoreMissing(cause: unknown): void {
  if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
}
