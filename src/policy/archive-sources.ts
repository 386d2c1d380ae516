import type { RegionPolicy } from '../core/region-policy.ts';
import { longestKeptMs } from './contradictions.ts';
import { DAY_MS } from './duration.ts';

/**
 * Names of the regions from which chains go into the archive: the primary, and where it may have let go of them by then, the
 * replicas too. Each of them keeps what is not archived yet.
 */
export function archiveSources({ primary, replicas, archive }: RegionPolicy): readonly string[] {
  if (archive === null) return [];
  const keptMs = longestKeptMs(primary.retention, null);
  const isEnough = keptMs !== null && keptMs > archive.afterDays * DAY_MS;
  return [primary, ...(isEnough ? [] : replicas)].map(({ region }) => region);
}
