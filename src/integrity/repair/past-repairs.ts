import { isBackupError } from '../../core/errors.ts';
import type { Vault } from '../../core/vault.ts';
import {
  decodeRepairRecord,
  type ListedRepair,
  listRepairs,
  MAX_REPAIR_RECORD_BYTES,
  type RepairRecord,
} from '../../format/repair-record.ts';

/** A repair that was made, or begun. */
export interface PastRepair extends Omit<ListedRepair, 'record'> {
  /** The newest word of it; null where it cannot be read. */
  readonly record: RepairRecord | null;
}

/** The newest repairs on record, the oldest of them first. */
export async function readPastRepairs(vault: Vault, last: number): Promise<PastRepair[]> {
  const repairs: PastRepair[] = [];
  for (const listed of (await listRepairs(vault)).slice(-last)) {
    const record = await readRecord(vault, listed.record);
    repairs.push({ ...listed, record: record?.repairId === listed.repairId ? record : null });
  }
  return repairs;
}

async function readRecord(
  vault: Vault,
  { name, sizeBytes }: ListedRepair['record'],
): Promise<RepairRecord | null> {
  if (sizeBytes > MAX_REPAIR_RECORD_BYTES) return null;
  try {
    return decodeRepairRecord(await vault.readRange(name, 0, sizeBytes));
  } catch (error) {
    if (isBackupError(error, 'vault_object_missing', 'damaged', 'object_archived')) return null;
    throw error;
  }
}
