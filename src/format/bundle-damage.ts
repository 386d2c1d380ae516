import { BackupError, isBackupError } from '../core/errors.ts';

/** Runs what reads a bundle: damage that it finds says which bundle it is in, as the files of all have the same names. */
export async function naming<Result>(folder: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    if (!isBackupError(cause, 'damaged') || cause.message.includes(folder)) throw cause;
    const { message, hint, facts } = cause;
    throw new BackupError('damaged', `${message} (in ${folder})`, {
      ...(hint === null ? {} : { hint }),
      facts: { ...facts, folder },
      cause,
    });
  }
}
