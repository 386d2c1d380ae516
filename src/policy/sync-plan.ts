/** A backup of the source, as sync sees it. */
export interface SyncCandidate {
  readonly backupId: string;
  readonly parentId: string | null;
  /** Why its chain cannot be used; null when it is whole. */
  readonly broken: string | null;
  /** The target has its manifest. */
  readonly isThere: boolean;
  /** The target's rules keep it. */
  readonly isKept: boolean;
}

export interface SyncDecision<Candidate extends SyncCandidate> {
  readonly candidate: Candidate;
  /** `complete`: it is there, and what is missing of it is added. `leave`: as it is not wanted. `refuse`: as it cannot be used. */
  readonly action: 'copy' | 'complete' | 'leave' | 'refuse';
  readonly reason: string;
}

/**
 * What a replica gets: all that is whole and that its own rules would not remove at once, with everything that it builds on. `candidates` come
 * after what they build on; so do decisions.
 */
export function planSync<Candidate extends SyncCandidate>(
  candidates: readonly Candidate[],
): SyncDecision<Candidate>[] {
  const wanted = wantedIds(candidates);
  return candidates.map((candidate) => {
    const { backupId, broken, isThere, isKept } = candidate;
    if (isThere)
      return { candidate, action: 'complete', reason: 'it is there: what is missing of it is added' };
    if (!wanted.has(backupId))
      return { candidate, action: 'leave', reason: 'the rules of the replica would remove it' };
    if (broken !== null) return { candidate, action: 'refuse', reason: broken };
    const reason = isKept ? 'it is not there' : 'a backup that is kept builds on it';
    return { candidate, action: 'copy', reason };
  });
}

/** What is kept, and all that it builds on. */
function wantedIds(candidates: readonly SyncCandidate[]): Set<string> {
  const wanted = new Set<string>();
  for (const { backupId, parentId, isKept } of candidates.toReversed()) {
    if (!isKept && !wanted.has(backupId)) continue;
    wanted.add(backupId);
    if (parentId !== null) wanted.add(parentId);
  }
  return wanted;
}
