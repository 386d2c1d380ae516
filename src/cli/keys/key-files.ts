import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { BackupError } from '../../core/errors.ts';

export const IDENTITY_FILE = 'backup.age-key';
export const SIGN_KEY_FILE = 'backup.sign-key.pem';

/** Writes a secret where only its owner may read it. Never replaces a file: nothing else may open what was sealed for it. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: 'wx', mode: 0o600, flush: true });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw fileExists(path);
    throw new BackupError('usage', `cannot write ${path} (${code ?? 'unknown'})`, {
      hint: 'check the folder and its rights, or name another file with --to',
    });
  }
}

/** Throws `would_overwrite` when there is such a file. */
export function refuseExisting(...paths: readonly string[]): void {
  const found = paths.find((path) => existsSync(path));
  if (found !== undefined) throw fileExists(found);
}

function fileExists(path: string): BackupError {
  return new BackupError('would_overwrite', `${path} exists, and a key is never replaced`, {
    hint: 'name another file, or move this one to where it is kept: what was sealed for it opens with nothing else',
    facts: { path },
  });
}
