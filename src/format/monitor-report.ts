import crypto from 'node:crypto';
import type { AlertSize, BlindCount, OpenAlert, OwedNotice } from '../core/monitor-state.ts';
import { formatTime, parseTime, timeFromUnixMs, timeToUnixMs } from '../core/time.ts';
import { isTooDeep } from './json-depth.ts';

/** What a run of the monitor leaves (FORMAT.md §20 is normative). It names no stream and holds no payload. */
export interface MonitorReport {
  readonly runId: string;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly durationMs: number;
  readonly software: string;
  readonly outcome: MonitorOutcome;
  readonly checks: readonly CheckCount[];
  readonly looked: LookedCount;
  /** How far the sweep is; null: nothing was swept. Its reader checks it. */
  readonly sweep: object | null;
  readonly blind: readonly BlindCount[];
  readonly open: readonly OpenAlert[];
  readonly owed: readonly OwedNotice[];
}

export const MONITOR_OUTCOMES = ['sound', 'risk', 'damaged', 'put_off', 'blind'] as const;
/** `put_off`: not now, since replication lags; `blind`: store or backups could not be looked at. */
export type MonitorOutcome = (typeof MONITOR_OUTCOMES)[number];

export interface CheckCount extends AlertSize {
  readonly name: string;
  readonly verdict: CheckVerdict;
}

export const CHECK_VERDICTS = ['sound', 'found', 'failed', 'skipped'] as const;
export type CheckVerdict = (typeof CHECK_VERDICTS)[number];

export interface LookedCount {
  readonly blocks: number;
  readonly buckets: number;
  readonly streams: number;
  readonly events: number;
  /** Events that were held against a backup, and its id. */
  readonly compared: number;
  readonly comparedWith: string | null;
}

/** Which of the owed notices of a report were delivered, and to whom. */
export interface SentRecord {
  readonly runId: string;
  /** RFC 3339. */
  readonly sentAt: string;
  readonly sent: readonly { readonly id: string; readonly to: readonly string[] }[];
}

export const MONITOR_PREFIX = 'integrity/monitor/';
/** Anything larger is no report. */
export const MAX_REPORT_BYTES = 4 << 20;

const NAME =
  /^integrity\/monitor\/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(-sent)?\.json$/;

export interface ReportName {
  readonly name: string;
  /** Milliseconds since 1970. Grows from report to report, whatever clocks do. */
  readonly atMs: number;
  readonly runId: string;
  readonly kind: 'report' | 'sent';
}

export function reportName(atMs: number, runId: string, kind: ReportName['kind']): string {
  const time = formatTime(timeFromUnixMs(atMs), 3).replace(/[-:.]/g, '');
  return `${MONITOR_PREFIX}${time}-${runId}${kind === 'sent' ? '-sent' : ''}.json`;
}

/** Null for the name of anything else. */
export function parseReportName(name: string): ReportName | null {
  const [, year, month, day, hour, minute, second, ms, runId, sent] = NAME.exec(name) ?? [];
  if (runId === undefined) return null;
  const time = parseTime(`${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`);
  if (time === null) return null;
  return { name, atMs: timeToUnixMs(time), runId, kind: sent === undefined ? 'report' : 'sent' };
}

export function encodeReport(report: MonitorReport): Buffer {
  const { runId, startedAt, durationMs, software, outcome, looked, sweep, blind } = report;
  return encode({
    ...{ reportVersion: 1, runId, startedAt, durationMs, software, outcome },
    checks: report.checks.map(({ name, verdict, findings, events }) => ({ name, verdict, findings, events })),
    looked: pickLooked(looked),
    sweep,
    blind: blind.map(({ cause, times }) => ({ cause, times })),
    open: report.open.map(pickOpen),
    owed: report.owed.map(pickOwed),
  });
}

export function encodeSent({ runId, sentAt, sent }: SentRecord): Buffer {
  return encode({ sentVersion: 1, runId, sentAt, sent: sent.map(({ id, to }) => ({ id, to: [...to] })) });
}

function pickLooked({ blocks, buckets, streams, events, compared, comparedWith }: LookedCount): LookedCount {
  return { blocks, buckets, streams, events, compared, comparedWith };
}

export function pickOpen(alert: OpenAlert): OpenAlert {
  const { check, place, severity, findings, events, since, seenRound, told } = alert;
  const { at, severity: toldSeverity, sizeClass, to } = told;
  const said = { at, severity: toldSeverity, sizeClass, ...(to === undefined ? {} : { to: [...to] }) };
  return { check, place, severity, findings, events, since, seenRound, told: said };
}

export function pickOwed(notice: OwedNotice): OwedNotice {
  const { id, check, place, state, severity, findings, events, since, at, to } = notice;
  return { id, check, place, state, severity, findings, events, since, at, to: [...to] };
}

/** In the form of a manifest: the last key holds a checksum of all before it. */
function encode(fields: object): Buffer {
  const checksum = crypto.hash('sha256', JSON.stringify(fields, null, 2), 'hex');
  return Buffer.from(`${JSON.stringify({ ...fields, checksum }, null, 2)}\n`);
}

/** Null for anything that is not, byte for byte, what a report of this version encodes to. */
export function decodeReport(bytes: Uint8Array): MonitorReport | null {
  const { reportVersion: _version, checksum: _checksum, ...value } = parse(bytes) ?? {};
  return isReport(value) && encodeReport(value).equals(bytes) ? value : null;
}

export function decodeSent(bytes: Uint8Array): SentRecord | null {
  const { sentVersion: _version, checksum: _checksum, ...value } = parse(bytes) ?? {};
  return isSent(value) && encodeSent(value).equals(bytes) ? value : null;
}

type Fields = Record<string, unknown>;

function parse(bytes: Uint8Array): Fields | null {
  try {
    const value: unknown = JSON.parse(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'),
    );
    return isRecord(value) && !isTooDeep(value) ? value : null;
  } catch {
    return null;
  }
}

function isReport(value: Fields): value is Fields & MonitorReport {
  return (
    [value.runId, value.software].every(isText) &&
    isInstant(value.startedAt) &&
    isCount(value.durationMs) &&
    MONITOR_OUTCOMES.includes(value.outcome as MonitorOutcome) &&
    isLooked(value.looked) &&
    (value.sweep === null || isRecord(value.sweep)) &&
    isListOf(value.checks, isCheck) &&
    isListOf(value.blind, ({ cause, times }) => isText(cause) && isCount(times)) &&
    isListOf(value.open, isOpen) &&
    isListOf(value.owed, isOwed)
  );
}

function isSent(value: Fields): value is Fields & SentRecord {
  const isOne = ({ id, to }: Fields): boolean => isText(id) && isTexts(to);
  return isText(value.runId) && isInstant(value.sentAt) && isListOf(value.sent, isOne);
}

function isCheck({ name, verdict, ...size }: Fields): boolean {
  return isText(name) && CHECK_VERDICTS.includes(verdict as CheckVerdict) && isSize(size);
}

function isLooked(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { blocks, buckets, streams, events, compared, comparedWith } = value;
  return (
    [blocks, buckets, streams, events, compared].every(isCount) &&
    (comparedWith === null || isText(comparedWith))
  );
}

export function isOpen({ check, place, severity, since, seenRound, told, ...size }: Fields): boolean {
  if (![check, place].every(isText) || !isSeverity(severity) || !isInstant(since) || !isSize(size))
    return false;
  if (!isCount(seenRound) || !isRecord(told)) return false;
  return isInstant(told.at) && isSeverity(told.severity) && isCount(told.sizeClass) && isTold(told);
}

export function isOwed({ id, check, place, state, severity, since, at, to, ...size }: Fields): boolean {
  const texts = [id, check, place];
  return (
    texts.every(isText) &&
    ['raised', 'repeated', 'resolved'].includes(state as string) &&
    isSeverity(severity) &&
    isInstant(since) &&
    isInstant(at) &&
    isSize(size) &&
    isTexts(to)
  );
}

function isSize({ findings, events }: Fields): boolean {
  return isCount(findings) && isCount(events);
}

function isListOf(value: unknown, isOne: (one: Fields) => boolean): boolean {
  return Array.isArray(value) && value.every((one) => isRecord(one) && isOne(one));
}

function isSeverity(value: unknown): boolean {
  return value === 'warning' || value === 'critical';
}

function isInstant(value: unknown): boolean {
  return isText(value) && parseTime(value as string) !== null;
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}

function isTold({ to }: Fields): boolean {
  return to === undefined || isTexts(to);
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every(isText);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
