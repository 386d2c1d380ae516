import { describe, test } from 'node:test';
import { ENDING_CASES } from './change-feed/endings.ts';
import type { FeedCapabilities } from './change-feed/fixture.ts';
import { READING_CASES } from './change-feed/reading.ts';
import { RESUMING_CASES } from './change-feed/resuming.ts';
import { type EventStoreFixture, runCase, type StoreCapabilities } from './event-store/fixture.ts';

export interface ChangeFeedContractOptions {
  /** Names the adapter in the test's output. */
  readonly name: string;
  readonly capabilities: StoreCapabilities & FeedCapabilities;
  /** Called once or twice for each case, for a place in which there is no store. */
  setup(): Promise<EventStoreFixture>;
}

const CASES = [...READING_CASES, ...RESUMING_CASES, ...ENDING_CASES];

/** Declares (node:test) the cases that every change feed must pass. */
export function changeFeedContract(options: ChangeFeedContractOptions): void {
  const { capabilities } = options;
  describe(`${options.name} keeps the promises of a change feed`, () => {
    for (const [sentence, run] of CASES) {
      test(sentence, () =>
        runCase(options.setup, capabilities, (context) => run({ ...context, capabilities })),
      );
    }
  });
}
