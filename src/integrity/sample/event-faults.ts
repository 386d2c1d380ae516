import { type EventBatch, NULL_LENGTH, type Spans } from '../../core/event-batch.ts';
import { hasEmptyField } from '../../core/event-facts.ts';
import { objectKeys } from '../../format/json-keys.ts';
import { isJson } from '../../format/json-value.ts';

/** What can be seen of an event alone that no application writes. */
export const EVENT_FAULTS = {
  event_fields_empty: 'has an empty id, stream or type',
  event_version_low: 'has a version below the first one that a stream can have',
  event_time_odd: 'was recorded in the future or before 1970, by its time',
  event_payload_malformed: 'has data or metadata that are no JSON',
  event_metadata_missing: 'lacks metadata that the configuration requires',
} as const;

export type EventFault = keyof typeof EVENT_FAULTS;

export interface FaultLimits {
  readonly versionBase: number;
  /** Microseconds since 2000. */
  readonly futureAfter: bigint;
  readonly requiredMetadata: readonly string[];
}

/** 1970, in microseconds since 2000: no application of event stores is older. */
const EARLIEST = -946_684_800_000_000n;

/** The first fault of an event; null when there is none. */
export function faultOf(batch: EventBatch, row: number, limits: FaultLimits): EventFault | null {
  if (hasEmptyField(batch, row)) return 'event_fields_empty';
  if (batch.versions[row]! < limits.versionBase) return 'event_version_low';
  const time = batch.times[row]!;
  if (time > limits.futureAfter || time < EARLIEST) return 'event_time_odd';
  if (!batch.jsonIsCompact && !(isPayload(batch, batch.data, row) && isPayload(batch, batch.metadata, row)))
    return 'event_payload_malformed';
  return hasMetadata(batch, row, limits.requiredMetadata) ? null : 'event_metadata_missing';
}

function isPayload({ bytes }: EventBatch, { starts, lengths }: Spans, row: number): boolean {
  const length = lengths[row]!;
  return length === NULL_LENGTH || isJson(bytes, starts[row]!, starts[row]! + length);
}

function hasMetadata(batch: EventBatch, row: number, required: readonly string[]): boolean {
  if (required.length === 0) return true;
  const { bytes, metadata } = batch;
  const [start, length] = [metadata.starts[row]!, metadata.lengths[row]!];
  if (length === NULL_LENGTH) return false;
  const missing = new Set(required);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (const key of objectKeys(text, start, start + length)) missing.delete(key);
  return missing.size === 0;
}
