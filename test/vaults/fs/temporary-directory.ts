import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export async function makeTemporaryDirectory(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'eventcore-vault-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Runs `body` with a new directory, and removes it after. */
export async function withTemporaryDirectory<T>(body: (path: string) => Promise<T>): Promise<T> {
  const { path, remove } = await makeTemporaryDirectory();
  try {
    return await body(path);
  } finally {
    await remove();
  }
}
