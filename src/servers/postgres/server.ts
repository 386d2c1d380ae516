import type pg from 'pg';
import type { RegionServer } from '../../core/disaster-ports.ts';
import { parseServerAddress } from './address.ts';
import { withConnection } from './connection.ts';
import { fence, isFenced, unfence } from './fence.ts';
import { countStandbys, follow } from './follow.ts';
import { probe, sample } from './probe.ts';
import { promote } from './promote.ts';

export interface RegionServerOptions {
  readonly region: string;
  /** `postgres://role@host:5432/database`, of the database that the events are in. May hold a password. */
  readonly address: string;
  /** Of events; left out: EventCore's. Its schema is the address's. */
  readonly eventTable?: string;
}

const EVENT_TABLE = 'eventcore_events';

/**
 * A server of PostgreSQL 14 or newer. Every call has a connection of its own, so that one that hangs holds nobody else up, and what is
 * known is what the server says now. Throws `usage` for what is no address.
 */
export function openRegionServer(options: RegionServerOptions): RegionServer {
  const { region, eventTable: table = EVENT_TABLE } = options;
  const place = parseServerAddress(options.address);
  const { shown, schema } = place;
  const closing = new AbortController();
  const until = (signal: AbortSignal): AbortSignal => AbortSignal.any([signal, closing.signal]);
  const ask = <Result>(signal: AbortSignal, work: (client: pg.Client) => Promise<Result>): Promise<Result> =>
    withConnection(place, until(signal), work);
  return {
    region,
    address: shown,
    probe: ({ signal }) => ask(signal, probe),
    sample: ({ signal }) => ask(signal, (client) => sample(client, { region, server: shown, schema, table })),
    fence: (mark, { signal }) => fence(place, mark, until(signal)),
    isFenced: (mark, { signal }) => isFenced(place, mark, until(signal)),
    unfence: async ({ signal, mark }) => void (await unfence(place, until(signal), mark)),
    promote: ({ signal }) => ask(signal, (client) => promote(client, until(signal))),
    follow: (upstream, { signal }) => follow(place, upstream, until(signal)),
    countStandbys: ({ signal }) => ask(signal, countStandbys),
    close: async () => closing.abort(),
  };
}
