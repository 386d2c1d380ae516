import { BackupError } from '../../core/errors.ts';

export function hasErrno(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** Runs `work`; an error of the file system becomes `store_refused`, with what was being done. */
export async function guarded<Result>(doing: string, work: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof BackupError || !(error instanceof Error && 'code' in error)) throw error;
    const isFull = hasErrno(error, 'ENOSPC', 'EDQUOT');
    throw new BackupError(
      'store_refused',
      `cannot ${doing}: ${isFull ? 'the disk is full' : error.message}`,
      {
        hint: isFull ? 'free space, then try again' : 'check the path and the rights on it',
        cause: error,
      },
    );
  }
}

export function unsupported(address: string, what: string, hint: string): BackupError {
  return new BackupError('store_unsupported', `${address}: ${what}`, { hint });
}
