import type { ChainBefore } from '../core/chain-summary.ts';
import { isBackupError, throwIfAborted } from '../core/errors.ts';
import type { EventStore } from '../core/event-store.ts';
import type { BackupVerification, Problem } from '../core/report.ts';
import type { Catalog, CatalogEntry } from '../format/catalog.ts';
import { type Chain, followChain, inChainOrder, isBroken } from '../format/chain.ts';
import { type ChainHeads, makeChainHeads } from '../format/chain-heads.ts';
import { findChangedEvents } from './changed-events.ts';
import { type VerifyOptions, type VerifyPorts, verifyBackup } from './verify-backup.ts';

export interface VerifyChainsOptions
  extends Pick<VerifyOptions, 'quick' | 'parallel' | 'onProgress' | 'signal'> {
  /** Compares some of the backups, each with all that its chain holds, with a live store too. */
  readonly againstStore?: { readonly store: EventStore; readonly backups: ReadonlySet<CatalogEntry> };
  /** The next backup is begun. */
  readonly onBackup?: (entry: CatalogEntry) => void;
}

export interface VerifiedEntry {
  readonly entry: CatalogEntry;
  readonly verification: BackupVerification;
}

/**
 * Checks backups, each after what it builds on: that it follows from it, and that the chain holds with it what its heads
 * say. What builds on a backup that is not sound is not sound either. The heads of a chain are read once and carried along,
 * so that memory follows the streams of one chain.
 */
export async function verifyChains(
  ports: VerifyPorts,
  catalog: Catalog,
  entries: readonly CatalogEntry[],
  options: VerifyChainsOptions,
): Promise<VerifiedEntry[]> {
  const { againstStore, onBackup, ...common } = options;
  const heads = makeChainHeads(ports.vault);
  const unsound = new Set<string>();
  const results: VerifiedEntry[] = [];
  try {
    for (const entry of inChainOrder(entries)) {
      throwIfAborted(options.signal);
      onBackup?.(entry);
      const chain = followChain(catalog, entry);
      const verification = await verifyBackup(ports, entry, {
        ...common,
        ...(await describeBefore(chain, { heads, unsound, quick: options.quick })),
        ...(againstStore?.backups.has(entry) ? { againstStore: againstStore.store } : {}),
        ...(isBroken(chain) || chain.length === 1 ? {} : { heads: () => heads.linesOf(chain) }),
      });
      if (!isUsable(verification)) unsound.add(entry.manifest.backupId);
      const isCompared = againstStore?.backups.has(entry) === true && !options.quick;
      if (!isCompared || isBroken(chain) || !isUsable(verification)) {
        results.push({ entry, verification });
        continue;
      }
      const search = { vault: ports.vault, chain, table: await heads.of(chain), signal: options.signal };
      const changed = await findChangedEvents(againstStore.store, search);
      results.push({ entry, verification: withProblems(verification, changed) });
    }
    return results;
  } finally {
    heads.release();
  }
}

/** What the chain holds without its newest backup; or why that is not known. */
async function describeBefore(
  chain: ReturnType<typeof followChain>,
  known: { heads: ChainHeads; unsound: ReadonlySet<string>; quick: boolean },
): Promise<{ before?: ChainBefore | string }> {
  if (isBroken(chain)) return { before: chain.message };
  const parents: Chain = chain.slice(0, -1);
  const parent = parents.at(-1);
  if (parent === undefined) return {};
  const bad = parents.find(({ manifest }) => known.unsound.has(manifest.backupId));
  if (bad !== undefined) return { before: `${bad.manifest.backupId}, which it builds on, is not sound` };
  if (known.quick) return {};
  try {
    return { before: { manifest: parent.manifest, table: await known.heads.of(parents) } };
  } catch (error) {
    if (!isBackupError(error, 'damaged')) throw error;
    return { before: `the heads of what it builds on cannot be read: ${error.message}` };
  }
}

function withProblems(verification: BackupVerification, more: readonly Problem[]): BackupVerification {
  if (more.length === 0) return verification;
  return { ...verification, overallValid: false, problems: [...verification.problems, ...more] };
}

/** A store that went on, or that lost events, says nothing against the backup itself. */
function isUsable({ problems, problemsOmitted }: BackupVerification): boolean {
  return problemsOmitted === 0 && problems.every(({ code }) => code === 'store_differs');
}
