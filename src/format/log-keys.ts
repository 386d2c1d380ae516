import type { Vault } from '../core/vault.ts';
import { readKeyRecords, unwrapKey } from './key-record.ts';
import type { LogKeys, LogTimeline } from './log-catalog.ts';
import { logScope } from './log-name.ts';
import type { ReadKeys } from './open-bundle.ts';
import type { SealKey } from './seal.ts';

/** The same logs, to be read with these keys. Nothing is opened yet. */
export function openLogs(
  vault: Vault,
  timelines: readonly LogTimeline[],
  keys: Pick<ReadKeys, 'ring' | 'trust'>,
): LogTimeline[] {
  return timelines.map((timeline) => ({ ...timeline, keys: openLogKeys(vault, timeline.folder, keys) }));
}

function openLogKeys(
  vault: Vault,
  folder: string,
  { ring, trust }: Pick<ReadKeys, 'ring' | 'trust'>,
): LogKeys {
  const opened = new Map<string, Promise<SealKey>>();
  const open = async (keyId: string): Promise<SealKey> => {
    const records = await readKeyRecords(vault, folder, keyId);
    return unwrapKey(records.get(keyId), { keyId, scope: logScope(folder) }, ring);
  };
  return {
    trust,
    keyOf: (keyId) => {
      const key = opened.get(keyId) ?? open(keyId);
      opened.set(keyId, key);
      return key;
    },
  };
}
