import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { BackupError } from '../../core/errors.ts';

export interface NamedText {
  readonly name: string;
  readonly text: string;
}

/** Files of these names that are there already. */
export function filesThere(folder: string, files: readonly NamedText[]): string[] {
  return files.map(({ name }) => name).filter((name) => existsSync(join(folder, name)));
}

/** Throws `would_overwrite`. */
export function refuseThere(folder: string, there: readonly string[]): void {
  if (there.length === 0) return;
  throw new BackupError('would_overwrite', `${folder} has ${there.join(', ')} already`, {
    hint: 'name another folder with --to, or pass --force to overwrite them (try it with --dry-run first)',
    facts: { flag: '--force' },
  });
}

/**
 * All of them, in their order, or nothing: they are written beside the folder, which then gets its name, or, where it is there, gets them one by one,
 * each of them whole. If it dies in between, a folder `.NAME-…` is left beside it. Throws `usage` for a folder that cannot be written.
 */
export async function writeFiles(folder: string, files: readonly NamedText[]): Promise<void> {
  try {
    await mkdir(dirname(folder), { recursive: true });
    const staged = await mkdtemp(join(dirname(folder), `.${basename(folder)}-`));
    try {
      await stage(staged, files);
      await publish(staged, folder, files);
    } finally {
      await rm(staged, { recursive: true, force: true });
    }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new BackupError('usage', `cannot write into ${folder} (${code ?? 'unknown'})`, {
      hint: 'check the folder and its rights, or name another one with --to',
      cause,
    });
  }
}

async function stage(folder: string, files: readonly NamedText[]): Promise<void> {
  for (const { name, text } of files) await writeFile(join(folder, name), text, { flush: true });
}

async function publish(staged: string, folder: string, files: readonly NamedText[]): Promise<void> {
  if (existsSync(folder)) {
    for (const { name } of files) await rename(join(staged, name), join(folder, name));
  } else {
    // A folder that was made for one user alone would be surprising here.
    const handle = await open(staged, 'r');
    await handle.chmod(0o777 & ~process.umask()).finally(() => handle.close());
    await rename(staged, folder);
  }
}
