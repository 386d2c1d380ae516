/** A stream of chance that a seed decides: the same seed gives the same numbers on every machine. */
export interface Random {
  /** 32 random bits. */
  bits(): number;
  /** A whole number from 0 to `limit` − 1; `limit` is at most 2^32. */
  below(limit: number): number;
  /** From 0 up to, not including, 1. */
  unit(): number;
}

/** Rounds that let the bits of a small seed spread. */
const WARM_UP = 16;

/** Chris Doty-Humphrey's sfc32: small, fast and good enough for test data, never for secrets. */
export function makeRandom(seed: number): Random {
  let a = seed | 0;
  let b = Math.floor(seed / 0x1_0000_0000) | 0;
  let c = 0x9e37_79b9 | 0;
  let counter = 1;
  const bits = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let round = 0; round < WARM_UP; round += 1) bits();
  return {
    bits,
    below: (limit) => Math.floor((bits() / 0x1_0000_0000) * limit),
    unit: () => bits() / 0x1_0000_0000,
  };
}
