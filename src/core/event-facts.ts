import { type EventBatch, MAX_VERSION, NULL_LENGTH } from './event-batch.ts';
import { TIME_INFINITY, TIME_MINUS_INFINITY } from './time.ts';

/**
 * What a set of events says of itself, counted once when it is backed up and again when it is verified. What the
 * store itself had wrong (an empty name, a time in the future) is counted too: equal counts mean that it was
 * always so and is no damage.
 */
export interface EventFacts {
  events: number;
  minTime: bigint;
  maxTime: bigint;
  minVersion: number;
  maxVersion: number;
  /** Events with an empty or nil id, an empty stream id or an empty type. */
  emptyFields: number;
  /** Events whose version lies below the layout's base. */
  belowBase: number;
  /** Events recorded later than the limit that the backup sets. */
  futureTimes: number;
}

export interface FactLimits {
  readonly versionBase: number;
  /** Microseconds since 2000. */
  readonly futureAfter: bigint;
}

export function makeFacts(): EventFacts {
  return {
    events: 0,
    minTime: TIME_INFINITY,
    maxTime: TIME_MINUS_INFINITY,
    minVersion: MAX_VERSION,
    maxVersion: -MAX_VERSION,
    emptyFields: 0,
    belowBase: 0,
    futureTimes: 0,
  };
}

export function factsOf(batch: Omit<EventBatch, 'data' | 'metadata'>, limits: FactLimits): EventFacts {
  const facts = makeFacts();
  facts.events = batch.count;
  for (let row = 0; row < batch.count; row += 1) {
    const time = batch.times[row]!;
    if (time < facts.minTime) facts.minTime = time;
    if (time > facts.maxTime) facts.maxTime = time;
    if (time > limits.futureAfter) facts.futureTimes += 1;
    const version = batch.versions[row]!;
    if (version < facts.minVersion) facts.minVersion = version;
    if (version > facts.maxVersion) facts.maxVersion = version;
    if (version < limits.versionBase) facts.belowBase += 1;
    if (hasEmptyField(batch, row)) facts.emptyFields += 1;
  }
  return facts;
}

export function mergeFacts(facts: EventFacts, other: EventFacts): void {
  facts.events += other.events;
  if (other.minTime < facts.minTime) facts.minTime = other.minTime;
  if (other.maxTime > facts.maxTime) facts.maxTime = other.maxTime;
  facts.minVersion = Math.min(facts.minVersion, other.minVersion);
  facts.maxVersion = Math.max(facts.maxVersion, other.maxVersion);
  facts.emptyFields += other.emptyFields;
  facts.belowBase += other.belowBase;
  facts.futureTimes += other.futureTimes;
}

/** Whether its id is empty or nil, or its stream or type is empty. */
export function hasEmptyField(
  batch: Pick<EventBatch, 'id' | 'idKind' | 'stream' | 'type' | 'bytes'>,
  row: number,
): boolean {
  const streamLength = batch.stream.lengths[row]!;
  const typeLength = batch.type.lengths[row]!;
  const idLength = batch.id.lengths[row]!;
  if (streamLength === 0 || typeLength === 0 || idLength === 0) return true;
  if (streamLength === NULL_LENGTH || typeLength === NULL_LENGTH || idLength === NULL_LENGTH) return true;
  return batch.idKind === 'uuid' && isNil(batch.bytes, batch.id.starts[row]!);
}

function isNil(bytes: Uint8Array, start: number): boolean {
  for (let i = start; i < start + 16; i += 1) if (bytes[i] !== 0) return false;
  return true;
}
