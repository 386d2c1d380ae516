import type { ChangeBatch } from '../core/change-feed.ts';

/** How an archiver is doing: for people, metrics and tests. */
export interface ArchiveStatus {
  /** What it does now. `waiting`: for a store or vault that cannot be reached. */
  readonly state: 'starting' | 'capturing' | 'waiting' | 'stopped';
  /** The folder of the log that is written; null: none yet. */
  readonly log: string | null;
  /** Everything committed before this position is in the vault; null before the first file. */
  readonly position: bigint | null;
  /** Microseconds since 2000 by the store's clock: everything committed before then is in the vault. */
  readonly asOf: bigint | null;
  readonly events: number;
  readonly transactions: number;
  readonly files: number;
  readonly sizeBytes: number;
  /** From when the first thing of the last file came until the file was in the vault, in milliseconds. */
  readonly lagMs: number;
  /** Files that wait in the spool. */
  readonly spooledFiles: number;
  /** The store may soon throw away what is not archived yet. */
  readonly isScarce: boolean;
  /** Gaps that were marked by this run. */
  readonly gaps: number;
  /** The failure that is being waited out, in words. */
  readonly trouble: string | null;
}

export interface WrittenFile {
  readonly to: bigint;
  readonly events: number;
  readonly transactions: number;
  readonly sizeBytes: number;
}

/** What a run adds to its status. */
export interface ArchiveProgress {
  status(): ArchiveStatus;
  set(change: Partial<ArchiveStatus>): void;
  wrote(file: WrittenFile): void;
  reached(batch: ChangeBatch, lagMs: number): void;
}

export function makeProgress(onStatus: (status: ArchiveStatus) => void): ArchiveProgress {
  let status: ArchiveStatus = {
    ...{ state: 'starting', log: null, position: null, asOf: null, events: 0, transactions: 0, files: 0 },
    ...{ sizeBytes: 0, lagMs: 0, spooledFiles: 0, isScarce: false, gaps: 0, trouble: null },
  };
  const set = (change: Partial<ArchiveStatus>): void => {
    status = { ...status, ...change };
    onStatus(status);
  };
  return {
    status: () => status,
    set,
    wrote: ({ to, events, transactions, sizeBytes }) =>
      set({
        position: to,
        events: status.events + events,
        transactions: status.transactions + transactions,
        files: status.files + 1,
        sizeBytes: status.sizeBytes + sizeBytes,
      }),
    reached: ({ asOf }, lagMs) => set({ asOf, lagMs }),
  };
}
