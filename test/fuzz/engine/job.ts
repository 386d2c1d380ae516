import type { FuzzLimits } from './run-target.ts';

/** What the thread of a target gets. */
export interface FuzzJob {
  /** Module that exports `TARGETS`. */
  readonly module: string;
  readonly target: string;
  readonly inputs: number;
  readonly seed: number;
  readonly limits: FuzzLimits;
  /** Milliseconds since 1970; null: as long as it takes. */
  readonly endAtMs: number | null;
  readonly shared: SharedArrayBuffer;
}

/** The input at work is shown in shared memory, so that one that never ends can be told. */
export const SHARED_INPUT_BYTES = 2 << 20;
/** Number of the input and its length. */
const WORDS = 2;

export function makeShared(): SharedArrayBuffer {
  return new SharedArrayBuffer(WORDS * 4 + SHARED_INPUT_BYTES);
}

export function showInput(shared: SharedArrayBuffer, number: number, input: Uint8Array): void {
  const words = new Int32Array(shared, 0, WORDS);
  const shown = input.subarray(0, SHARED_INPUT_BYTES);
  new Uint8Array(shared, WORDS * 4).set(shown);
  Atomics.store(words, 1, shown.length);
  Atomics.store(words, 0, number + 1);
}

/** −1 before the first. */
export function shownNumber(shared: SharedArrayBuffer): number {
  return Atomics.load(new Int32Array(shared, 0, WORDS), 0) - 1;
}

export function shownInput(shared: SharedArrayBuffer): Uint8Array {
  const length = Atomics.load(new Int32Array(shared, 0, WORDS), 1);
  return Uint8Array.from(new Uint8Array(shared, WORDS * 4, length));
}
