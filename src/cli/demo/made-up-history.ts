import { generateAppends } from '../../testing/event-generator.ts';
import type { Transaction } from './application.ts';

const SEED = 20_240_101;

/** Transactions of a made-up shop, for where there is no git history. */
export function* makeUpHistory(events: number): Generator<Transaction> {
  for (const appends of generateAppends({ seed: SEED, events })) {
    yield {
      timeMs: timeOf(appends[0]!.events[0]!.id!),
      events: appends.flatMap(({ streamId, events: written }) =>
        written.map(({ type, data }) => ({ streamId, type, data })),
      ),
    };
  }
}

/** The first 48 bits of a UUID of version 7. */
function timeOf(id: string): number {
  return Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16);
}
