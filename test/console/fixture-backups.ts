import { createHash } from 'node:crypto';
import type { StatusBackup } from '../../src/core/status.ts';

/** Backups as a store of some size makes them: the same at every run. */

export interface BackupsPlan {
  readonly store: string;
  /** Of the newest one. */
  readonly untilMs: number;
  readonly days: number;
  /** A full backup so often, and incremental ones between. */
  readonly fullEveryDays: number;
  readonly everyHours: number;
  /** What the store had at the beginning, and what it gets in a day. */
  readonly startEvents: number;
  readonly eventsPerDay: number;
  readonly sealed: boolean;
  /** All that is older was verified; null: nothing was. */
  readonly verifiedUntilMs: number | null;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Oldest first. */
export function makeBackups(plan: BackupsPlan): StatusBackup[] {
  const { store, untilMs, days, fullEveryDays, everyHours, sealed } = plan;
  const steps = Math.floor((days * 24) / everyHours);
  const backups: StatusBackup[] = [];
  let chainId = '';
  for (let step = 0; step <= steps; step += 1) {
    const stateAtMs = untilMs - (steps - step) * everyHours * HOUR_MS + wobble(store, step) * 40_000;
    const isFull = step % ((fullEveryDays * 24) / everyHours) === 0;
    const backupId = uuidOf(`${store} ${step}`);
    if (isFull) chainId = backupId;
    const events = eventsOf(plan, step, isFull);
    const durationMs = Math.round(900 + events / (210 + 60 * wobble(store, step + 7)));
    backups.push({
      ...{ backupId, kind: isFull ? 'full' : 'incremental', chainId, events, sealed, durationMs },
      stateAt: new Date(stateAtMs).toISOString(),
      finishedAt: new Date(stateAtMs + durationMs).toISOString(),
      sizeBytes: Math.round(events * (74 + 9 * wobble(store, step + 3))) + 21_000,
      ...verificationOf(plan, stateAtMs, step),
    });
  }
  return backups;
}

function eventsOf(
  { store, startEvents, eventsPerDay, everyHours }: BackupsPlan,
  step: number,
  isFull: boolean,
): number {
  const day = (step * everyHours) / 24;
  const rate = 0.35 + 1.3 * wobble(store, step + 11);
  return Math.round(isFull ? startEvents + day * eventsPerDay : (eventsPerDay * everyHours * rate) / 24);
}

function verificationOf(
  { verifiedUntilMs, store }: BackupsPlan,
  stateAtMs: number,
  step: number,
): Pick<StatusBackup, 'verifiedAt' | 'isSound'> {
  if (verifiedUntilMs === null || stateAtMs > verifiedUntilMs) return { verifiedAt: null, isSound: null };
  const atMs = Math.min(verifiedUntilMs, stateAtMs + DAY_MS * (0.4 + 5 * wobble(store, step + 23)));
  return { verifiedAt: new Date(atMs).toISOString(), isSound: true };
}

/** From 0 to 1, always the same for the same. */
export function wobble(seed: string, step: number): number {
  return createHash('sha256').update(`${seed} ${step}`).digest().readUInt32LE(0) / 2 ** 32;
}

export function uuidOf(seed: string): string {
  const hex = createHash('sha256').update(seed).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
