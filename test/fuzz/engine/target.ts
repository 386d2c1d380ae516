import type { ErrorCode } from '../../../src/core/errors.ts';
import type { Random } from '../../../src/testing/random.ts';

/** A parser under attack. */
export interface FuzzTarget {
  readonly name: string;
  /** Codes of the BackupErrors that it may refuse an input with; any other error is a finding. */
  readonly refusals: readonly ErrorCode[];
  /** Valid inputs, that mutants are made from. */
  seeds(): readonly Uint8Array[] | Promise<readonly Uint8Array[]>;
  /** Changes what is in an input and makes its lengths and digests fit again, so that what stands behind them is reached. */
  reshape?(random: Random, seed: Uint8Array): Uint8Array;
  /** False, or a refusal thrown: refused. Throws anything else where a promise of the parser does not hold. */
  run(input: Uint8Array): unknown;
}

/** A promise that a parser broke. */
export function demand(holds: boolean, promise: string): asserts holds {
  if (!holds) throw new Error(`broken promise: ${promise}`);
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
