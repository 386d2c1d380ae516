import type { Row } from './row.ts';
import type { WorldOptions } from './world.ts';

/** A disaster, and what must come of it: throws where it does not. */
export interface Drill {
  readonly name: string;
  /** In words, for the table. */
  readonly does: string;
  run(options: DrillOptions): Promise<Row>;
}

export interface DrillOptions {
  /** Less load and fewer kills, for tests. */
  readonly isShort: boolean;
  readonly world?: WorldOptions;
}

/** On a machine that has much else to do. */
export const PATIENCE_MS = 60_000;
