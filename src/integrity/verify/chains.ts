import type { ChainBefore } from '../../core/chain-summary.ts';
import { isBackupError, throwIfAborted } from '../../core/errors.ts';
import type { EventStore } from '../../core/event-store.ts';
import type { BackupVerification, Problem } from '../../core/report.ts';
import type { Vault } from '../../core/vault.ts';
import { canOpen, isOpen } from '../../format/bundle-keys.ts';
import type { Catalog, CatalogEntry } from '../../format/catalog.ts';
import { type Chain, type ChainMember, followChain, inChainOrder, isBroken } from '../../format/chain.ts';
import { type ChainHeads, makeChainHeads } from '../../format/chain-heads.ts';
import { openBundle, type ReadKeys } from '../../format/open-bundle.ts';
import { type CheckedFile, type VerifyOptions, type VerifyPorts, verifyBackup } from './backup.ts';
import { findChangedEvents } from './changed-events.ts';
import { climb, rungsOf, withRung } from './ladder.ts';

export interface VerifyChainsOptions
  extends Pick<VerifyOptions, 'quick' | 'parallel' | 'trust' | 'payloads' | 'onProgress' | 'signal'> {
  /** Compares some of the backups, each with all that its chain holds, with a live store too. */
  readonly againstStore?: { readonly store: EventStore; readonly backups: ReadonlySet<CatalogEntry> };
  /** What opens sealed backups; where it opens none, only digests are checked. */
  readonly keys?: ReadKeys | undefined;
  /** By folder, names of the data files to check of a backup; of one that is not among these, all. */
  readonly files?: ReadonlyMap<string, ReadonlySet<string>> | undefined;
  /** The next backup is begun. */
  readonly onBackup?: (entry: CatalogEntry) => void;
  /** A data file was read to its end. */
  readonly onFile?: (entry: CatalogEntry, checked: CheckedFile) => void;
  readonly onVerified?: (verified: VerifiedEntry) => void;
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
  const { againstStore, onBackup, onFile, onVerified, keys, files, ...common } = options;
  const open = makeOpener(ports.vault, keys ?? null);
  const heads = makeChainHeads(ports.vault);
  const unsound = new Set<string>();
  const results: VerifiedEntry[] = [];
  const finish = (entry: CatalogEntry, verification: BackupVerification): void => {
    results.push({ entry, verification });
    onVerified?.({ entry, verification });
  };
  try {
    for (const entry of inChainOrder(entries)) {
      throwIfAborted(options.signal);
      onBackup?.(entry);
      const followed = followChain(catalog, entry);
      const chain = isBroken(followed) ? followed : await open(followed);
      const backup = isBroken(chain) ? (await open([entry]))[0]! : chain.at(-1)!;
      const some = files?.get(entry.folder);
      const verification = await verifyBackup(ports, backup, {
        ...{ ...common, files: some },
        onFile: (checked) => onFile?.(entry, checked),
        ...(some === undefined ? await describeBefore(chain, { heads, unsound, quick: options.quick }) : {}),
        ...(againstStore?.backups.has(entry) ? { againstStore: againstStore.store } : {}),
        ...(isBroken(chain) || chain.length === 1 ? {} : { heads: () => heads.linesOf(chain) }),
      });
      if (!isUsable(verification)) unsound.add(entry.manifest.backupId);
      const isCompared = againstStore?.backups.has(entry) === true && !options.quick;
      if (!isCompared || isBroken(chain) || !chain.every(isOpen) || !isUsable(verification)) {
        finish(entry, verification);
        continue;
      }
      const search = { vault: ports.vault, chain, table: await heads.of(chain), signal: options.signal };
      const changed = await findChangedEvents(againstStore.store, search);
      finish(entry, withProblems(verification, changed));
    }
    return results;
  } finally {
    heads.release();
  }
}

/** Opens each backup once: many chains go through it, and to try a passphrase takes a second. */
function makeOpener(vault: Vault, keys: ReadKeys | null): (chain: Chain) => Promise<ChainMember[]> {
  const opened = new Map<string, ChainMember>();
  return async (chain) => {
    const members: ChainMember[] = [];
    for (const member of chain) {
      const { backupId } = member.manifest;
      const known = opened.get(backupId) ?? (await openBundle(vault, member, keys, 'nothing'));
      opened.set(backupId, known);
      members.push(known);
    }
    return members;
  };
}

function hasReadableHeads(member: ChainMember): boolean {
  return canOpen(member, 'heads') || canOpen(member, 'memory');
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
  // Where no key opens the heads, only digests are checked.
  if (known.quick || !parents.every(hasReadableHeads)) return {};
  try {
    return { before: { manifest: parent.manifest, table: await known.heads.of(parents) } };
  } catch (error) {
    if (!isBackupError(error, 'damaged')) throw error;
    return { before: `the heads of what it builds on cannot be read: ${error.message}` };
  }
}

function withProblems(verification: BackupVerification, more: readonly Problem[]): BackupVerification {
  if (more.length === 0) return verification;
  const problems = [...verification.problems, ...more.map(withRung)];
  const failed = rungsOf(problems);
  if (verification.missingEvents > 0) failed.add('completeness');
  const untried = Object.fromEntries(
    verification.rungs.flatMap(({ name, reason }) => (reason === undefined ? [] : [[name, reason]])),
  );
  return { ...verification, overallValid: false, rungs: climb(failed, untried), problems };
}

/** A store that went on, or that lost events, says nothing against the backup itself. */
function isUsable({ problems, problemsOmitted }: BackupVerification): boolean {
  return problemsOmitted === 0 && problems.every(({ code }) => code === 'store_differs');
}
