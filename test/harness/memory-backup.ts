import { randomUUID } from 'node:crypto';
import { type FullBackupOptions, takeFullBackup } from '../../src/backup/full.ts';
import type { Clock } from '../../src/core/clock.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { BackupVerification } from '../../src/core/report.ts';
import type { Vault } from '../../src/core/vault.ts';
import type { WriteKeys } from '../../src/format/bundle-seal.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { writeObject } from '../../src/format/data-file-writer.ts';
import type { ReadKeys } from '../../src/format/open-bundle.ts';
import { manifestProblem } from '../../src/integrity/verify/backup.ts';
import { verifyChains } from '../../src/integrity/verify/chains.ts';
import { makeBatch, type TestEvent } from '../../src/testing/batches.ts';

export const testClock: Clock = { now: Date.now, uuid: randomUUID };

export const backupDefaults: FullBackupOptions = {
  format: 'columns',
  compression: 'zstd',
  level: null,
  parallel: 2,
  chunkBytes: 2 << 20,
  software: 'test',
};

export function backUp(
  store: EventStore,
  vault: Vault,
  options: Partial<FullBackupOptions> = {},
  keys?: WriteKeys,
  clock = testClock,
) {
  return takeFullBackup({ store, vault, clock, keys }, { ...backupDefaults, ...options });
}

/** Checks everything that is in a vault. */
export async function verifyAll(vault: Vault, quick = false, keys?: ReadKeys): Promise<BackupVerification[]> {
  const catalog = await readCatalog(vault);
  const results = catalog.damaged.map((entry) =>
    manifestProblem(testClock, entry.backupId, entry.code, entry.message),
  );
  const ports = { vault, clock: testClock };
  const options = { quick, parallel: 2, keys, trust: keys?.trust };
  const checked = await verifyChains(ports, catalog, catalog.backups, options);
  return [...results, ...checked.map(({ verification }) => verification)];
}

export async function objectNames(vault: Vault): Promise<string[]> {
  const names: string[] = [];
  for await (const object of vault.list('backups/')) names.push(object.name);
  return names;
}

export async function readObject(vault: Vault, name: string): Promise<Buffer> {
  const info = await vault.stat(name);
  return Buffer.from(await vault.readRange(name, 0, info!.sizeBytes));
}

/** What damage does and no command of ours can: changes an object in place. */
export async function overwrite(vault: Vault, name: string, bytes: Uint8Array): Promise<void> {
  await vault.removeObject(name);
  await writeObject(vault, name, bytes);
}

/** Puts exactly these events into a store, whatever it held. */
export async function fill(store: EventStore, events: readonly TestEvent[]): Promise<void> {
  const session = await store.openRestore({ attemptId: testClock.uuid(), replace: true });
  const writer = await session.openWriter();
  await writer.write(makeBatch(events));
  await writer.end();
  await session.finishLoad();
  await session.publish();
}
