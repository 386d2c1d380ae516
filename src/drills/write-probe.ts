import { randomUUID } from 'node:crypto';
import type { DrillTarget } from '../core/drill-target.ts';
import { isBackupError } from '../core/errors.ts';
import { proofFailed } from './points.ts';

/**
 * A restored store can be gone on with: an append is taken, numbered and read back, one that expects another version is refused, and
 * what keeps events as they are is in force. Throws `verification_failed`, or what the store throws.
 */
export async function probeWrites({
  store,
  tryGuards,
}: DrillTarget): Promise<Record<string, string | boolean>> {
  const { versionBase } = await store.inspect();
  const streamId = `eventcore-drill-${randomUUID()}`;
  const event = (n: number) => ({ type: 'DrillProbe', data: `{"n":${n}}` });
  const base = BigInt(versionBase);
  await store.append([{ streamId, expectedVersion: base - 1n, events: [event(1), event(2)] }]);
  const read = await store.readStream(streamId);
  const isRight =
    read.length === 2 &&
    read.every(({ version, type, data }, i) => {
      const { n } = JSON.parse(data) as { n: number };
      return version === base + BigInt(i) && type === 'DrillProbe' && n === i + 1;
    });
  if (!isRight) throw proofFailed('what was appended to the restored store does not read back');
  try {
    await store.append([{ streamId, expectedVersion: base, events: [event(3)] }]);
  } catch (error) {
    if (!isBackupError(error, 'version_conflict')) throw error;
    return { appended: true, conflictRefused: true, ...(await guardsOf(streamId, tryGuards)) };
  }
  throw proofFailed('the restored store took an append that expected another version');
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
