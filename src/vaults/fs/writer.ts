import { type FileHandle, lstat, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupError } from '../../core/errors.ts';
import { makeInTurn } from '../../core/in-turn.ts';
import type { ObjectWriter } from '../../core/vault.ts';
import { makeDirectories, type Root, removeEmptyDirectories, syncDirectories } from './directories.ts';
import { hasErrno, toVaultError, toWriteError } from './errors.ts';
import { alreadyExists, publishFile } from './publish.ts';
import { makeUnfinishedName } from './unfinished.ts';

/** Small writes are gathered up to this size. */
const BUFFER_BYTES = 256 * 1024;
/** How often a directory that another writer's clean-up removed is created again. */
export const OPEN_ATTEMPTS = 20;
const FILE_MODE = 0o600;

interface Unfinished {
  readonly root: Root;
  readonly name: string;
  readonly directory: string;
  readonly temporary: string;
  /** Where the object will be. */
  readonly path: string;
  readonly handle: FileHandle;
  buffer: Uint8Array | null;
  bufferedBytes: number;
  writtenBytes: number;
  state: 'open' | 'committed' | 'gone';
  /** Why a write failed; every later call but `abort` meets it again. */
  failure: unknown;
}

/**
 * Starts an object in a file with a name that no listing shows. If this process dies before `commit`, that
 * file is a leftover. Throws `vault_object_exists` when the name is taken.
 */
export async function createWriter(root: Root, name: string): Promise<ObjectWriter> {
  const file = await openUnfinished(root, name);
  // So that an abort never meets a write half-way.
  const inTurn = makeInTurn();
  return {
    write: (bytes) => inTurn(() => orGiveUp(file, () => take(file, bytes))),
    commit: () => inTurn(() => orGiveUp(file, () => commit(file))),
    abort: () => inTurn(() => discard(file)),
  };
}

async function openUnfinished(root: Root, name: string): Promise<Unfinished> {
  const segments = name.split('/');
  const target = segments.pop()!;
  try {
    const { directory, temporary, handle } = await openTemporary(root, segments, target);
    const path = join(directory, target);
    const file: Unfinished = {
      ...{ root, name, directory, temporary, path, handle },
      ...{ buffer: null, bufferedBytes: 0, writtenBytes: 0, state: 'open', failure: null },
    };
    await orGiveUp(file, () => assertFree(path));
    return file;
  } catch (error) {
    throw toVaultError(error, `create "${join(root.path, name)}"`);
  }
}

async function openTemporary(root: Root, segments: readonly string[], target: string) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const directory = await makeDirectories(root, segments);
      const temporary = join(directory, makeUnfinishedName(target));
      return { directory, temporary, handle: await open(temporary, 'wx', FILE_MODE) };
    } catch (error) {
      if (attempt === OPEN_ATTEMPTS || !hasErrno(error, 'ENOENT')) throw error;
    }
  }
}

export async function assertFree(path: string): Promise<void> {
  try {
    const found = await lstat(path);
    if (!found.isDirectory()) throw alreadyExists(path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return;
    throw error;
  }
  throw new BackupError('vault_refused', `"${path}" is a directory`, {
    hint: 'in a directory vault no object can have the name that other names begin with',
  });
}

/** Runs a step of an open file; when it fails, nothing of the file stays, whether or not the caller aborts. */
async function orGiveUp(file: Unfinished, step: () => Promise<void>): Promise<void> {
  if (file.failure !== null) throw file.failure;
  if (file.state !== 'open') throw new BackupError('internal', `object "${file.name}" is already finished`);
  try {
    await step();
  } catch (error) {
    file.failure = await toWriteError(error, `write "${file.path}"`, file.directory, file.writtenBytes);
    await discard(file).catch(() => {}); // The first failure is the one to report.
    throw file.failure;
  }
}

async function take(file: Unfinished, bytes: Uint8Array): Promise<void> {
  if (file.bufferedBytes + bytes.length > BUFFER_BYTES) await flush(file);
  if (bytes.length >= BUFFER_BYTES) return writeAll(file, bytes);
  file.buffer ??= new Uint8Array(BUFFER_BYTES);
  file.buffer.set(bytes, file.bufferedBytes);
  file.bufferedBytes += bytes.length;
}

async function flush(file: Unfinished): Promise<void> {
  if (file.buffer === null) return;
  const bytes = file.buffer.subarray(0, file.bufferedBytes);
  file.bufferedBytes = 0;
  await writeAll(file, bytes);
}

/** write(2) may take less than it was given, the last bytes before a full disk among others. */
async function writeAll(file: Unfinished, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.handle.write(bytes, done, bytes.length - done);
    if (bytesWritten === 0) throw new BackupError('vault_unreachable', `"${file.path}" takes no more bytes`);
    done += bytesWritten;
    file.writtenBytes += bytesWritten;
  }
}

/**
 * The content is durable before it has a name, and the name is durable before this returns. Killed between
 * the two, the object is there and whole, and the temporary name is a leftover.
 */
async function commit(file: Unfinished): Promise<void> {
  await flush(file);
  await file.handle.sync();
  await file.handle.close();
  await publishFile(file.temporary, file.path);
  try {
    await unlinkIfThere(file.temporary);
    await syncDirectories(file.root.path, file.directory);
  } catch (error) {
    await unlink(file.path).catch(() => {}); // The disk fails: all that can be done is to try.
    throw error;
  }
  file.state = 'committed';
}

async function discard(file: Unfinished): Promise<void> {
  if (file.state !== 'open') return;
  file.state = 'gone';
  file.buffer = null;
  try {
    await file.handle.close();
  } finally {
    await unlinkIfThere(file.temporary);
    await removeEmptyDirectories(file.root, file.directory);
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw toVaultError(error, `remove "${path}"`);
  }
}
