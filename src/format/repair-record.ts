import crypto from 'node:crypto';
import { REPAIR_KINDS, type RepairKind } from '../core/finding.ts';
import { parseTime } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import { isTooDeep } from './json-depth.ts';

/**
 * Word of a repair of a live store, in the vault (FORMAT.md §19 is normative): one before it begins, one when it is over. Without the second
 * one it died. It names no stream and no payload; those are in the store's own record.
 */
export type RepairRecord = RepairIntent | RepairOutcome;

export interface RepairIntent {
  readonly state: 'intended';
  readonly repairId: string;
  /** RFC 3339. */
  readonly at: string;
  readonly software: string;
  /** The backup that events are taken from. */
  readonly backupId: string | null;
  readonly steps: readonly { readonly kind: RepairKind; readonly count: number }[];
}

export interface RepairOutcome {
  readonly state: 'done';
  readonly repairId: string;
  readonly at: string;
  readonly software: string;
  readonly backupId: string | null;
  readonly steps: readonly {
    readonly kind: RepairKind;
    readonly count: number;
    readonly outcome: RepairStepOutcome;
  }[];
}

export const STEP_OUTCOMES = ['repaired', 'refused', 'failed'] as const;
export type RepairStepOutcome = (typeof STEP_OUTCOMES)[number];

export const REPAIRS_PREFIX = 'integrity/repairs/';
/** A record is small; anything larger is none. */
export const MAX_REPAIR_RECORD_BYTES = 1 << 20;

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** By time and id of the repair: both records of one lie side by side. */
export function repairRecordName({ repairId, state }: RepairRecord, beganAt: string): string {
  const time = beganAt.replaceAll(/[-:]/g, '').replace(/\.\d+/, '');
  return `${REPAIRS_PREFIX}${time}-${repairId}${state === 'done' ? '-done' : ''}.json`;
}

const NAME =
  /^integrity\/repairs\/(\d{8}T\d{6}Z)-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(-done)?\.json$/;

export interface UnfinishedRepair {
  readonly repairId: string;
  /** When it began, to the second. */
  readonly beganAt: string;
}

export interface ListedRepair extends UnfinishedRepair {
  /** False: it died, or is under way. */
  readonly isOver: boolean;
  /** The newest record of it. */
  readonly record: { readonly name: string; readonly sizeBytes: number };
}

/** Repairs that are on record, oldest first. Told by a listing. */
export async function listRepairs(vault: Vault): Promise<ListedRepair[]> {
  const repairs = new Map<string, ListedRepair>();
  for await (const { name, sizeBytes } of vault.list(REPAIRS_PREFIX)) {
    const [, time, repairId, done] = NAME.exec(name) ?? [];
    if (time === undefined || repairId === undefined) continue;
    const isOver = done !== undefined;
    if (!isOver && repairs.has(repairId)) continue;
    const beganAt = time.replace(TIME, '$1-$2-$3T$4:$5:$6Z');
    repairs.set(repairId, { repairId, beganAt, isOver, record: { name, sizeBytes } });
  }
  return [...repairs.values()];
}

/** Repairs that have not ended, oldest first: they died, or are under way. */
export async function listUnfinishedRepairs(vault: Vault): Promise<UnfinishedRepair[]> {
  const open = (await listRepairs(vault)).filter(({ isOver }) => !isOver);
  return open.map(({ repairId, beganAt }) => ({ repairId, beganAt }));
}

const TIME = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;

export function encodeRepairRecord(record: RepairRecord): Buffer {
  const { state, repairId, at, software, backupId, steps } = record;
  const listed = steps.map((step) => {
    const { kind, count } = step;
    return 'outcome' in step ? { kind, count, outcome: step.outcome } : { kind, count };
  });
  const fields = { repairVersion: 1, state, repairId, at, software, backupId, steps: listed };
  const checksum = crypto.hash('sha256', JSON.stringify(fields, null, 2), 'hex');
  return Buffer.from(`${JSON.stringify({ ...fields, checksum }, null, 2)}\n`);
}

/** Null for anything that is not, byte for byte, what a record of this version encodes to. */
export function decodeRepairRecord(bytes: Uint8Array): RepairRecord | null {
  if (bytes.length > MAX_REPAIR_RECORD_BYTES) return null;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  try {
    const value = JSON.parse(text) as unknown;
    if (isTooDeep(value) || !isRecord(value)) return null;
    return encodeRepairRecord(value).equals(bytes) ? value : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is RepairRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { state, repairId, at, software, backupId, steps } = value as Record<string, unknown>;
  if (state !== 'intended' && state !== 'done') return false;
  if (typeof repairId !== 'string' || !UUID.test(repairId)) return false;
  if (typeof at !== 'string' || parseTime(at) === null || typeof software !== 'string') return false;
  if (backupId !== null && typeof backupId !== 'string') return false;
  return Array.isArray(steps) && steps.every((step) => isStep(step, state === 'done'));
}

function isStep(value: unknown, hasOutcome: boolean): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, count, outcome } = value as Record<string, unknown>;
  if (!(REPAIR_KINDS as readonly unknown[]).includes(kind)) return false;
  if (!Number.isSafeInteger(count) || (count as number) < 0) return false;
  return hasOutcome ? (STEP_OUTCOMES as readonly unknown[]).includes(outcome) : outcome === undefined;
}
