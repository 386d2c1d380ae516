/** Backs up a SQLite store into a directory and restores it into another file: `node examples/backup-and-restore.ts`. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  digestStore,
  newestRestorePoint,
  openDirectoryVault,
  openSqliteStore,
  readCatalog,
  restoreBackup,
  takeFullBackup,
  verifyBackup,
} from '../src/index.ts'; // from 'eventcore-backup', outside of this repository

const folder = await mkdtemp(join(tmpdir(), 'eventcore-example-'));
const clock = { now: Date.now, uuid: randomUUID };

const store = openSqliteStore(`sqlite:${join(folder, 'shop.db')}`);
await store.initialise();
await store.append([
  { streamId: 'order-1', expectedVersion: 0n, events: [{ type: 'OrderPlaced', data: '{"total":"19.90"}' }] },
  { streamId: 'stock-7', events: [{ type: 'StockReserved', data: '{"pieces":2}' }] },
]);

const vault = openDirectoryVault(join(folder, 'backups'));
const { manifest } = await takeFullBackup(
  {
    store,
    vault,
    clock,
    verify: (written) => verifyBackup({ vault, clock }, written, { quick: false, parallel: 1 }),
  },
  {
    ...{ format: 'columns', compression: 'zstd', level: null, parallel: 1, chunkBytes: 1 << 20 },
    software: 'example',
  },
);
console.log(`backed up ${manifest.totalEvents} events in ${manifest.totalStreams} streams`);

const target = openSqliteStore(`sqlite:${join(folder, 'restored.db')}`);
const { chain } = newestRestorePoint(await readCatalog(vault), vault.address);
await restoreBackup({ target, vault, clock }, chain, { replace: false, checkpoints: 'keep', parallel: 1 });

const [before, after] = [await digestStore(store), await digestStore(target)];
console.log(before.digest === after.digest ? 'restored, equal in every column' : 'restored, but different');

await Promise.all([store.close(), target.close(), vault.close()]);
await rm(folder, { recursive: true });
