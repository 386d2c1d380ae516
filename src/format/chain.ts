import { BackupError } from '../core/errors.ts';
import type { Manifest } from '../core/manifest.ts';
import { type Catalog, type CatalogEntry, newestBackup } from './catalog.ts';
import { manifestChecksum } from './manifest-codec.ts';

/** A full backup and the incremental ones up to the wanted one, oldest first. */
export type Chain = readonly ChainMember[];

export type ChainMember = Pick<CatalogEntry, 'manifest' | 'folder' | 'keys'>;

/** Why a backup cannot be used: which link of its chain is at fault, and what is wrong with it. */
export interface ChainBreak {
  readonly backupId: string;
  readonly reason: 'missing' | 'damaged' | 'replaced' | 'inconsistent';
  readonly message: string;
}

/** Follows a backup to the full one that its chain begins with, and checks each link on the way. */
export function followChain(catalog: Catalog, wanted: ChainMember): Chain | ChainBreak {
  const links: ChainMember[] = [wanted];
  const byId = entriesById(catalog);
  for (let child = wanted.manifest; child.parentId !== null; child = links.at(-1)!.manifest) {
    const parent = byId.get(child.parentId);
    if (parent === undefined) return describeMissing(catalog, child);
    const fault = faultBetween(parent.manifest, child);
    if (fault !== null) return fault;
    links.push(parent);
  }
  return links.reverse();
}

const known = new WeakMap<Catalog, ReadonlyMap<string, CatalogEntry>>();

/** Made once for each catalog: each of thousands of links may be followed from. */
function entriesById(catalog: Catalog): ReadonlyMap<string, CatalogEntry> {
  const made =
    known.get(catalog) ?? new Map(catalog.backups.map((entry) => [entry.manifest.backupId, entry]));
  known.set(catalog, made);
  return made;
}

/** Backups so that each comes right behind what it builds on, or as near behind it as other children let it; else oldest first. */
export function inChainOrder(entries: readonly CatalogEntry[]): CatalogEntry[] {
  const ids = new Set(entries.map(({ manifest }) => manifest.backupId));
  const children = Map.groupBy(entries, ({ manifest: { parentId } }) =>
    parentId !== null && ids.has(parentId) ? parentId : null,
  );
  const ordered: CatalogEntry[] = [];
  const waiting = (children.get(null) ?? []).toReversed();
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    ordered.push(next);
    waiting.push(...(children.get(next.manifest.backupId) ?? []).toReversed());
  }
  return ordered;
}

export function isBroken(chain: Chain | ChainBreak): chain is ChainBreak {
  return 'reason' in chain;
}

/** As `followChain`; throws `damaged`, naming the link, when the chain is broken. */
export function requireChain(catalog: Catalog, wanted: ChainMember): Chain {
  const chain = followChain(catalog, wanted);
  if (isBroken(chain)) throw unusable(wanted.manifest, chain);
  return chain;
}

/** Links that did not come out of a catalog must follow from one another all the same. Throws `damaged`. */
export function assertChain(links: Chain): void {
  links.forEach(({ manifest }, i) => {
    const { backupId, parentId } = manifest;
    const parent = links[i - 1]?.manifest ?? null;
    if (parentId !== (parent?.backupId ?? null)) {
      const message = `${backupId} does not follow from ${parent?.backupId ?? 'nothing'}: it builds on ${parentId ?? 'nothing'}`;
      throw unusable(links.at(-1)!.manifest, { backupId, reason: 'inconsistent', message });
    }
    const fault = parent === null ? null : faultBetween(parent, manifest);
    if (fault !== null) throw unusable(links.at(-1)!.manifest, fault);
  });
}

/** What a chain that ends with this backup holds in all. */
export function chainTotals({ chain, totalEvents, totalStreams }: Manifest): {
  readonly totalEvents: number;
  readonly totalStreams: number;
} {
  return chain ?? { totalEvents, totalStreams };
}

export interface RestorePoint {
  readonly chain: Chain;
  /** Newer backups, whose chains are broken. */
  readonly passedOver: readonly { readonly backupId: string; readonly message: string }[];
}

/** The newest backup whose chain is whole. Throws `no_backups`, or `damaged` when there is none that can be used. */
export function newestRestorePoint(catalog: Catalog, vaultAddress: string): RestorePoint {
  const newest = newestBackup(catalog, vaultAddress);
  const passedOver: { backupId: string; message: string }[] = [];
  for (const entry of catalog.backups.toReversed()) {
    const chain = followChain(catalog, entry);
    if (!isBroken(chain)) return { chain, passedOver };
    passedOver.push({ backupId: entry.manifest.backupId, message: chain.message });
  }
  return { chain: requireChain(catalog, newest), passedOver };
}

function unusable({ backupId }: Manifest, { message, ...facts }: ChainBreak): BackupError {
  return new BackupError('damaged', `backup ${backupId} cannot be used: ${message}`, {
    hint: 'take the missing link from another copy of the vault, or use another backup; `eventcore list` shows the chains',
    facts,
  });
}

function describeMissing({ damaged, unfinished }: Catalog, { parentId }: Manifest): ChainBreak {
  const backupId = parentId!;
  const broken = damaged.find((entry) => entry.backupId === backupId);
  if (broken !== undefined) {
    return {
      backupId,
      reason: 'damaged',
      message: `${backupId}, which it builds on, is damaged: ${broken.message}`,
    };
  }
  const attempt = unfinished.some((entry) => entry.backupId === backupId);
  const how = attempt ? 'has no manifest' : 'is not in the vault';
  return { backupId, reason: 'missing', message: `${backupId}, which it builds on, ${how}` };
}

const checksums = new WeakMap<Manifest, string>();

/** Computed once for each manifest: every chain that goes through it asks. */
function checksumOf(manifest: Manifest): string {
  const checksum = checksums.get(manifest) ?? manifestChecksum(manifest);
  checksums.set(manifest, checksum);
  return checksum;
}

function faultBetween(parent: Manifest, child: Manifest): ChainBreak | null {
  const { backupId } = parent;
  const chain = child.chain!;
  if (checksumOf(parent) !== chain.parentChecksum) {
    const message = `${backupId} is not the backup that ${child.backupId} was built on: its manifest is another one`;
    return { backupId, reason: 'replaced', message };
  }
  // The checksum says that it is the parent; a program that wrote a child that does not fit is all that is left.
  const before = parent.chain ?? { baseId: backupId, length: 1, totalEvents: parent.totalEvents };
  const fits =
    chain.baseId === before.baseId &&
    chain.length === before.length + 1 &&
    chain.totalEvents === before.totalEvents + child.totalEvents;
  if (fits) return null;
  const message = `${child.backupId} does not add up with ${backupId}, which it builds on`;
  return { backupId: child.backupId, reason: 'inconsistent', message };
}
