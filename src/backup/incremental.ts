import { type ChainBefore, chainOddities, touchStreams } from '../core/chain-summary.ts';
import { awaitedLater } from '../core/concurrency.ts';
import type { DifferenceReport } from '../core/differences.ts';
import { BackupError, isBackupError, throwIfAborted } from '../core/errors.ts';
import type { StoreDescription, StoreSnapshot } from '../core/event-store.ts';
import type { ChainLink, ChangeMethod, Manifest, ManifestFile } from '../core/manifest.ts';
import type { BackupVerification } from '../core/report.ts';
import type { Stages } from '../core/stages.ts';
import { releaseTable } from '../core/stream-table.ts';
import { formatTime, timeFromUnixMs } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import { BACKUPS_PREFIX, bundleFolder, MANIFEST_NAME } from '../format/bundle.ts';
import { type BundleSeal, beginSeal, keysOf } from '../format/bundle-seal.ts';
import { type Chain, type ChainMember, chainTotals } from '../format/chain.ts';
import { writeObject } from '../format/data-file-writer.ts';
import { writeCompanionsFile, writeHeads } from '../format/line-files.ts';
import { encodeManifest, manifestChecksum } from '../format/manifest-codec.ts';
import { sealManifest } from '../format/manifest-seal.ts';
import { type FoundChanges, readChanges } from './changes.ts';
import { noEventStore, notSound, removeAttempt } from './failures.ts';
import { limitsAt } from './finish.ts';
import type { FullBackupOptions, FullBackupPorts } from './full.ts';
import { composeManifest } from './manifest.ts';

export interface IncrementalPorts extends Pick<FullBackupPorts, 'store' | 'vault' | 'clock' | 'keys'> {
  /** Checks what was written before the manifest makes it a backup; `before` is what the chain held without it. */
  readonly verify?: (backup: ChainMember, before: ChainBefore) => Promise<BackupVerification>;
}

export type IncrementalOptions = Omit<FullBackupOptions, 'rangeBytes' | 'resume'>;

export type IncrementalOutcome =
  | { readonly kind: 'taken'; readonly report: IncrementalReport }
  /** Nothing was written: what is new cannot be told exactly, and why. */
  | { readonly kind: 'full-needed'; readonly reason: string }
  /** Nothing was written: the store has lost, changed or replaced events that the chain holds. */
  | { readonly kind: 'differs'; readonly differences: DifferenceReport };

export interface IncrementalReport {
  readonly manifest: Manifest;
  readonly folder: string;
  readonly verification: BackupVerification | null;
  readonly leftoversRemoved: number;
  readonly stages: Stages;
  /** Why transactions did not tell what is new; null when they did. */
  readonly headsReason: string | null;
  /** Events that were seen again, and whose content could not be compared since this host cannot open the chain. */
  readonly uncompared: number;
}

/**
 * Backs up what a store has and a chain has not, exactly. The manifest is written last; whatever the outcome is but
 * `taken`, and after any failure, nothing stays in the vault.
 */
export async function takeIncrementalBackup(
  ports: IncrementalPorts,
  chain: Chain,
  options: IncrementalOptions,
): Promise<IncrementalOutcome> {
  const { store } = ports;
  // Both are a matter of connecting, and neither waits for the other.
  const opening = awaitedLater(store.openSnapshot());
  try {
    const source = await store.inspect();
    if (source.state === 'missing') throw noEventStore(store.address);
    const misfit = describeMisfit(source, chain.at(-1)!.manifest);
    if (misfit !== null) return { kind: 'full-needed', reason: misfit };
    return await takeFrom(ports, chain, options, source, await opening);
  } finally {
    await opening.then(
      (snapshot) => snapshot.close(),
      () => undefined,
    );
  }
}

async function takeFrom(
  ports: IncrementalPorts,
  chain: Chain,
  options: IncrementalOptions,
  source: StoreDescription,
  snapshot: StoreSnapshot,
): Promise<IncrementalOutcome> {
  const { vault, clock } = ports;
  const parent = chain.at(-1)!.manifest;
  await vault.open({ create: false });
  const leftoversRemoved = await vault.removeLeftovers(BACKUPS_PREFIX);
  const backupId = clock.uuid();
  const folder = bundleFolder('incremental', backupId);
  options.onBegin?.(backupId);
  try {
    const createdAt = formatTime(timeFromUnixMs(clock.now()), 3);
    const bundle = { folder, backupId, createdAt, software: options.software };
    const seal = await beginSeal(vault, ports.keys, bundle);
    const written = await writeFiles(ports, chain, options, { folder, source, snapshot, seal });
    if ('kind' in written) {
      await removeAttempt(vault, folder);
      return written;
    }
    const { changes } = written;
    const finishedAtMs = clock.now();
    const composed = composeManifest({ ...written, source, backupId, finishedAtMs, options });
    const manifest = sealManifest(composed, seal, ports.keys?.signer ?? null);
    options.onStep?.('verifying');
    const before: ChainBefore = { manifest: parent, table: changes.chainTable };
    const verification = (await ports.verify?.({ manifest, folder, keys: keysOf(seal) }, before)) ?? null;
    for (const table of [changes.chainTable, changes.table, written.table]) releaseTable(table);
    if (verification !== null && !verification.overallValid) throw notSound(verification, vault.address);
    throwIfAborted(options.signal);
    await writeObject(vault, folder + MANIFEST_NAME, encodeManifest(manifest));
    await requireParent(vault, chain.at(-1)!, folder);
    const { stages, headsReason, uncompared } = changes;
    const report = { manifest, folder, verification, leftoversRemoved, stages, headsReason, uncompared };
    return { kind: 'taken', report };
  } catch (error) {
    await removeAttempt(vault, folder);
    throw error;
  }
}

/**
 * A prune may have removed the parent meanwhile: it looks for children when the manifest of a parent is gone, so one of the two
 * sees the other.
 */
async function requireParent(vault: Vault, parent: ChainMember, folder: string): Promise<void> {
  if (!(await isGone(vault, parent.folder + MANIFEST_NAME))) return;
  await vault.removeObject(folder + MANIFEST_NAME);
  const { backupId } = parent.manifest;
  throw new BackupError('backup_not_found', `backup ${backupId}, which was built on, was removed meanwhile`, {
    hint: 'take the backup again: it builds on the newest one, which no prune removes',
  });
}

/** A vault that does not answer is no reason to give up a backup that is there. */
async function isGone(vault: Vault, name: string): Promise<boolean> {
  try {
    return (await vault.stat(name)) === null;
  } catch (error) {
    if (!isBackupError(error)) throw error;
    return false;
  }
}

function describeMisfit(source: StoreDescription, { store }: Manifest): string | null {
  for (const key of ['kind', 'layout', 'versionBase'] as const) {
    if (source[key] === store[key]) continue;
    return `the last backup is of a store whose ${key} is ${store[key]}, not ${source[key]}`;
  }
  return null;
}

interface Attempt {
  readonly folder: string;
  readonly source: StoreDescription;
  readonly snapshot: StoreSnapshot;
  readonly seal: BundleSeal | null;
}

async function writeFiles(
  ports: IncrementalPorts,
  chain: Chain,
  options: IncrementalOptions,
  attempt: Attempt,
) {
  const { vault } = ports;
  const { folder, source, snapshot, seal } = attempt;
  const bundleOptions = { ...options, seal };
  const startedAtMs = ports.clock.now();
  const limits = limitsAt(startedAtMs, source);
  options.onStep?.('looking for what is new');
  const changes = await readChanges({ snapshot, vault, chain }, options, {
    folder,
    limits,
    seal: seal?.data ?? null,
  });
  if ('kind' in changes) return changes;
  const companions = await writeCompanionsFile(vault, folder, bundleOptions, snapshot.readCompanions());
  const cursor = await snapshot.settledCursor();
  // From here on the store is not needed: a long-lived snapshot would hold back its vacuum.
  await snapshot.close();
  const touched = touchStreams(changes.chainTable, changes.table);
  const heads = await writeHeads(vault, folder, bundleOptions, touched.after);
  const link = linkTo(chain, changes, touched.after.count - touched.before.count, (parent) =>
    chainOddities(parent, touched, changes.facts, source.versionBase),
  );
  releaseTable(touched.before);
  const files = [changes.file, ...heads.files, companions].filter(
    (file): file is ManifestFile => file !== null,
  );
  const { facts } = changes;
  return {
    startedAtMs,
    files,
    facts,
    table: touched.after,
    headsDigest: heads.digest,
    cursor,
    link,
    changes,
  };
}

/** What tells by its number that it is new; in stores of other kinds rows do. */
const NUMBERED: Readonly<Record<string, ChangeMethod>> = {
  postgres: 'transactions',
  files: 'transactions',
  shards: 'transactions',
};

function linkTo(
  chain: Chain,
  changes: FoundChanges,
  newStreams: number,
  oddities: (parent: Manifest['oddities']) => Manifest['oddities'],
) {
  const parent = chain.at(-1)!.manifest;
  const before = chainTotals(parent);
  const method = changes.headsReason === null ? (NUMBERED[parent.store.kind] ?? 'rows') : 'heads';
  const link: ChainLink = {
    baseId: chain[0]!.manifest.backupId,
    parentChecksum: manifestChecksum(parent),
    length: chain.length + 1,
    totalEvents: before.totalEvents + changes.facts.events,
    totalStreams: before.totalStreams + newStreams,
    method,
  };
  return { parentId: parent.backupId, chain: link, oddities: oddities(parent.oddities) };
}
