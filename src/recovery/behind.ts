import type { Vault } from '../core/vault.ts';
import { partOf } from '../format/log-header.ts';
import { type LogBlock, readingOf, readLogBlocks } from '../format/log-reader.ts';
import type { RecoveryPlan } from './plan-recovery.ts';

/**
 * How many events the log holds behind the point, in all runs of its timeline: what consumers may have seen, and would see no more. No
 * event is read for it. Null where no log leads to the point. Throws `damaged`.
 */
export async function countBehind(
  vault: Vault,
  { log }: RecoveryPlan,
  signal?: AbortSignal,
): Promise<number | null> {
  if (log === null) return null;
  const { cut } = log.measured;
  if (cut === null) return 0;
  const { timeline } = log.facts;
  let events = 0;
  for (const { files, to } of timeline.spans) {
    if (to <= cut) continue;
    const options = { ...readingOf(timeline), from: cut, signal };
    for await (const block of readLogBlocks(vault, files, options)) events += await eventsFrom(block, cut);
  }
  return events;
}

/** Of one block, the events of transactions that commit at a position or behind it. */
async function eventsFrom(block: LogBlock, cut: bigint): Promise<number> {
  const { firstCommit, lastCommit } = block.header;
  if (firstCommit === null || lastCommit! < cut) return 0;
  if (firstCommit >= cut) return partOf(block.header, 'events')?.records ?? 0;
  const { count, commits, events } = await block.transactions();
  let sum = 0;
  for (let i = 0; i < count; i += 1) if (commits[i]! >= cut) sum += events[i]!;
  return sum;
}
