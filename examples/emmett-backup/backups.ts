import { randomUUID } from 'node:crypto';
import {
  type Chain,
  newestRestorePoint,
  openDirectoryVault,
  openPostgresStore,
  type RestoreReport,
  readCatalog,
  restoreBackup,
  takeFullBackup,
  takeIncrementalBackup,
  type VerifiedEntry,
  verifyBackup,
  verifyChains,
} from '../../src/index.ts'; // from 'eventcore-backup', outside of this repository

/** Backups inside an application: what its jobs call. */

const clock = { now: Date.now, uuid: randomUUID };
const FORMAT = { format: 'columns', compression: 'zstd', level: null, software: 'emmett-backup' } as const;
/** One reader: the application is at work meanwhile. */
const GENTLY = { parallel: 1, chunkBytes: 1 << 20 };

type Vault = ReturnType<typeof openDirectoryVault>;

/** Opens vault and store for as long as `work` takes. The store opens connections of its own: a backup holds one view for minutes. */
async function withBoth<Result>(
  address: string,
  folder: string,
  work: (store: ReturnType<typeof openPostgresStore>, vault: Vault) => Promise<Result>,
): Promise<Result> {
  const [store, vault] = [openPostgresStore(address), openDirectoryVault(folder)];
  try {
    return await work(store, vault);
  } finally {
    await Promise.all([store.close(), vault.close()]);
  }
}

/** The first backup is a full one, each later one has what was committed since. Gives how many events it holds. */
export function backUp(address: string, folder: string): Promise<number> {
  return withBoth(address, folder, async (store, vault) => {
    await vault.open({ create: true });
    const { backups } = await readCatalog(vault);
    const verify = { quick: false, parallel: 1 };
    if (backups.length > 0) {
      const outcome = await takeIncrementalBackup(
        {
          store,
          vault,
          clock,
          verify: (backup, before) => verifyBackup({ vault, clock }, backup, { ...verify, before }),
        },
        await newestChain(vault),
        { ...FORMAT, ...GENTLY },
      );
      if (outcome.kind === 'taken') return outcome.report.manifest.totalEvents;
    }
    const { manifest } = await takeFullBackup(
      { store, vault, clock, verify: (backup) => verifyBackup({ vault, clock }, backup, verify) },
      { ...FORMAT, ...GENTLY },
    );
    return manifest.totalEvents;
  });
}

/** Reads every byte of every backup, decodes every event, and proves that each backup follows from the one before. */
export function verifyAll(address: string, folder: string): Promise<readonly VerifiedEntry[]> {
  return withBoth(address, folder, async (_, vault) => {
    await vault.open({ create: false });
    const catalog = await readCatalog(vault);
    return verifyChains({ vault, clock }, catalog, catalog.backups, { quick: false, parallel: 1 });
  });
}

/** Restores the newest state into a database in which Emmett has made its tables, all of it or nothing. */
export function restoreInto(address: string, folder: string): Promise<RestoreReport> {
  return withBoth(address, folder, async (target, vault) => {
    await vault.open({ create: false });
    const options = { replace: false, checkpoints: 'keep', parallel: 1 } as const;
    return restoreBackup({ target, vault, clock }, await newestChain(vault), options);
  });
}

async function newestChain(vault: Vault): Promise<Chain> {
  return newestRestorePoint(await readCatalog(vault), vault.address).chain;
}
