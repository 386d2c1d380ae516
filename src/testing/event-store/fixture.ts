import assert from 'node:assert/strict';
import { type ErrorCode, isBackupError } from '../../core/errors.ts';
import type { NewEvent } from '../../core/event.ts';
import type { EventStore } from '../../core/event-store.ts';

/** A place for one store, in which there is none yet. */
export interface EventStoreFixture {
  /** A fresh handle on the place, as another process would have it. The contract closes it. */
  open(): EventStore;
  /** Removes the place; called once, after every handle was closed, also after a failed case. */
  cleanup(): Promise<void>;
}

/** What a kind of store can hold. */
export interface StoreCapabilities {
  /** JSON text comes back as it was given; otherwise as equal JSON (PostgreSQL's jsonb). */
  readonly keepsJsonText: boolean;
  /** U+0000 can be stored; otherwise it is refused with `value_not_storable`. */
  readonly storesNul: boolean;
  /** Ids that are no UUIDs can be stored; otherwise they are refused with `value_not_storable`. */
  readonly storesTextIds: boolean;
  /** Takes statements of SQL (`openInspection`). */
  readonly answersSql: boolean;
  /**
   * False: a version follows from the order of events, so a stream that does not go 1, 2, 3… is refused with
   * `value_not_storable`. Left out: any version is kept.
   */
  readonly keepsVersions?: boolean;
  /** False: checkpoints of EventCore's databases have no place. Left out: they have. */
  readonly keepsCheckpoints?: boolean;
  /** False: merges and repairs are refused with `store_unsupported`. Left out: they are taken. */
  readonly changesInPlace?: boolean;
  /** False: it has no feed, and `examine` says so. Left out: it has. */
  readonly hasFeed?: boolean;
  /**
   * False: it is made of several stores that have no transaction and no index in common, so streams are appended to one by one, and an id is
   * unique in each of them only. Left out: it is one.
   */
  readonly isOne?: boolean;
}

/** What a case of the contract works with. */
export interface StoreCase {
  /** A handle on a place with no store. */
  readonly store: EventStore;
  readonly capabilities: StoreCapabilities;
  /** Another handle on the same place. */
  open(): EventStore;
  /** A handle on another place, with no store, of the same kind. */
  openElsewhere(): Promise<EventStore>;
}

/** A sentence and the code that holds a store to it. */
export type ContractCase = readonly [string, (context: StoreCase) => Promise<void>];

/** Runs one case in places of its own, which are gone afterwards. */
export async function runCase(
  setup: () => Promise<EventStoreFixture>,
  capabilities: StoreCapabilities,
  run: (context: StoreCase) => Promise<void>,
): Promise<void> {
  const fixtures = [await setup()];
  const handles: EventStore[] = [];
  const openIn = (fixture: EventStoreFixture): EventStore => {
    const handle = fixture.open();
    handles.push(handle);
    return capabilities.isOne === false ? oneByOne(handle) : handle;
  };
  try {
    await run({
      store: openIn(fixtures[0]!),
      capabilities,
      open: () => openIn(fixtures[0]!),
      openElsewhere: async () => {
        const fixture = await setup();
        fixtures.push(fixture);
        return openIn(fixture);
      },
    });
  } finally {
    for (const handle of handles) await handle.close();
    for (const fixture of fixtures) await fixture.cleanup();
  }
}

/** Appends to one stream after the other. */
function oneByOne(store: EventStore): EventStore {
  return {
    ...store,
    append: async (appends) => {
      const heads = new Map<string, bigint>();
      for (const one of appends.length === 0 ? [[]] : appends.map((append) => [append])) {
        const result = await store.append(one);
        for (const [stream, head] of result.heads) heads.set(stream, head);
      }
      return { heads };
    },
  };
}

/** `count` events of the type `Tested`; `{"n": 1}` is how jsonb writes it too. */
export function numbered(count: number, first = 1): NewEvent[] {
  return Array.from({ length: count }, (_, i) => ({ type: 'Tested', data: `{"n": ${first + i}}` }));
}

export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Fails unless `work` is rejected with a BackupError of one of `codes` whose message matches. */
export async function refuses(
  work: Promise<unknown>,
  codes: ErrorCode | readonly ErrorCode[],
  message = /./,
): Promise<void> {
  const expected = typeof codes === 'string' ? [codes] : codes;
  await assert.rejects(work, (error) => {
    assert.ok(isBackupError(error), `not a BackupError: ${String(error)}`);
    assert.ok(expected.includes(error.code), `${error.code} (${error.message}) instead of ${expected}`);
    assert.match(error.message, message);
    return true;
  });
}
