import type { KeptFileJob } from '../../backup/kept-file.ts';
import type { RangeHooks, RangeJob, RangeResult } from '../../backup/range.ts';
import { closeTable } from '../../core/stream-table.ts';
import type { VerifyFileHooks, VerifyFileJob, VerifyFileResult } from '../../integrity/verify/file.ts';
import type { LoadHooks, LoadJob, LoadResult } from '../../recovery/load-chunks.ts';
import type { LoadPartJob } from '../../recovery/load-part.ts';
import type { CopyHooks, CopyJob, CopyResult } from '../../upkeep/copy-object.ts';
import { openStore, openVaultAt, type VaultPlace } from '../wire.ts';

/** What can run in a thread of its own. Inputs and results survive structured cloning. */
export interface ThreadJobs {
  range: { input: { store: string; vault: VaultPlace; token: string; job: RangeJob }; result: RangeResult };
  kept: { input: { vault: VaultPlace; job: KeptFileJob }; result: RangeResult };
  verify: { input: { vault: VaultPlace; job: VerifyFileJob }; result: VerifyFileResult };
  load: { input: { store: string; vault: VaultPlace; token: string; job: LoadJob }; result: LoadResult };
  copy: { input: { from: VaultPlace; to: VaultPlace; job: CopyJob }; result: CopyResult };
  part: { input: { store: string; vault: VaultPlace; token: string; job: LoadPartJob }; result: LoadResult };
}

export type ThreadJobKind = keyof ThreadJobs;

/** They are one shape. */
export type ThreadHooks = RangeHooks & VerifyFileHooks & LoadHooks & CopyHooks;

type JobTable = {
  readonly [Kind in ThreadJobKind]: (
    input: ThreadJobs[Kind]['input'],
    hooks: ThreadHooks,
  ) => Promise<ThreadJobs[Kind]['result']>;
};

/** Each loads what it needs itself: a thread starts with every job, and is wanted soon. */
export const threadJobs: JobTable = {
  async range(input, hooks) {
    const { backUpRanges } = await import('../../backup/range.ts');
    const store = await openStore(input.store);
    const vault = openVaultAt(input.vault, hooks.signal);
    try {
      await vault.open({ create: true });
      const reader = await store.joinSnapshot(input.token);
      const result = await backUpRanges({ reader, vault, compressIn: 'inline' }, input.job, hooks);
      closeTable(result.table);
      return result;
    } finally {
      await store.close();
      await vault.close();
    }
  },

  async kept(input, hooks) {
    const { readKeptFile } = await import('../../backup/kept-file.ts');
    const vault = openVaultAt(input.vault, hooks.signal);
    try {
      await vault.open({ create: false });
      const result = await readKeptFile(vault, input.job, hooks);
      closeTable(result.table);
      return result;
    } finally {
      await vault.close();
    }
  },

  async verify(input, hooks) {
    const { verifyFile } = await import('../../integrity/verify/file.ts');
    const vault = openVaultAt(input.vault, hooks.signal);
    try {
      await vault.open({ create: false });
      const result = await verifyFile(vault, input.job, hooks);
      closeTable(result.table);
      return result;
    } finally {
      await vault.close();
    }
  },

  async load(input, hooks) {
    const { loadChunks } = await import('../../recovery/load-chunks.ts');
    const store = await openStore(input.store);
    const vault = openVaultAt(input.vault, hooks.signal);
    try {
      await vault.open({ create: false });
      const writer = await store.joinRestore(input.token);
      return await loadChunks({ vault, writer }, input.job, hooks);
    } finally {
      await store.close();
      await vault.close();
    }
  },

  async copy(input, hooks) {
    const { copyObject } = await import('../../upkeep/copy-object.ts');
    const [from, to] = [openVaultAt(input.from, hooks.signal), openVaultAt(input.to, hooks.signal)];
    try {
      for (const vault of [from, to]) await vault.open({ create: false });
      return await copyObject(from, to, input.job, hooks);
    } finally {
      for (const vault of [from, to]) await vault.close();
    }
  },

  async part(input, hooks) {
    const { loadPart } = await import('../../recovery/load-part.ts');
    const store = await openStore(input.store);
    const vault = openVaultAt(input.vault, hooks.signal);
    try {
      await vault.open({ create: false });
      return await loadPart({ vault, store }, input.token, input.job, hooks);
    } finally {
      await store.close();
      await vault.close();
    }
  },
};

export const THREAD_JOB_KINDS = Object.keys(threadJobs) as readonly ThreadJobKind[];

/** Loads what a job of this kind will need, and the driver of its store if it has one; connects to nothing. */
export async function prepareJob(kind: ThreadJobKind, storeAddress: string | null): Promise<void> {
  if (kind === 'range') await import('../../backup/range.ts');
  if (kind === 'verify') await import('../../integrity/verify/file.ts');
  if (kind === 'load') await import('../../recovery/load-chunks.ts');
  if (kind === 'copy') await import('../../upkeep/copy-object.ts');
  if (kind === 'part') await import('../../recovery/load-part.ts');
  if (storeAddress !== null) await (await openStore(storeAddress)).close();
}
