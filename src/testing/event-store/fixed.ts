import { type ContractCase, numbered, refuses, type StoreCase } from './fixture.ts';

/** Of a store in which nothing that is there can be added to or written over (`changesInPlace: false`). */
export const FIXED_CASES: readonly ContractCase[] = [
  ['a merge and a repair are refused with the reason, and change nothing', refusesChanges],
];

async function refusesChanges({ store, open }: StoreCase): Promise<void> {
  const attempts = [
    () => store.openMerge({ dryRun: true }),
    () => store.openRepair({ repairId: crypto.randomUUID(), withoutIndexes: false }),
  ];
  for (const attempt of attempts) await refuses(attempt(), 'not_an_event_store');
  await store.initialise();
  await store.append([{ streamId: 'a', events: numbered(2) }]);
  for (const attempt of attempts) await refuses(attempt(), 'store_unsupported', /\w+ \w+ \w+/);
  await open().append([{ streamId: 'a', events: numbered(1, 3) }]);
}
