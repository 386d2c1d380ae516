import { randomUUID } from 'node:crypto';
import type { DrillTarget } from '../core/drill-target.ts';
import { probeWrites } from '../integrity/write-probe.ts';
import { proofFailed } from './points.ts';

/**
 * A restored store can be gone on with: it takes writes, and what keeps events as they are is in force. Throws `verification_failed`, or
 * what the store throws.
 */
export async function probeRestored({
  store,
  tryGuards,
}: DrillTarget): Promise<Record<string, string | boolean>> {
  const streamId = `eventcore-drill-${randomUUID()}`;
  await probeWrites(store, { streamId, type: 'DrillProbe' });
  return { appended: true, conflictRefused: true, ...(await guardsOf(streamId, tryGuards)) };
}

async function guardsOf(
  streamId: string,
  tryGuards: DrillTarget['tryGuards'],
): Promise<Record<string, string>> {
  const facts: Record<string, string> = {};
  for (const { statement, outcome } of await tryGuards(streamId)) {
    if (outcome === 'done') throw proofFailed(`the restored store let an ${statement} of an event pass`);
    facts[statement.toLowerCase()] = outcome === 'none' ? 'the layout has no guard' : outcome;
  }
  return facts;
}
