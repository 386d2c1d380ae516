import { BackupError, isBackupError } from '../core/errors.ts';
import type { OpenAlert, OwedNotice } from '../core/monitor-state.ts';
import type { Vault } from '../core/vault.ts';
import {
  ALERTS_PREFIX,
  type AlertMemory,
  alertMemoryName,
  decodeAlertMemory,
  encodeAlertMemory,
  MAX_ALERT_MEMORY_BYTES,
  parseAlertMemoryName,
} from '../format/alert-memory.ts';
import { putRecord, readRecord } from '../format/record.ts';

/** What was told and what is owed, as of a number: 0 where nothing ever was. */
export interface Told {
  readonly number: number;
  readonly open: readonly OpenAlert[];
  readonly owed: readonly OwedNotice[];
}

export const NOTHING_TOLD: Told = { number: 0, open: [], owed: [] };

/** So many records stay. */
const KEPT = 8;

/** The newest that can be read, under the number of the newest there is. */
export async function readTold(vault: Vault): Promise<Told> {
  const numbers = await listNumbers(vault);
  const number = numbers.at(-1) ?? 0;
  for (const one of numbers.toReversed()) {
    const record = await readOne(vault, one);
    if (record !== null) return { number, open: record.open, owed: record.owed };
  }
  return { ...NOTHING_TOLD, number };
}

async function listNumbers(vault: Vault): Promise<number[]> {
  const numbers: number[] = [];
  for await (const { name } of vault.list(ALERTS_PREFIX)) {
    const number = parseAlertMemoryName(name);
    if (number !== null) numbers.push(number);
  }
  return numbers.sort((a, b) => a - b);
}

/** Null when it is damaged, or another version's. */
async function readOne(vault: Vault, number: number): Promise<AlertMemory | null> {
  try {
    const bytes = await readRecord(vault, alertMemoryName(number), MAX_ALERT_MEMORY_BYTES);
    const record = bytes === null ? null : decodeAlertMemory(bytes);
    return record?.number === number ? record : null;
  } catch (error) {
    if (isBackupError(error, 'damaged', 'object_archived')) return null;
    throw error;
  }
}

/**
 * Writes what is told now as the next number, and removes the oldest. Throws `lease_held` where another daemon has taken that number: it
 * tells now. Who was held up so long that its number is free again sees later ones.
 */
export async function writeTold(vault: Vault, record: AlertMemory): Promise<void> {
  const isMine = await putRecord(vault, alertMemoryName(record.number), encodeAlertMemory(record));
  const numbers = await listNumbers(vault);
  if (!isMine || numbers.at(-1) !== record.number) {
    throw new BackupError('lease_held', 'another daemon tells what is wrong', {
      hint: 'this one stands by for it',
    });
  }
  for (const old of numbers.slice(0, -KEPT)) await removeOne(vault, alertMemoryName(old));
}

async function removeOne(vault: Vault, name: string): Promise<void> {
  try {
    await vault.removeObject(name);
  } catch (error) {
    // A lock that has not ended yet: it goes later.
    if (!isBackupError(error, 'vault_refused')) throw error;
  }
}
