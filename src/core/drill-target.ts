import type { EventStore } from './event-store.ts';

/**
 * Places where backups are restored only to see that it works. Adapters: a file of SQLite, a database on a server of PostgreSQL, a
 * server of PostgreSQL made for it; each passes `testing/drill-targets-contract.ts`.
 *
 * Whatever a target is made of bears a name by which it is known for one, and by which it can be told whether the process that made
 * it is alive: so what a killed drill left is found, and nothing else is ever removed.
 */
export interface DrillTargets {
  /** What they are, in words. */
  readonly kind: string;

  /** Throws `store_refused` where they would lie in the store that is backed up. */
  refuseStore(store: ProtectedStore): Promise<void>;

  /** Removes what drills left whose processes are dead. Gives what that was, in words. */
  removeLeftovers(): Promise<readonly string[]>;

  /** Bytes that may still be written there; null where nobody knows. */
  freeBytes(): Promise<number | null>;

  /** A new, empty one. Throws as `EventStore` does. */
  create(): Promise<DrillTarget>;

  /** Removes all that were created, but those that are kept. Safe to repeat. */
  close(): Promise<void>;
}

/** The store that no drill may touch. */
export interface ProtectedStore {
  readonly address: string;
  /** Of PostgreSQL; null where it is another store, or does not say. */
  readonly systemIdentifier: string | null;
  readonly database: string | null;
}

export interface DrillTarget {
  /** May hold a password. */
  readonly address: string;
  readonly store: EventStore;

  /** Tries to change and to remove an event, as no application may; whatever came of it is taken back. */
  tryGuards(streamId: string): Promise<readonly GuardOutcome[]>;

  /** Leaves it there for people to look at; gives where it is. */
  keep(): Promise<string>;

  /** Nothing of it is left. Safe to repeat; does nothing when it is kept. */
  remove(): Promise<void>;
}

export interface GuardOutcome {
  readonly statement: 'UPDATE' | 'DELETE';
  /** `none`: the layout has nothing that would refuse it. */
  readonly outcome: 'refused' | 'done' | 'none';
}

const MARK = 'eventcore-drill-';
const OWNED = /^eventcore-drill-(.+)-([0-9a-f]{8})$/;

/** The name of a folder that a process (`Writers.self`) makes for a drill. */
export function drillFolderName(owner: string, id: string): string {
  return `${MARK}${owner}-${id.replaceAll('-', '').slice(0, 8)}`;
}

/** Which process made a folder of this name; null when it is no drill's. */
export function drillFolderOwner(name: string): string | null {
  return OWNED.exec(name)?.[1] ?? null;
}
