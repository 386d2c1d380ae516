import { type FullBackupOptions, type FullBackupReport, takeFullBackup } from '../../backup/full.ts';
import type { EventStore } from '../../core/event-store.ts';
import type { Vault } from '../../core/vault.ts';
import type { ReadKeys } from '../../format/open-bundle.ts';
import { verifyBackup } from '../../integrity/verify/backup.ts';
import { beginStep, type CommandContext } from '../context.ts';
import type { Hands } from '../threads/hands.ts';
import { systemClock, systemWriters } from '../wire.ts';

export interface FullBackupWork {
  /** As it is to be opened in threads: it may hold a password. */
  readonly storeAddress: string;
  readonly store: EventStore;
  readonly vault: Vault;
  readonly keys: ReadKeys;
  readonly hands: Hands;
  /** Whether what was written is read back before it counts as a backup. */
  readonly verify: boolean;
}

/** A full backup, its steps told on the way. */
export function backUpFully(
  context: CommandContext,
  { storeAddress, store, vault, keys, hands, verify }: FullBackupWork,
  options: Omit<FullBackupOptions, 'parallel' | 'software' | 'onProgress' | 'onStep' | 'signal'>,
): Promise<FullBackupReport> {
  const { signal, progress, software } = context;
  const { parallel } = hands;
  const onProgress = progress.update;
  const checker = { vault, clock: systemClock, ...hands.files(vault) };
  return takeFullBackup(
    {
      ...{ store, vault, clock: systemClock, writers: systemWriters, keys },
      ...hands.ranges(storeAddress, vault),
      ...(verify
        ? {
            verify: (backup) => verifyBackup(checker, backup, { quick: false, parallel, onProgress, signal }),
          }
        : {}),
    },
    { ...options, parallel, software, onProgress, signal, onStep: (step) => beginStep(context, step) },
  );
}
