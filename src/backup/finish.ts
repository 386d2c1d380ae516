import { BackupError, type ErrorCode, isBackupError, throwIfAborted } from '../core/errors.ts';
import type { FactLimits } from '../core/event-facts.ts';
import type { StoreDescription, StoreSnapshot } from '../core/event-store.ts';
import type { ManifestFile } from '../core/manifest.ts';
import { releaseTable } from '../core/stream-table.ts';
import { timeFromUnixMs } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import { attemptName } from '../format/attempt-codec.ts';
import { MANIFEST_NAME } from '../format/bundle.ts';
import { type BundleSeal, keysOf } from '../format/bundle-seal.ts';
import { writeObject } from '../format/data-file-writer.ts';
import { writeCompanionsFile, writeHeads } from '../format/line-files.ts';
import { encodeManifest } from '../format/manifest-codec.ts';
import { sealManifest } from '../format/manifest-seal.ts';
import { lookAgain, planRest } from './attempts.ts';
import { notSound, removeAttempt } from './failures.ts';
import type { FullBackupOptions, FullBackupPorts, FullBackupReport, WrittenFiles } from './full.ts';
import type { Gathered } from './gather.ts';
import { composeManifest } from './manifest.ts';

const DAY_MS = 86_400_000;

export function limitsAt(startedAtMs: number, { versionBase }: StoreDescription): FactLimits {
  return { versionBase, futureAfter: timeFromUnixMs(startedAtMs + DAY_MS) };
}

/** Where a full backup goes and what it is of. */
export interface Target {
  readonly folder: string;
  readonly backupId: string;
  readonly source: StoreDescription;
  /** Null: not sealed. */
  readonly seal: BundleSeal | null;
}

/** Writes what is not events, and lets the view of the store go. */
export async function writeRest(
  { vault }: FullBackupPorts,
  options: FullBackupOptions,
  { folder, seal }: Pick<Target, 'folder' | 'seal'>,
  snapshot: StoreSnapshot,
  { files: eventFiles, facts, table, stages }: Gathered,
): Promise<Omit<WrittenFiles, 'startedAtMs'>> {
  const companions = await writeCompanionsFile(
    vault,
    folder,
    { ...options, seal },
    snapshot.readCompanions(),
  );
  const cursor = await snapshot.settledCursor();
  // From here on the store is not needed: a long-lived snapshot would hold back its vacuum.
  await snapshot.close();
  const heads = await writeHeads(vault, folder, { ...options, seal }, table);
  const files = [...eventFiles, ...heads.files, companions].filter((file) => file !== null);
  return { files, facts, table, stages, headsDigest: heads.digest, cursor };
}

/** Checks what was written and makes it a backup. `runs`: how many attempts are in the folder. */
export async function finish(
  ports: FullBackupPorts,
  options: FullBackupOptions,
  { folder, backupId, source, seal }: Target,
  written: WrittenFiles,
  runs: number,
): Promise<Pick<FullBackupReport, 'manifest' | 'folder' | 'verification' | 'stages'>> {
  const { vault, clock } = ports;
  const about = { source, backupId, finishedAtMs: clock.now(), options };
  const manifest = sealManifest(composeManifest({ ...written, ...about }), seal, ports.keys?.signer ?? null);
  releaseTable(written.table);
  options.onStep?.('verifying');
  const verification = (await ports.verify?.({ manifest, folder, keys: keysOf(seal) })) ?? null;
  if (verification !== null && !verification.overallValid) throw notSound(verification, vault.address);
  if (ports.readsHere === false) await removeStrays(vault, folder, manifest.files);
  throwIfAborted(options.signal);
  // The first goes first: without it the others count for nothing, so that a backup is either an attempt or whole.
  for (let run = 1; run <= runs; run += 1) await vault.removeObject(folder + attemptName(run));
  await writeObject(vault, folder + MANIFEST_NAME, encodeManifest(manifest));
  return { manifest, folder, verification, stages: written.stages };
}

/**
 * Event files that somebody wrote whose work was done again by another. One who is not dead but slow may still write one behind this:
 * it is in no manifest, and goes with the backup.
 */
async function removeStrays(vault: Vault, folder: string, files: readonly ManifestFile[]): Promise<void> {
  const known = new Set(files.flatMap(({ name, index }) => [name, index.name]));
  const strays: string[] = [];
  for await (const { name } of vault.list(`${folder}events-`)) {
    if (!known.has(name.slice(folder.length))) strays.push(name);
  }
  for (const name of strays) await vault.removeObject(name);
}

/** `queue_refused`: somebody took jobs out of the queue, or each worker that had one was lost. */
const MAY_PASS: readonly ErrorCode[] = [
  ...(['interrupted', 'store_unreachable', 'store_behind', 'vault_unreachable'] as const),
  ...(['queue_unreachable', 'queue_refused'] as const),
];

/**
 * After a failure: what was written goes, unless it may work later with nothing changed and another run could take it up.
 * Gives the error to throw.
 */
export async function giveUp(
  vault: Vault,
  target: Pick<Target, 'folder' | 'backupId'>,
  error: unknown,
): Promise<unknown> {
  if (!isBackupError(error, ...MAY_PASS)) {
    await removeAttempt(vault, target.folder);
    return error;
  }
  const isWorthIt = await hasFinishedFiles(vault, target);
  if (!isWorthIt) {
    await removeAttempt(vault, target.folder);
    return error;
  }
  if (error.code === 'interrupted') return error;
  const { code, message, hint, facts } = error;
  const goesOn = `what was finished stays in ${target.folder}, and the same command goes on from there`;
  return new BackupError(code, message, {
    hint: hint === null ? goesOn : `${hint}; ${goesOn}`,
    facts,
    cause: error,
  });
}

/** Whether the folder of an attempt holds something that another run would not have to read again. */
export async function hasFinishedFiles(
  vault: Vault,
  target: Pick<Target, 'folder' | 'backupId'>,
): Promise<boolean> {
  try {
    const found = await lookAgain(vault, { ...target, names: new Set(), runs: null });
    return found?.runs != null && planRest(found.runs, found.names).kept.length > 0;
  } catch {
    // The vault may be what failed: nothing can be removed then either.
    return false;
  }
}
