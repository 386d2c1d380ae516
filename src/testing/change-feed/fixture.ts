import type { StoreCase } from '../event-store/fixture.ts';

/** What a kind of feed can tell. */
export interface FeedCapabilities {
  /** Each transaction shows as one; otherwise (SQLite) several may show as one, though none is ever cut in two. */
  readonly tellsTransactions: boolean;
}

export interface FeedCase extends StoreCase {
  readonly capabilities: StoreCase['capabilities'] & FeedCapabilities;
}

/** A sentence and the code that holds a feed to it. */
export type FeedContractCase = readonly [string, (context: FeedCase) => Promise<void>];
