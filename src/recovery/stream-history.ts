import { runLimited } from '../core/concurrency.ts';
import { type BackupError, isBackupError } from '../core/errors.ts';
import type { StreamSummary } from '../core/event-store.ts';
import { nameBytes } from '../core/name-text.ts';
import type { Vault } from '../core/vault.ts';
import type { Catalog, CatalogEntry } from '../format/catalog.ts';
import { type ChainMember, followChain, isBroken } from '../format/chain.ts';
import { findOwnHead } from '../format/find-heads.ts';
import type { HeadLine } from '../format/heads.ts';
import { openBundle, type ReadKeys } from '../format/open-bundle.ts';

/** What one backup, with all that it builds on, holds of a stream. */
export interface StreamPoint {
  readonly entry: CatalogEntry;
  /** The full backup that its chain begins with; null: the chain is broken. */
  readonly chainId: string | null;
  /** `unknown`: it could not be looked at. */
  readonly state: 'held' | 'absent' | 'unknown';
  /** Of `held` alone. */
  readonly head: HeadLine | null;
  /** This very backup brought events of it. */
  readonly isChanged: boolean;
  /** Why it is unknown. */
  readonly problem: { readonly code: string; readonly message: string; readonly hint: string | null } | null;
}

export interface StreamHistory {
  /** The newest backup first. */
  readonly points: readonly StreamPoint[];
  /** Names that stand next to it, where none holds it. */
  readonly near: readonly string[];
}

/** Requests to a vault at the same time: each backup takes a few small ones. */
const LOOKS_AT_ONCE = 8;

/**
 * Looks a stream up in some backups of a vault: of each link of their chains once, and few chunks of its heads. What cannot be read or
 * opened is told of that backup, and keeps nobody from the others.
 */
export async function readStreamHistory(
  vault: Vault,
  catalog: Catalog,
  { streamId, entries, keys, signal }: HistoryWish,
): Promise<StreamHistory> {
  const look = onceEach(vault, nameBytes(streamId), keys);
  const near = new Set<string>();
  const points = await runLimited(
    entries,
    LOOKS_AT_ONCE,
    async (entry) => {
      const { point, neighbours } = await lookAt(catalog, entry, look);
      for (const name of neighbours) near.add(name);
      return point;
    },
    signal,
  );
  const isKnown = points.some(({ state }) => state === 'held');
  return { points, near: isKnown ? [] : [...near].slice(0, MOST_NEAR) };
}

export interface HistoryWish {
  readonly streamId: string;
  /** In the order in which they are told. */
  readonly entries: readonly CatalogEntry[];
  readonly keys: ReadKeys | null;
  readonly signal?: AbortSignal;
}

const MOST_NEAR = 6;

type Look = (link: ChainMember) => ReturnType<typeof findOwnHead>;

function onceEach(vault: Vault, name: Uint8Array, keys: ReadKeys | null): Look {
  const known = new Map<string, ReturnType<typeof findOwnHead>>();
  return (link) => {
    const found =
      known.get(link.folder) ??
      openBundle(vault, link, keys, 'heads').then((opened) => findOwnHead(vault, opened, name));
    known.set(link.folder, found);
    return found;
  };
}

async function lookAt(
  catalog: Catalog,
  entry: CatalogEntry,
  look: Look,
): Promise<{ point: StreamPoint; neighbours: readonly string[] }> {
  const chain = followChain(catalog, entry);
  const blank = { entry, head: null, isChanged: false, problem: null } as const;
  if (isBroken(chain)) {
    const problem = { code: 'damaged', message: chain.message, hint: null };
    return { point: { ...blank, chainId: null, state: 'unknown', problem }, neighbours: [] };
  }
  const chainId = chain[0]!.manifest.backupId;
  const neighbours: string[] = [];
  try {
    for (const link of chain.toReversed()) {
      const { head, near } = await look(link);
      const isChanged = link.folder === entry.folder;
      if (head !== null) return { point: { ...blank, chainId, state: 'held', head, isChanged }, neighbours };
      neighbours.push(...near);
    }
    return { point: { ...blank, chainId, state: 'absent' }, neighbours };
  } catch (error) {
    if (!isOfOneBackup(error)) throw error;
    const { code, message, hint } = error;
    return { point: { ...blank, chainId, state: 'unknown', problem: { code, message, hint } }, neighbours };
  }
}

function isOfOneBackup(error: unknown): error is BackupError {
  return isBackupError(
    error,
    ...(['damaged', 'vault_object_missing', 'object_archived', 'signature_invalid'] as const),
    ...(['key_missing', 'key_wrong', 'key_refused'] as const),
  );
}

/**
 * How a store's stream stands to the newest backup of it that could be looked at. `behind`, `gone`, `differs`: the store lacks what that
 * backup has, or has something else in its place. `ahead`, `new`: it went on, as stores do.
 */
export type StreamStanding = 'same' | 'ahead' | 'new' | 'behind' | 'gone' | 'differs' | 'absent' | 'unknown';

/** `idThere`: of the store's event at the version that the backup ends with; null where that was not read. */
export function compareWithStore(
  newest: StreamPoint | null,
  live: StreamSummary | null,
  idThere: string | null,
): StreamStanding {
  if (newest === null) return live === null ? 'unknown' : 'new';
  const { head } = newest;
  if (head === null) return live === null ? 'absent' : 'new';
  if (live === null) return 'gone';
  if (live.lastVersion < head.lastVersion) return 'behind';
  if (idThere !== null && idThere.toLowerCase() !== head.lastEventId.toLowerCase()) return 'differs';
  const behind = live.lastVersion - head.lastVersion;
  // Versions are numbered one by one.
  if (live.events !== head.events + behind) return 'differs';
  return behind === 0 ? 'same' : 'ahead';
}

export interface OnlyInBackups {
  readonly fromVersion: number;
  readonly toVersion: number;
  /** The newest backup that has them all. */
  readonly backupId: string;
}

/** Versions behind the store's last one that some backup has; null when there are none. */
export function findOnlyInBackups(
  points: readonly StreamPoint[],
  live: StreamSummary | null,
): OnlyInBackups | null {
  let best: StreamPoint | null = null;
  for (const point of points) {
    if (point.head === null) continue;
    if (best === null || point.head.lastVersion > best.head!.lastVersion) best = point;
  }
  if (best === null) return null;
  const { firstVersion, lastVersion } = best.head!;
  const fromVersion = live === null ? firstVersion : Math.max(firstVersion, live.lastVersion + 1);
  const { backupId } = best.entry.manifest;
  return fromVersion > lastVersion ? null : { fromVersion, toVersion: lastVersion, backupId };
}
