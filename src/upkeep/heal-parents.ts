import type { Clock } from '../core/clock.ts';
import type { Vault } from '../core/vault.ts';
import { MANIFEST_NAME } from '../format/bundle.ts';
import { type Catalog, readCatalog } from '../format/catalog.ts';
import { type ChainMember, followChain, isBroken } from '../format/chain.ts';
import { manifestChecksum } from '../format/manifest-codec.ts';
import { type HealRun, isDonorsFault } from './heal-object.ts';
import { syncVault } from './sync.ts';

export interface ReplacedParent {
  readonly folder: string;
  /** Of the manifest that was built on. */
  readonly checksum: string;
}

/** Backups that others build on, and whose manifests are other ones now: who builds on one names it by its checksum. */
export async function findReplaced(vault: Vault): Promise<ReplacedParent[]> {
  const { backups } = await readCatalog(vault);
  const known = new Map(backups.map((entry) => [entry.manifest.backupId, entry]));
  const replaced = new Map<string, ReplacedParent>();
  for (const { manifest } of backups) {
    const parent = known.get(manifest.parentId ?? '');
    const checksum = manifest.chain?.parentChecksum;
    if (parent === undefined || checksum === undefined) continue;
    if (manifestChecksum(parent.manifest) !== checksum)
      replaced.set(parent.folder, { folder: parent.folder, checksum });
  }
  return [...replaced.values()];
}

/** Backups that are gone and that others build on come whole from another vault. */
export async function healParents(run: HealRun, clock: Clock): Promise<void> {
  for (const donor of run.donors) {
    const catalog = await readCatalog(run.vault);
    const wanted = missingParents(catalog);
    if (wanted.size === 0) return;
    try {
      await fetchParents(run, donor, wanted, clock);
    } catch (error) {
      if (!isDonorsFault(error)) throw error;
    }
  }
  for (const backupId of missingParents(await readCatalog(run.vault))) {
    run.unhealed.push({
      name: backupId,
      reason: 'no other vault has this backup, on which another one builds',
    });
  }
}

function missingParents({ backups, damaged }: Catalog): Set<string> {
  const there = new Set([
    ...backups.map(({ manifest }) => manifest.backupId),
    ...damaged.map(({ backupId }) => backupId),
  ]);
  const parents = backups.map(({ manifest }) => manifest.parentId).filter((id) => id !== null);
  return new Set(parents.filter((id) => !there.has(id)));
}

async function fetchParents(
  run: HealRun,
  donor: Vault,
  wanted: ReadonlySet<string>,
  clock: Clock,
): Promise<void> {
  const { vault, lease, signal, healed } = run;
  const catalog = await readCatalog(donor);
  const members = new Map<string, ChainMember>();
  for (const entry of catalog.backups.filter(({ manifest }) => wanted.has(manifest.backupId))) {
    const chain = followChain(catalog, entry);
    if (isBroken(chain)) continue;
    for (const member of chain) members.set(member.manifest.backupId, member);
  }
  if (members.size === 0) return;
  const ports = { source: donor, target: vault, clock };
  const { copied } = await syncVault(
    { ...ports, underLease: (work) => work(lease, signal ?? new AbortController().signal) },
    { only: new Set(members.keys()), readBack: true, signal },
  );
  for (const backupId of copied) {
    const name = members.get(backupId)!.folder + MANIFEST_NAME;
    healed.push({ name, from: donor.address, was: 'missing' });
  }
}
