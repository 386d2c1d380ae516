import { describe, test } from 'node:test';
import { APPEND_CASES, WHOLE_APPEND_CASES } from './event-store/appends.ts';
import { CHANGE_CASES } from './event-store/changes.ts';
import { FIXED_CASES } from './event-store/fixed.ts';
import {
  type ContractCase,
  type EventStoreFixture,
  runCase,
  type StoreCapabilities,
} from './event-store/fixture.ts';
import { INSPECTION_CASES } from './event-store/inspections.ts';
import { LOOK_CASES } from './event-store/looks.ts';
import { MERGE_CASES } from './event-store/merges.ts';
import { PART_CASES } from './event-store/parts.ts';
import { REPAIR_CASES } from './event-store/repairs.ts';
import { CHECKPOINT_CASES, RESTORE_CASES, WHOLE_RESTORE_CASES } from './event-store/restores.ts';
import { SAMPLE_CASES } from './event-store/samples.ts';
import { SNAPSHOT_CASES } from './event-store/snapshots.ts';

export interface EventStoreContractOptions {
  /** Names the adapter in the test's output. */
  readonly name: string;
  readonly capabilities: StoreCapabilities;
  /** Called once or twice for each case, for a place in which there is no store. */
  setup(): Promise<EventStoreFixture>;
}

function casesFor({ changesInPlace, keepsCheckpoints, isOne }: StoreCapabilities): readonly ContractCase[] {
  return [
    ...[...APPEND_CASES, ...LOOK_CASES, ...SNAPSHOT_CASES, ...CHANGE_CASES],
    ...[...SAMPLE_CASES, ...RESTORE_CASES, ...PART_CASES, ...INSPECTION_CASES],
    ...(isOne === false ? [] : [...WHOLE_APPEND_CASES, ...WHOLE_RESTORE_CASES]),
    ...(keepsCheckpoints === false ? [] : CHECKPOINT_CASES),
    ...(changesInPlace === false ? FIXED_CASES : [...MERGE_CASES, ...REPAIR_CASES]),
  ];
}

/** Declares (node:test) the cases that every event store must pass. */
export function eventStoreContract(options: EventStoreContractOptions): void {
  describe(`${options.name} keeps the promises of an event store`, () => {
    for (const [sentence, run] of casesFor(options.capabilities)) {
      test(sentence, () => runCase(options.setup, options.capabilities, run));
    }
  });
}
