/** What is paid for, with where it was read and when. Prices are list prices in US dollars; who has others changes these. */

export interface Prices {
  /** A thousand requests that write (PUT, POST, LIST) and that read (GET, HEAD). */
  readonly thousandPuts: number;
  readonly thousandGets: number;
  /** A gigabyte (10^9 bytes) for a month. */
  readonly gigabyteMonth: number;
  /** A virtual processor of a worker, an hour. */
  readonly processorHour: number;
  /** A gigabyte between the server and the workers. */
  readonly gigabyteMoved: number;
}

/**
 * S3 Standard in us-east-1, https://aws.amazon.com/s3/pricing/, read through pages that quote it on 2026-11-30: 0.005 and 0.0004 for a thousand requests, 0.023 a
 * GB and month; nothing for traffic between S3 and machines of its region. A worker is half an m7g.large (0.0816 an hour on demand, June 2026). Assumed: workers run in the
 * server's zone, where traffic is free; across zones it is 0.01 a GB, each way.
 */
export const PRICES: Prices = {
  thousandPuts: 0.005,
  thousandGets: 0.0004,
  gigabyteMonth: 0.023,
  processorHour: 0.0408,
  gigabyteMoved: 0,
};

/** Requests a second that S3 takes for one prefix before it has split it further: its guide to performance, 2026-11-30. */
export const S3_REQUESTS_PER_SECOND = { puts: 3500, gets: 5500 };

export interface Used {
  readonly puts: number;
  readonly gets: number;
  readonly movedBytes: number;
  readonly seconds: number;
  readonly processors: number;
}

/** What one run costs. `processors`: on average, over its seconds. */
export function runPrice({ puts, gets, movedBytes, seconds, processors }: Used, prices: Prices): number {
  const requests = (puts * prices.thousandPuts + gets * prices.thousandGets) / 1000;
  return (
    requests +
    (movedBytes / 1e9) * prices.gigabyteMoved +
    (seconds / 3600) * processors * prices.processorHour
  );
}
