import type { Objective, StoreStatus } from '../core/status.ts';

/** Whether what the policy promises is kept at an instant: pure, from what is known. One for each promise; none where nothing is promised. */
export function judgeObjectives(_status: StoreStatus, _nowMs: number): Objective[] {
  return [];
}
