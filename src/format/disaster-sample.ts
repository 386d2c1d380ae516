import crypto from 'node:crypto';
import type { PositionSample } from '../core/disaster.ts';
import { isBackupError } from '../core/errors.ts';
import type { Vault } from '../core/vault.ts';
import { DISASTER_PREFIX } from './disaster-fields.ts';
import {
  decodeRecord,
  encodeRecord,
  type Fields,
  isCount,
  isInstant,
  isLsn,
  isNullOr,
  isText,
  putRecord,
  type RecordKind,
  readRecord,
  timeInName,
} from './record.ts';

/** Where primaries stood, as others saw it (FORMAT.md §22). `sampledAt` has milliseconds, as `toISOString` gives it. */
export const SAMPLES_PREFIX = `${DISASTER_PREFIX}samples/`;
const NAME = new RegExp(`^${SAMPLES_PREFIX}(\\d{8}T\\d{9}Z)-([0-9a-f]{8})\\.json$`);

/** They sort by their time. Which server it is of, the last eight digits say; no address stands in a name. */
export function sampleName({ sampledAt, server }: Pick<PositionSample, 'sampledAt' | 'server'>): string {
  return `${SAMPLES_PREFIX}${timeInName(sampledAt)}-${serverMark(server)}.json`;
}

/** First eight digits of the SHA-256 of a server's address without its password. */
function serverMark(server: string): string {
  return crypto.hash('sha256', server, 'hex').slice(0, 8);
}

/** Null when an object of this name is no sample. `time` as `20261129T181305123Z`. */
export function parseSampleName(name: string): { readonly time: string; readonly mark: string } | null {
  const [, time, mark] = NAME.exec(name) ?? [];
  return time === undefined || mark === undefined ? null : { time, mark };
}

const SAMPLE: RecordKind<PositionSample> = {
  what: 'the sample',
  versionKey: 'sampleVersion',
  signed: null,
  maxBytes: 1 << 16,
  isOne: isSample,
  pick: pickSample,
};

export function encodeSample(sample: PositionSample): Buffer {
  return encodeRecord(SAMPLE, sample, null);
}

/** Throws `damaged`. */
export function decodeSample(bytes: Uint8Array): PositionSample {
  return decodeRecord(SAMPLE, bytes);
}

/** False where another sample of that server and that millisecond is there. */
export function putSample(vault: Vault, sample: PositionSample): Promise<boolean> {
  return putRecord(vault, sampleName(sample), encodeSample(sample));
}

/** Names of samples, the oldest first. */
export async function listSamples(vault: Vault): Promise<{ name: string; time: string; mark: string }[]> {
  const found: { name: string; time: string; mark: string }[] = [];
  for await (const { name } of vault.list(SAMPLES_PREFIX)) {
    const parsed = parseSampleName(name);
    if (parsed !== null) found.push({ name, ...parsed });
  }
  return found;
}

/** The newest samples of each server, the oldest of them first. What cannot be read, or was removed meanwhile, is passed over. */
export async function readNewestSamples(vault: Vault, ofEachServer: number): Promise<PositionSample[]> {
  const left = new Map<string, number>();
  const samples: PositionSample[] = [];
  for (const { name, mark } of (await listSamples(vault)).reverse()) {
    const wanted = left.get(mark) ?? ofEachServer;
    if (wanted === 0) continue;
    const sample = await readSample(vault, name);
    if (sample === null) continue;
    samples.push(sample);
    left.set(mark, wanted - 1);
  }
  return samples.reverse();
}

async function readSample(vault: Vault, name: string): Promise<PositionSample | null> {
  try {
    const bytes = await readRecord(vault, name, SAMPLE.maxBytes);
    const sample = bytes === null ? null : decodeSample(bytes);
    return sample !== null && sampleName(sample) === name ? sample : null;
  } catch (error) {
    if (isBackupError(error, 'damaged')) return null;
    throw error;
  }
}

function isSample(value: Fields): boolean {
  const { sampledAt, region, server, systemIdentifier, timeline, position, eventsInserted } = value;
  return (
    isInstant(sampledAt) &&
    [region, server, systemIdentifier].every(isText) &&
    isCount(timeline) &&
    isLsn(position) &&
    isNullOr(isCount)(eventsInserted)
  );
}

function pickSample(sample: PositionSample): PositionSample {
  const { sampledAt, region, server, systemIdentifier, timeline, position, eventsInserted } = sample;
  return { sampledAt, region, server, systemIdentifier, timeline, position, eventsInserted };
}
