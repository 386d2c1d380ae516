import type { StoreStatus } from '../../core/status.ts';
import type { TimelineFacts } from '../parts/timeline-geometry.ts';

export function timelineFacts(
  { windows, gaps, backups, promises }: StoreStatus,
  nowMs: number,
): TimelineFacts {
  return { windows, gaps, backups, rpoMs: promises.rpoMs, nowMs };
}
