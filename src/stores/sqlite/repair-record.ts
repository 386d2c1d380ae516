import os from 'node:os';
import type { DatabaseSync } from 'node:sqlite';
import type { RepairKind } from '../../core/finding.ts';
import { nameText } from '../../core/name-text.ts';
import { SQLITE_REPAIRS } from '../layouts/eventcore-sqlite.ts';
import type { SqliteConfig } from './config.ts';

/** The transaction of one repair. */
export interface SqliteRepair {
  readonly db: DatabaseSync;
  readonly config: SqliteConfig;
  readonly repairId: string;
  readonly withoutIndexes: boolean;
  /** SQL name of what tells rows apart. */
  readonly key: string;
}

/** A row as JSON: numbers in all their digits, bytes that are no UTF-8 as `base64:`. */
export function rowText(row: Readonly<Record<string, unknown>>): string {
  const members = Object.entries(row).map(([name, value]) => {
    const text = value instanceof Uint8Array ? nameText(value) : value;
    return `${JSON.stringify(name)}:${typeof text === 'bigint' ? String(text) : JSON.stringify(text)}`;
  });
  return `{${members.join(',')}}`;
}

export interface RecordEntry {
  readonly kind: RepairKind;
  readonly reason: string;
  readonly before: string | null;
  readonly event: { readonly streamId: string; readonly version: bigint | null; readonly id: string } | null;
  readonly sha256After: string | null;
}

export function record({ db, repairId }: SqliteRepair, entry: RecordEntry): void {
  const { kind, reason, before, event, sha256After } = entry;
  db.prepare(
    `INSERT INTO main.${SQLITE_REPAIRS.table}
       (repair_id, repaired_by, kind, reason, stream_id, stream_version, event_id, row_before, sha256_after)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    ...[repairId, userName(), kind, reason],
    ...[event?.streamId ?? null, event?.version ?? null, event?.id ?? null],
    ...[before, sha256After],
  );
}

/** A process may run as a user that the system has no name for. */
function userName(): string | null {
  try {
    return os.userInfo().username;
  } catch {
    return null;
  }
}
