/** A backup, as the archive tier sees it. */
export interface TierCandidate {
  readonly backupId: string;
  /** The full backup that its chain begins with. */
  readonly baseId: string;
  readonly createdAtMs: number;
}

export interface TierDecision<Candidate extends TierCandidate> {
  readonly baseId: string;
  readonly members: readonly Candidate[];
  readonly moves: boolean;
  readonly reason: string;
}

const DAY_MS = 86_400_000;

/**
 * Which backups belong into the archive: all that build on one full backup move together, once the newest of them is older than that. So
 * what is in the archive can be restored from it alone, and no chain lies in two places.
 */
export function planTier<Candidate extends TierCandidate>(
  backups: readonly Candidate[],
  { afterDays, nowMs }: { readonly afterDays: number; readonly nowMs: number },
): TierDecision<Candidate>[] {
  const chains = Map.groupBy(backups, ({ baseId }) => baseId);
  return [...chains].map(([baseId, members]) => {
    const newestMs = Math.max(...members.map(({ createdAtMs }) => createdAtMs));
    const ageDays = (nowMs - newestMs) / DAY_MS;
    const moves = ageDays > afterDays;
    const reason = `the newest of the chain is ${Math.max(0, Math.floor(ageDays))} days old, and ${afterDays} are to pass`;
    return { baseId, members, moves, reason };
  });
}
