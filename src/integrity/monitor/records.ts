import { isBackupError } from '../../core/errors.ts';
import type { Lease } from '../../core/lease.ts';
import type { OwedNotice } from '../../core/monitor-state.ts';
import type { ObjectInfo, Vault } from '../../core/vault.ts';
import { writeObject } from '../../format/data-file-writer.ts';
import { isFrozen } from '../../format/keep-marks.ts';
import {
  decodeReport,
  decodeSent,
  encodeReport,
  encodeSent,
  MAX_REPORT_BYTES,
  MONITOR_PREFIX,
  type MonitorReport,
  parseReportName,
  type ReportName,
  reportName,
  type SentRecord,
} from '../../format/monitor-report.ts';
import { settle } from '../../policy/owed-notices.ts';
import { thinReports } from '../../policy/thin-reports.ts';

/** Where a run goes on from. */
export interface MonitorRecord {
  /** Null: nothing was ever reported, or nothing that can be read. */
  readonly report: MonitorReport | null;
  /** What of its notices was not delivered. */
  readonly owed: readonly OwedNotice[];
  /** Of the newest object, whether it can be read or not; 0 where there is none. */
  readonly newestMs: number;
  /** Reports that were passed over, in words. */
  readonly warnings: readonly string[];
}

/** Reports that are passed over in search of one that can be read. */
const MOST_DAMAGED = 20;

export async function readMonitorRecord(vault: Vault): Promise<MonitorRecord> {
  const names = await listReports(vault);
  const reports = names.filter(({ kind }) => kind === 'report');
  const warnings: string[] = [];
  const newestMs = names.at(-1)?.atMs ?? 0;
  for (const found of reports.slice(-MOST_DAMAGED).reverse()) {
    const report = await readDecoded(vault, found, decodeReport);
    if (report?.runId !== found.runId) {
      warnings.push(`${found.name} is no report of the monitor, or was changed: an older one is used`);
      continue;
    }
    const mark = names.find(
      ({ kind, runId, atMs }) => kind === 'sent' && runId === found.runId && atMs === found.atMs,
    );
    const sent = mark === undefined ? null : await readDecoded(vault, mark, decodeSent);
    return { report, owed: settle(report.owed, sent?.sent ?? []), newestMs, warnings };
  }
  return { report: null, owed: [], newestMs, warnings };
}

/** The newest reports that can be read, the oldest of them first. */
export async function readHistory(vault: Vault, last: number): Promise<MonitorReport[]> {
  const names = (await listReports(vault)).filter(({ kind }) => kind === 'report');
  const reports: MonitorReport[] = [];
  for (const found of names.slice(-last)) {
    const report = await readDecoded(vault, found, decodeReport);
    if (report !== null) reports.push(report);
  }
  return reports;
}

interface FoundReport extends ReportName {
  readonly sizeBytes: number;
}

/** By their times. */
async function listReports(vault: Vault): Promise<FoundReport[]> {
  const found: FoundReport[] = [];
  for await (const { name, sizeBytes } of vault.list(MONITOR_PREFIX)) {
    const parsed = parseReportName(name);
    if (parsed !== null) found.push({ ...parsed, sizeBytes });
  }
  return found.sort((a, b) => a.atMs - b.atMs);
}

/** Null when it cannot be read, or is gone. */
async function readDecoded<Record>(
  vault: Vault,
  { name, sizeBytes }: Pick<ObjectInfo, 'name' | 'sizeBytes'>,
  decode: (bytes: Uint8Array) => Record | null,
): Promise<Record | null> {
  if (sizeBytes > MAX_REPORT_BYTES) return null;
  try {
    return decode(await vault.readRange(name, 0, sizeBytes));
  } catch (error) {
    if (isBackupError(error, 'vault_object_missing', 'damaged', 'object_archived')) return null;
    throw error;
  }
}

/**
 * Names grow whatever clocks do, since each is later than the newest that is there: so the newest is the last that was written, under the
 * lease. Gives the time in the name.
 */
export async function writeReport(
  vault: Vault,
  report: MonitorReport,
  times: { readonly newestMs: number; readonly nowMs: number },
): Promise<number> {
  const atMs = Math.max(times.nowMs, times.newestMs + 1);
  await writeObject(vault, reportName(atMs, report.runId, 'report'), encodeReport(report));
  return atMs;
}

export function writeSent(vault: Vault, atMs: number, record: SentRecord): Promise<void> {
  return writeObject(vault, reportName(atMs, record.runId, 'sent'), encodeSent(record));
}

/** Each run; what a vault does not let go is tried again, and no more of it than that. */
const MOST_REMOVALS = 64;

/** Removes what is in no trend any more. Gives how many. Nothing goes while the vault is frozen. */
export async function removeOldReports(vault: Vault, lease: Lease): Promise<number> {
  const names = thinReports(await listReports(vault));
  if (names.length === 0 || (await isFrozen(vault))) return 0;
  let removed = 0;
  for (const name of names.slice(0, MOST_REMOVALS)) {
    lease.assertHeld();
    try {
      await vault.removeObject(name);
    } catch (error) {
      // A lock that has not ended yet.
      if (isBackupError(error, 'vault_refused')) return removed;
      throw error;
    }
    removed += 1;
  }
  return removed;
}
