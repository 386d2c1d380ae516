import type { Vault } from '../core/vault.ts';
import { type DeposedMark, listDeposed } from '../format/deposed-mark.ts';
import { readNewestPrimary } from '../format/disaster-primary.ts';

/** Who may hold the lease of a store's primary: what guards and fences must agree on. */

/** One for each store: what follows one another by promotion has one system identifier. */
export function primaryLease(systemIdentifier: string): string {
  return `primary-${systemIdentifier}`;
}

/** A server that could be a primary. */
export interface Claimant {
  readonly systemIdentifier: string;
  readonly timeline: number;
}

/** Why a server must not be open, whoever has the lease; null where nothing in the vault forbids it. Throws what a vault throws. */
export async function findRefusal(vault: Vault, claimant: Claimant): Promise<string | null> {
  const { systemIdentifier, timeline } = claimant;
  const [marks, newest] = await Promise.all([listDeposed(vault, systemIdentifier), readNewestPrimary(vault)]);
  const mark = marks.findLast((one) => one.timeline >= timeline);
  if (mark !== undefined) return whoDeposed(mark, timeline);
  const { record, unreadable } = newest;
  if (unreadable.length > 0)
    return `${unreadable[0]} cannot be read: it may say that another server is the primary`;
  if (record === null) return null;
  const { server, planId } = record;
  if (record.systemIdentifier !== systemIdentifier)
    return `plan ${planId} made ${server} the primary: another system, ${record.systemIdentifier} and not ${systemIdentifier}`;
  if (record.timeline === null || record.timeline <= timeline) return null;
  return `plan ${planId} made ${server} the primary, on timeline ${record.timeline}: this is on ${timeline}`;
}

function whoDeposed({ by, timeline: newest }: DeposedMark, timeline: number): string {
  if (by === 'guard') return `a later primary has written, on timeline ${newest + 1}: this is on ${timeline}`;
  return `plan ${by} fences servers up to timeline ${newest}: this is on ${timeline}`;
}
