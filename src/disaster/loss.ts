import type {
  Candidate,
  DataLossEstimate,
  PositionSample,
  PrimaryFinding,
  ServerState,
} from '../core/disaster.ts';
import { formatAge } from '../policy/duration.ts';
import { bytesBetween } from './lsn.ts';
import { findRate, timeOf, type WriteRate } from './rates.ts';

/** What is known of the primary when a loss is estimated. */
export interface LossFacts {
  readonly nowMs: number;
  readonly primary: PrimaryFinding;
  /** What the primary says of itself now; null when it does not answer. */
  readonly primaryState: ServerState | null;
  readonly samples: readonly PositionSample[];
  /** When a standby heard it last, by this host's clock; null where none did. */
  readonly lastHeardMs: number | null;
}

/** What is lost for certain: nothing is the same as this only where that is shown. */
const NOTHING = { bytes: '0', events: 0, timeMs: 0 } as const;
const UNKNOWN: Pick<DataLossEstimate, 'bytes' | 'events' | 'timeMs'> = {
  bytes: null,
  events: null,
  timeMs: null,
};

/** When this standby takes over. */
export function lossOfStandby(facts: LossFacts, { state, behindBytes, server }: Candidate): DataLossEstimate {
  const samples = ownSamples(facts);
  const sampleAgeMs = ageOf(facts, samples);
  if (hasAll(facts, state))
    return {
      ...NOTHING,
      sampleAgeMs,
      basis: `${server} has all that the primary has, and nobody can write there any longer`,
    };
  const newest = samples.at(-1);
  if (newest === undefined || sampleAgeMs === null)
    return {
      ...{ bytes: behindBytes, events: null, timeMs: null, sampleAgeMs },
      basis: NO_SAMPLE + (behindBytes === null ? '' : '; what is lacked of its position just now moves on'),
    };
  const rate = findRate(samples);
  return {
    bytes: behindBytes,
    events: eventsOf(behindBytes, rate),
    timeMs: timeBehind(facts, samples, state, rate),
    ...{ sampleAgeMs, basis: basisOf(behindBytes, sampleAgeMs, rate) },
  };
}

const NO_SAMPLE = 'there is no sample of where the primary stood, so nobody knows: run eventcore dr sample';

/** Shown, not assumed: nobody can write at the primary, it says where it ends, and the standby is there. */
function hasAll({ primaryState }: LossFacts, standby: ServerState): boolean {
  if (primaryState === null || !primaryState.isFenced || primaryState.clients !== 0) return false;
  if (primaryState.systemIdentifier !== standby.systemIdentifier) return false;
  if (primaryState.timeline !== standby.timeline) return false;
  const lacks = bytesBetween(standby.position, primaryState.position);
  return lacks !== null && lacks <= 0n;
}

/** When a store is made of backups and log up to this instant (RFC 3339); null: nothing is known to be recoverable. */
export function lossOfRestore(facts: LossFacts, point: string | null): DataLossEstimate {
  const samples = ownSamples(facts);
  const sampleAgeMs = ageOf(facts, samples);
  const pointMs = point === null ? Number.NaN : Date.parse(point);
  if (Number.isNaN(pointMs))
    return { ...UNKNOWN, sampleAgeMs, basis: 'no vault says until when something can be recovered' };
  const rate = findRate(samples);
  const timeMs = Math.max(0, lastSignMs(facts, samples, rate) - pointMs);
  const isZero = timeMs === 0;
  return {
    bytes: null,
    events: isZero || rate?.eventsPerMs == null ? null : Math.ceil(rate.eventsPerMs * timeMs),
    timeMs: isZero ? null : timeMs,
    sampleAgeMs,
    basis: isZero
      ? `backups and log end at ${point}, about when the primary was last seen: what came behind that is not known`
      : `backups and log end at ${point}, ${formatAge(timeMs)} before the primary may have written last`,
  };
}

/**
 * Bytes that the primary may have written behind its newest sample, at the rate of its samples and until there would have been another.
 * Null where that cannot be told.
 */
export function unsampledBytes(facts: LossFacts): bigint | null {
  const samples = ownSamples(facts);
  const [rate, ageMs] = [findRate(samples), ageOf(facts, samples)];
  if (rate?.bytesPerMs == null || ageMs === null) return null;
  return BigInt(Math.ceil(rate.bytesPerMs * Math.min(ageMs, rate.intervalMs)));
}

/** Of this primary and its timeline, the oldest first. */
function ownSamples({ primary, samples }: LossFacts): PositionSample[] {
  return samples
    .filter(
      ({ server, systemIdentifier, timeline }) =>
        server === primary.server &&
        (primary.systemIdentifier === null || systemIdentifier === primary.systemIdentifier) &&
        (primary.timeline === null || timeline === primary.timeline),
    )
    .toSorted((a, b) => timeOf(a) - timeOf(b));
}

function ageOf({ nowMs }: LossFacts, samples: readonly PositionSample[]): number | null {
  const newest = samples.at(-1);
  return newest === undefined ? null : Math.max(0, nowMs - timeOf(newest));
}

/** Of none, nobody can tell how many: the newest sample is not the end. */
function eventsOf(bytes: string | null, rate: WriteRate | null): number | null {
  if (bytes === null || bytes === '0' || rate?.eventsPerByte == null) return null;
  return Math.ceil(Number(bytes) * rate.eventsPerByte);
}

/** From the newest sample that the standby covers until the primary may have written last. Null where it covers none. */
function timeBehind(
  facts: LossFacts,
  samples: readonly PositionSample[],
  standby: ServerState,
  rate: WriteRate | null,
): number | null {
  const covered = samples.findLast(({ position }) => {
    const lacks = bytesBetween(standby.position, position);
    return lacks !== null && lacks <= 0n;
  });
  if (covered === undefined) return null;
  const ms = Math.round(lastSignMs(facts, samples, rate) - timeOf(covered));
  return ms > 0 ? ms : null;
}

/** When the primary may have written last: now, when it answers; else the last sign of it and the time until there would have been another. */
function lastSignMs(facts: LossFacts, samples: readonly PositionSample[], rate: WriteRate | null): number {
  if (facts.primaryState !== null || facts.primary.state === 'alive') return facts.nowMs;
  const newest = samples.at(-1);
  const signs = [facts.lastHeardMs, newest === undefined ? null : timeOf(newest) + (rate?.intervalMs ?? 0)];
  const known = signs.filter((sign) => sign !== null);
  return known.length === 0 ? facts.nowMs : Math.min(facts.nowMs, Math.max(...known));
}

function basisOf(bytes: string | null, sampleAgeMs: number, rate: WriteRate | null): string {
  const lacks =
    bytes === null
      ? 'its position cannot be compared with the samples'
      : `it lacks ${bytes} bytes of the newest sample`;
  const perSecond = rate?.eventsPerMs == null ? null : rate.eventsPerMs * 1000;
  const since =
    perSecond === null
      ? 'how many events a second came is not known'
      : `up to ${Math.ceil((perSecond * sampleAgeMs) / 1000)} events may have come since, at ${perSecond.toFixed(1)} a second`;
  return `${lacks}, which is ${formatAge(sampleAgeMs)} old; ${since}`;
}
