import { BackupError, isBackupError } from '../core/errors.ts';
import type { ObjectInfo, Vault } from '../core/vault.ts';
import { LOG_PREFIX } from '../format/log-name.ts';
import { copyBetween } from './copy-between.ts';
import { type LogSink, vaultSink } from './sink.ts';
import type { ArchiveProgress } from './status.ts';

/** Log files that wait, in order, until the vault takes them. */
export interface Spool extends LogSink {
  readonly vault: Vault;
  /** Moves what waits into the vault. What the vault does not take stays, and is tried again later. */
  drain(): Promise<void>;
}

export interface SpoolOptions {
  readonly vault: Vault;
  readonly limitBytes: number;
}

/** How long a vault that failed is left alone. */
const RETRY_MS = 5_000;

/**
 * Writes to the vault, and aside while the vault fails. A log is in order at any time: as long as a file waits, all that come
 * after it wait behind it. When the spool is full, the failure of the vault is that of the write. A mark of quiet is left out
 * rather than put aside, and moves what waits in a store that is at rest.
 */
export function spoolingSink(
  vault: Vault,
  { vault: aside, limitBytes }: SpoolOptions,
  progress: ArchiveProgress,
): Spool {
  const direct = vaultSink(vault);
  const spooled = vaultSink(aside);
  let waiting: ObjectInfo[] = [];
  let failedAtMs = Number.NEGATIVE_INFINITY;

  const drain = async (): Promise<void> => {
    await aside.open({ create: true });
    waiting = await listed(aside);
    try {
      while (waiting.length > 0) {
        await moveOver(aside, vault, waiting[0]!.name);
        waiting.shift();
      }
    } catch (error) {
      if (!isOutage(error)) throw error;
      failedAtMs = performance.now();
    } finally {
      progress.set({ spooledFiles: waiting.length });
    }
  };

  const noteOutage = (error: unknown): void => {
    if (!isOutage(error)) throw error;
    failedAtMs = performance.now();
    progress.set({ trouble: error.message });
  };

  const putAside = async <Result>(
    write: (sink: LogSink) => Promise<Result>,
    sizeBytes: number,
  ): Promise<Result> => {
    if (waiting.length > 0 && performance.now() - failedAtMs > RETRY_MS) await drain();
    if (waiting.length === 0) {
      try {
        return await write(direct);
      } catch (error) {
        if (sizeBytes > limitBytes) throw error;
        noteOutage(error);
      }
    }
    const spooledBytes = waiting.reduce((sum, object) => sum + object.sizeBytes, 0);
    if (spooledBytes + sizeBytes > limitBytes) throw outOfRoom(aside, spooledBytes);
    const result = await write(spooled);
    waiting = await listed(aside);
    progress.set({ spooledFiles: waiting.length });
    return result;
  };

  return {
    vault: aside,
    drain,
    write: (piece) => putAside((sink) => sink.write(piece), piece.sizeBytes),
    markQuiet: async (folder, block) => {
      if (performance.now() - failedAtMs <= RETRY_MS) return;
      if (waiting.length > 0) await drain();
      if (waiting.length === 0) await direct.markQuiet(folder, block).catch(noteOutage);
    },
    // Its size is not known beforehand: it may only go where there is room for all.
    openLong: async (folder, from, to) => {
      await drain();
      if (waiting.length > 0) throw stillWaiting(aside, waiting.length);
      return direct.openLong(folder, from, to);
    },
  };
}

/** Nothing may overtake what waits: the log would have a hole until that is moved. */
function outOfRoom({ address }: Vault, spooledBytes: number): BackupError {
  return new BackupError(
    'vault_unreachable',
    `${address} is full, and the vault does not take what waits there`,
    {
      hint: 'see why the vault cannot be written; meanwhile the store keeps what comes',
      facts: { spooledBytes },
    },
  );
}

function stillWaiting({ address }: Vault, files: number): BackupError {
  return new BackupError(
    'vault_unreachable',
    `the vault does not take the ${files} files that wait in ${address}`,
    {
      hint: 'a transaction that is larger than the spool may be goes into the vault itself',
    },
  );
}

async function listed(vault: Vault): Promise<ObjectInfo[]> {
  const objects: ObjectInfo[] = [];
  for await (const object of vault.list(LOG_PREFIX)) objects.push(object);
  return objects;
}

/** What may pass: the vault is away, full, or refuses. */
function isOutage(error: unknown): error is BackupError {
  return isBackupError(error, 'vault_unreachable', 'vault_full', 'vault_refused');
}

/** A move that died behind its first half left the object in both. */
async function moveOver(from: Vault, to: Vault, name: string): Promise<void> {
  if ((await to.stat(name)) === null) await copyBetween(from, to, name);
  await from.removeObject(name);
}
