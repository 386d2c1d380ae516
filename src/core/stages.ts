import { type EventBatch, NULL_LENGTH } from './event-batch.ts';

/**
 * Where the time of a job went, in milliseconds added up over the threads that worked on it, and what went through.
 * With two threads a second of work is two thousand milliseconds here.
 */
export interface Stages {
  /** Waiting for the store, and taking over or handing on events. */
  storeMs: number;
  /** Turning events into chunks, or chunks into events. */
  codecMs: number;
  /** Compressing and hashing, or the reverse. */
  compressionMs: number;
  /** Waiting for the vault. */
  vaultMs: number;
  /** Values of the events; as chunks; and as they lie in the vault. */
  eventBytes: number;
  plainBytes: number;
  storedBytes: number;
}

export function makeStages(): Stages {
  return {
    storeMs: 0,
    codecMs: 0,
    compressionMs: 0,
    vaultMs: 0,
    eventBytes: 0,
    plainBytes: 0,
    storedBytes: 0,
  };
}

export function mergeStages(stages: Stages, other: Stages): void {
  for (const key of Object.keys(stages) as (keyof Stages)[]) stages[key] += other[key];
}

/** Bytes of all ids, names, types, data and metadata of a batch. */
export function eventBytes({ id, stream, type, data, metadata, count }: EventBatch): number {
  return [id, stream, type, data, metadata].reduce((sum, { lengths }) => sum + sumLengths(lengths, count), 0);
}

function sumLengths(lengths: Uint32Array, count: number): number {
  let sum = 0;
  for (let row = 0; row < count; row += 1) {
    const length = lengths[row]!;
    if (length !== NULL_LENGTH) sum += length;
  }
  return sum;
}
