import { BackupError } from '../core/errors.ts';
import type { Manifest } from '../core/manifest.ts';
import type { Catalog, CatalogEntry } from './catalog.ts';
import { manifestChecksum } from './manifest-codec.ts';

/** A full backup and the incremental ones up to the wanted one, oldest first. */
export type Chain = readonly CatalogEntry[];

/** Why a backup cannot be used: which link of its chain is at fault, and what is wrong with it. */
export interface ChainBreak {
  readonly backupId: string;
  readonly reason: 'missing' | 'damaged' | 'replaced' | 'inconsistent';
  readonly message: string;
}

/** Follows a backup to the full one that its chain begins with, and checks each link on the way. */
export function followChain(catalog: Catalog, wanted: CatalogEntry): Chain | ChainBreak {
  const links: CatalogEntry[] = [wanted];
  const byId = new Map(catalog.backups.map((entry) => [entry.manifest.backupId, entry]));
  for (let child = wanted.manifest; child.parentId !== null; child = links[0]!.manifest) {
    const parent = byId.get(child.parentId);
    if (parent === undefined) return describeMissing(catalog, child);
    const fault = faultBetween(parent.manifest, child);
    if (fault !== null) return fault;
    links.unshift(parent);
  }
  return links;
}

export function isBroken(chain: Chain | ChainBreak): chain is ChainBreak {
  return 'reason' in chain;
}

/** As `followChain`; throws `damaged`, naming the link, when the chain is broken. */
export function requireChain(catalog: Catalog, wanted: CatalogEntry): Chain {
  const chain = followChain(catalog, wanted);
  if (!isBroken(chain)) return chain;
  throw new BackupError('damaged', `backup ${wanted.manifest.backupId} cannot be used: ${chain.message}`, {
    hint: 'take the missing link from another copy of the vault, or use another backup; `eventcore list` shows the chains',
    facts: { backupId: chain.backupId, reason: chain.reason },
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

function faultBetween(parent: Manifest, child: Manifest): ChainBreak | null {
  const { backupId } = parent;
  const chain = child.chain!;
  if (manifestChecksum(parent) !== chain.parentChecksum) {
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
