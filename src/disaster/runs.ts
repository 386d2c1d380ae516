import type { JournalEntry } from '../core/disaster.ts';
import { BackupError, isBackupError } from '../core/errors.ts';
import type { Vault } from '../core/vault.ts';
import { decodeEntry, entryName, parseEntryName, RUNS_PREFIX } from '../format/disaster-journal.ts';
import { readPlan, type StoredPlan } from '../format/disaster-plan.ts';
import { readRecord } from '../format/record.ts';
import type { RecoverySettings, RegionVault } from './context.ts';
import { withDeadline } from './deadline.ts';

/** A run as its newest entry says, of all copies of its journal. */
export interface FoundRun {
  readonly planId: string;
  /** How many entries the longest copy has. */
  readonly entries: number;
  /** Of the longest copy; null when it cannot be read. */
  readonly last: JournalEntry | null;
  /** Some copy says that it ended or was given up. One that cannot be read did not end, as far as anybody knows. */
  readonly isOver: boolean;
  /** Address of a vault that has the longest copy. */
  readonly vault: string;
}

type Settings = Pick<RecoverySettings, 'probeMs'>;

export interface FoundRuns {
  readonly runs: readonly FoundRun[];
  /** Vaults that could not be asked. */
  readonly unread: readonly { readonly vault: string; readonly reason: string }[];
}

/** All runs that the vaults know of. A vault that cannot be asked in time is left out. */
export async function findRuns(vaults: readonly RegionVault[], settings: Settings): Promise<FoundRuns> {
  const unread: { vault: string; reason: string }[] = [];
  const found = await Promise.all(
    vaults.map(({ vault }) =>
      askVault(vault, settings, () => runsOf(vault)).catch((error: unknown): FoundRun[] => {
        if (!isBackupError(error)) throw error;
        unread.push({ vault: vault.address, reason: error.message });
        return [];
      }),
    ),
  );
  const byPlan = Map.groupBy(found.flat(), ({ planId }) => planId);
  return { runs: [...byPlan.values()].map(merge), unread };
}

/** What lies beside a journal is small; a listing of all of them takes a few questions. */
const QUESTIONS = 6;

export function askVault<Result>(
  vault: Vault,
  { probeMs }: Settings,
  ask: () => Promise<Result>,
): Promise<Result> {
  return withDeadline(`asking ${vault.address}`, QUESTIONS * probeMs, undefined, ask);
}

function merge(copies: readonly FoundRun[]): FoundRun {
  const longest = copies.toSorted((a, b) => b.entries - a.entries)[0]!;
  return { ...longest, isOver: isFinal(longest, copies) };
}

/** A run that ended in part may have been taken up since: then the longest copy says more than the one that says that it ended. */
function isFinal(longest: FoundRun, copies: readonly FoundRun[]): boolean {
  return longest.isOver || copies.some(({ last }) => last?.kind === 'abandoned');
}

async function runsOf(vault: Vault): Promise<FoundRun[]> {
  const newest = new Map<string, number>();
  for await (const { name } of vault.list(RUNS_PREFIX)) {
    const parsed = parseEntryName(name);
    if (parsed !== null) newest.set(parsed.planId, Math.max(parsed.number, newest.get(parsed.planId) ?? 0));
  }
  const runs: FoundRun[] = [];
  for (const [planId, entries] of newest) {
    const last = await readEntry(vault, entryName({ planId, number: entries }));
    const isOver = last?.kind === 'ended' || last?.kind === 'abandoned';
    runs.push({ planId, entries, last, isOver, vault: vault.address });
  }
  return runs;
}

const MAX_ENTRY_BYTES = 4 << 20;

async function readEntry(vault: Vault, name: string): Promise<JournalEntry | null> {
  try {
    const bytes = await readRecord(vault, name, MAX_ENTRY_BYTES);
    return bytes === null ? null : decodeEntry(bytes);
  } catch (error) {
    if (isBackupError(error, 'damaged', 'object_archived')) return null;
    throw error;
  }
}

/** The plan with this id, from the first vault that has it. Throws `plan_not_found`. */
export async function findPlan(
  vaults: readonly RegionVault[],
  planId: string,
  settings: Settings,
): Promise<StoredPlan> {
  const reasons: string[] = [];
  for (const { vault } of vaults) {
    try {
      const found = await askVault(vault, settings, () => readPlan(vault, planId));
      if (found !== null) return found;
    } catch (error) {
      if (!isBackupError(error)) throw error;
      reasons.push(`${vault.address}: ${error.message}`);
    }
  }
  throw new BackupError('plan_not_found', `no vault that answers has the plan ${planId}`, {
    hint: ['`eventcore dr status` lists plans and runs', ...reasons].join('; '),
    facts: { planId },
  });
}
