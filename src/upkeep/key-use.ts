import { isBackupError } from '../core/errors.ts';
import type { Vault } from '../core/vault.ts';
import { parseKeyRecordName } from '../format/key-record.ts';
import { readLogBlocks } from '../format/log-reader.ts';
import type { LogFacts, LogFileFacts, VaultFacts } from '../policy/retention-facts.ts';
import { type LogWindow, planLogs } from '../policy/retention-log.ts';

/** Above that, key records wait until a log is shorter or gone: they are small. */
const MOST_FILES = 2000;

/**
 * Which files of a log are sealed with which of its keys, by their headers. Only where files are about to go: then some keys may
 * have nothing left to open.
 */
export async function withKeyUse(
  vault: Vault,
  facts: VaultFacts,
  window: LogWindow | null,
  nowMs: number,
): Promise<LogFacts[]> {
  const plans = new Map(planLogs(facts, window, nowMs).map(({ folder, objects }) => [folder, objects]));
  const logs: LogFacts[] = [];
  for (const log of facts.logs) {
    const goes = plans.get(log.folder)!.some(({ item, kept }) => item.kind === 'file' && !kept);
    const use = goes && log.keyRecords.length > 0 ? await readKeyUse(vault, log) : null;
    const keyRecords = log.keyRecords.map((record) => {
      const { keyId } = parseKeyRecordName(record.name.slice(log.folder.length))!;
      return { ...record, files: use === null ? null : (use.get(keyId) ?? []) };
    });
    logs.push({ ...log, keyRecords });
  }
  return logs;
}

/** Null where a file cannot be read: what it is sealed with is not known. */
async function readKeyUse(vault: Vault, { spans, covered }: LogFacts): Promise<Map<string, string[]> | null> {
  const files: LogFileFacts[] = [...spans.flatMap((span) => span.files), ...covered];
  if (files.length > MOST_FILES) return null;
  const use = new Map<string, string[]>();
  try {
    for (const file of files) {
      for await (const { header } of readLogBlocks(vault, [file])) {
        if (header.sealing == null) continue;
        const { keyId } = header.sealing;
        const names = use.get(keyId) ?? [];
        if (names.at(-1) !== file.name) use.set(keyId, [...names, file.name]);
      }
    }
  } catch (error) {
    if (!isBackupError(error, 'damaged', 'store_unsupported')) throw error;
    return null;
  }
  return use;
}
