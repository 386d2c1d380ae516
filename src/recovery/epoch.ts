import { isBackupError } from '../core/errors.ts';
import { idText } from '../core/event-id.ts';
import type { Vault } from '../core/vault.ts';
import { type EpochRecord, MOST_VANISHED_IDS, type VanishedEvents, writeEpoch } from '../format/epoch.ts';
import { readingOf, readLogBlocks } from '../format/log-reader.ts';
import type { RecoveryPlan } from './plan-recovery.ts';
import { formatPosition } from './position.ts';
import { describeTarget } from './target.ts';

/** What became of the epoch record: it is written when all else is done, and a recovery that it fails for stands. */
export interface EpochOutcome {
  /** Name of the object in the vault; null when it could not be written. */
  readonly record: string | null;
  readonly vanished: Pick<VanishedEvents, 'events' | 'firstId' | 'lastId'> | null;
  /** Why there is no record. */
  readonly problem: string | null;
}

/**
 * Writes what a recovery took back. A process that dies between publishing and this leaves a restored store without a record:
 * the store is whole, and what vanished is still in the log.
 */
export async function recordEpoch(
  vault: Vault,
  plan: RecoveryPlan,
  facts: Pick<EpochRecord, 'epoch' | 'recoveredAt' | 'store'>,
): Promise<EpochOutcome> {
  const { chain, log, reached, target } = plan;
  const { kind } = chain.at(-1)!.manifest.cursor;
  const cut = log?.measured.cut ?? null;
  try {
    const vanished = await listVanished(vault, plan);
    const record = await writeEpoch(vault, {
      ...facts,
      chain: chain.map(({ manifest }) => manifest.backupId),
      target: describeTarget(target, kind),
      ...{ reachedTime: reached.time, reachedLsn: reached.lsn },
      cutLsn: cut === null ? null : formatPosition(cut, kind),
      vanished,
    });
    return { record, vanished, problem: null };
  } catch (error) {
    if (!isBackupError(error)) throw error;
    return { record: null, vanished: null, problem: error.message };
  }
}

/** The events that the log holds behind the cut, in all runs of its timeline. Throws `damaged`. */
async function listVanished(
  vault: Vault,
  { log }: RecoveryPlan,
  most = MOST_VANISHED_IDS,
): Promise<VanishedEvents> {
  const ids: string[] = [];
  const found = { events: 0, firstId: null as string | null, lastId: null as string | null };
  const cut = log?.measured.cut ?? null;
  if (log === null || cut === null) return { ...found, ids };
  const { timeline } = log.facts;
  for (const { files, to } of timeline.spans) {
    if (to <= cut) continue;
    for await (const block of readLogBlocks(vault, files, { ...readingOf(timeline), from: cut })) {
      const table = await block.transactions();
      let row = 0;
      const first = table.commits.subarray(0, table.count).findIndex((commit) => commit >= cut);
      if (first === -1) continue;
      for (let i = 0; i < first; i += 1) row += table.events[i]!;
      const batch = await block.events();
      for (; row < (batch?.count ?? 0); row += 1) {
        const id = idText(batch!, row);
        found.firstId ??= id;
        found.lastId = id;
        found.events += 1;
        if (ids.length < most) ids.push(id);
      }
    }
  }
  return { ...found, ids: found.events > ids.length ? null : ids };
}
