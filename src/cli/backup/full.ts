import { type FullBackupOptions, type FullBackupReport, takeFullBackup } from '../../backup/full.ts';
import type { EventStore } from '../../core/event-store.ts';
import type { Vault } from '../../core/vault.ts';
import type { ReadKeys } from '../../format/open-bundle.ts';
import { verifyBackup } from '../../integrity/verify/backup.ts';
import { beginStep, type CommandContext } from '../context.ts';
import { fileRunner, rangeRunner } from '../threads/parallel-work.ts';
import { systemClock, systemWriters } from '../wire.ts';

export interface FullBackupWork {
  /** As it is to be opened in threads: it may hold a password. */
  readonly storeAddress: string;
  readonly store: EventStore;
  readonly vault: Vault;
  readonly keys: ReadKeys;
  /** Whether what was written is read back before it counts as a backup. */
  readonly verify: boolean;
}

/** A full backup in threads of this process, its steps told on the way. */
export function backUpFully(
  context: CommandContext,
  { storeAddress, store, vault, keys, verify }: FullBackupWork,
  options: Omit<FullBackupOptions, 'software' | 'onProgress' | 'onStep' | 'signal'>,
): Promise<FullBackupReport> {
  const { signal, progress, software } = context;
  const { parallel } = options;
  const onProgress = progress.update;
  const checker = { vault, clock: systemClock, ...fileRunner(vault, parallel) };
  return takeFullBackup(
    {
      ...{ store, vault, clock: systemClock, writers: systemWriters, keys },
      ...rangeRunner(storeAddress, vault, parallel),
      ...(verify
        ? {
            verify: (backup) => verifyBackup(checker, backup, { quick: false, parallel, onProgress, signal }),
          }
        : {}),
    },
    { ...options, software, onProgress, signal, onStep: (step) => beginStep(context, step) },
  );
}
