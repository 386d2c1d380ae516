import type { OpenAlert, OwedNotice } from '../core/monitor-state.ts';
import { isOpen, isOwed, pickOpen, pickOwed } from './monitor-report.ts';
import {
  cut,
  decodeRecord,
  encodeRecord,
  isCount,
  isFields,
  isInstant,
  isListOf,
  isText,
  type RecordKind,
} from './record.ts';

/** What daemons have told, and still have to tell, about the store of a vault (FORMAT.md §24 is normative). The newest one counts. */
export interface AlertMemory {
  readonly number: number;
  /** RFC 3339, with milliseconds. */
  readonly at: string;
  /** Which process wrote it, for people. */
  readonly daemon: string;
  readonly software: string;
  readonly open: readonly OpenAlert[];
  readonly owed: readonly OwedNotice[];
}

export const ALERTS_PREFIX = 'alerts/';
export const MAX_ALERT_MEMORY_BYTES = 4 << 20;
const NAME = /^alerts\/(\d{12})\.json$/;

export function alertMemoryName(number: number): string {
  return `${ALERTS_PREFIX}${String(number).padStart(12, '0')}.json`;
}

/** Null when an object of this name is none. */
export function parseAlertMemoryName(name: string): number | null {
  const number = Number(NAME.exec(name)?.[1] ?? 0);
  return number === 0 ? null : number;
}

const KIND: RecordKind<AlertMemory> = {
  what: 'the record of what was told',
  versionKey: 'alertsVersion',
  signed: null,
  maxBytes: MAX_ALERT_MEMORY_BYTES,
  isOne: ({ number, at, daemon, software, open, owed }) =>
    isCount(number) &&
    isInstant(at) &&
    [daemon, software].every(isText) &&
    isListOf(open, (one) => isFields(one) && isOpen(one as Record<string, unknown>)) &&
    isListOf(owed, (one) => isFields(one) && isOwed(one as Record<string, unknown>)),
  pick: ({ number, at, daemon, software, open, owed }) => ({
    ...{ number, at, daemon: cut(daemon), software: cut(software) },
    ...{ open: open.map(pickOpen), owed: owed.map(pickOwed) },
  }),
};

export function encodeAlertMemory(memory: AlertMemory): Buffer {
  return encodeRecord(KIND, memory, null);
}

/** Throws `damaged`. */
export function decodeAlertMemory(bytes: Uint8Array): AlertMemory {
  return decodeRecord(KIND, bytes);
}
