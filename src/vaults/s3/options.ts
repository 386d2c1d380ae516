import { FIRST_PART_BYTES } from './part-size.ts';

export interface S3VaultOptions {
  /** Where none are given, they are found as every tool of Amazon finds them. */
  readonly credentials?: Credentials;
  /** How often and how long is tried; tests wait less. */
  readonly limits?: Partial<Limits>;
}

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** What bounds a call; the tests wait less. */
export interface Limits {
  /** How often one thing is asked for. */
  readonly attempts: number;
  /** The pause before the second time, doubled for each further one; longer where the server is too busy. */
  readonly pauseMs: number;
  readonly connectMs: number;
  /** How long a connection may be silent. */
  readonly silenceMs: number;
  /** How long one request may take in all, its body included. */
  readonly requestMs: number;
  /** After that, no further attempt begins. */
  readonly callMs: number;
  /** How large the first parts of an upload are. */
  readonly partBytes: number;
  /** From this size on a copy is made in parts of that size. */
  readonly copyPartBytes: number;
  /** How many names one page of a listing has. */
  readonly pageNames: number;
  /** How long an upload may rest before it counts as left behind. */
  readonly abandonedMs: number;
}

export const DEFAULT_LIMITS: Limits = {
  ...{ attempts: 8, pauseMs: 100, connectMs: 10_000, silenceMs: 60_000, requestMs: 600_000, callMs: 180_000 },
  ...{
    partBytes: FIRST_PART_BYTES,
    copyPartBytes: 256 << 20,
    pageNames: 1000,
    abandonedMs: 24 * 60 * 60 * 1000,
  },
};
