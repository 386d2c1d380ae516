import type { PositionSample, ServerState, StepFacts, StrategyKind } from './disaster.ts';

interface Call {
  /** Every call has a deadline: a network that is cut says nothing for a long time. */
  readonly signal: AbortSignal;
}

/**
 * A server of a region, as a recovery sees it. Adapter: servers/postgres. Nothing waits longer than its signal. Throws
 * `store_unreachable` and `store_refused`.
 */
export interface RegionServer {
  readonly region: string;
  /** Without a password. */
  readonly address: string;

  probe(call: Call): Promise<ServerState>;

  /** Where it stands now, for the samples; null of a standby. */
  sample(call: Call): Promise<PositionSample | null>;

  /**
   * Lets nobody in any longer but this role and replication, also after a restart, and ends whoever is in. Done again it changes nothing.
   * Throws `fence_failed` where somebody is still in at the end.
   */
  fence(mark: string, call: Call): Promise<StepFacts>;

  /** Whether the fence with this mark stands, and nobody else is in. */
  isFenced(mark: string, call: Call): Promise<boolean>;

  /** Takes back the fence with this mark; without one all that stand, whoever set them. Done again it changes nothing. */
  unfence(call: Call & { readonly mark?: string }): Promise<void>;

  /** Makes it a primary and waits until it takes writes. Of a primary: says only where it began. */
  promote(call: Call): Promise<Promotion>;

  /** Has a standby stream from another server. Gives false where it does already. */
  follow(upstream: { readonly host: string; readonly port: number }, call: Call): Promise<boolean>;

  /** How many standbys stream from it. */
  countStandbys(call: Call): Promise<number>;

  close(): Promise<void>;
}

export interface Promotion {
  readonly timeline: number;
  /** Where the old timeline was left: what the old primary has behind it is not here. */
  readonly forkLsn: string | null;
}

/**
 * Makes sure that an old primary cannot write, by other ways than itself. Adapters: actions/fences, and in disaster/ the ones that
 * ports are enough for (a server's own, a lease). Throws `fence_failed`.
 */
export interface Fence {
  /** In words, for plans. */
  readonly describe: string;
  /** Applied again it does no harm. */
  apply(call: Call): Promise<StepFacts>;
  /** `unknown` where that cannot be told, which is not enough. */
  check(call: Call): Promise<'fenced' | 'open' | 'unknown'>;
  /** Takes it back, where it can do that, when a run is given up before anything took the old primary's place. Done again it changes nothing. */
  lift?(call: Call): Promise<void>;
}

/**
 * The name under which applications find the store. Adapters: actions/names. Throws `name_refused`, and `name_changed` where the
 * record is not what the plan saw.
 */
export interface PublicName {
  readonly describe: string;
  readonly name: string;
  /** What it points to now, asked where it is kept and not of a cache; null when there is no such record. */
  read(call: Call): Promise<string | null>;
  /** From one value to another in one step, or not at all. Null: there was none. */
  switchTo(change: { readonly from: string | null; readonly to: string }, call: Call): Promise<StepFacts>;
}

/** Adds capacity where a region takes over. Adapters: actions/scale. Throws `action_failed`. */
export interface Scaler {
  readonly describe: string;
  /** Asked for again it changes nothing. */
  apply(call: Call): Promise<StepFacts>;
  check(call: Call): Promise<boolean>;
}

/** A command of the operator's own. Throws `action_failed` with the last of what it said. */
export interface Hook {
  readonly describe: string;
  run(facts: Readonly<Record<string, string>>, call: Call): Promise<StepFacts>;
}

/** Brings events back from vaults. Throws what a restore throws. */
export interface Restorer {
  /**
   * Into an empty place, the newest point or the last one that is not after `at` (RFC 3339). Done again after it died, it begins anew:
   * what is there then is its own, since the place was empty when the plan began.
   */
  restore(request: RestoreRequest, call: Call): Promise<StepFacts>;
  /** Null when nothing stands in its way, else why not: events are there, rights are missing. */
  refuse(to: string, call: Call): Promise<string | null>;
}

export interface RestoreRequest {
  readonly planId: string;
  /** Address of the place, without a password. */
  readonly to: string;
  readonly at: string | null;
  /** Addresses of vaults to read from, the best one first. */
  readonly vaults: readonly string[];
  /** A former attempt of this plan may have published there. */
  readonly isAgain: boolean;
}

/** What is asked of a store before applications are let in; stores go by their addresses, without passwords. */
export interface StoreTrials {
  /** The checks of a live store, and checkpoints and snapshots ahead of it. Throws `verification_failed`. */
  examine(store: string, call: Call): Promise<StepFacts>;
  /** Appends to a stream of its own and reads back. Throws `verification_failed`, or as a store does. */
  probeWrites(store: string, call: Call): Promise<StepFacts>;
  /** The same through the public name: that it leads to this server, and that events can be written there. */
  probePublic(store: string, call: Call): Promise<StepFacts>;
}

/** Backup and change log of a store that was just recovered. */
export interface Protector {
  /** A full backup, and a log that begins with it, into the vault of the region. */
  protect(request: { readonly store: string; readonly vault: string }, call: Call): Promise<StepFacts>;
  /** Brings into the vault what the log lacks of what the store still has, where it can be read. Gives nothing where there is no log. */
  catchUp(request: { readonly store: string; readonly vault: string }, call: Call): Promise<StepFacts | null>;
}

/** Events that one store has and another has not. */
export interface Salvager {
  /**
   * Finds them exactly, writes them into the vault beside the journal, and says what can be merged; with `merge`, adds those that
   * conflict with nothing. Then it writes an epoch record of those that the new store still does not have. Done again it finds the same,
   * and the same record stands for them.
   */
  salvage(
    request: {
      readonly planId: string;
      readonly from: string;
      readonly into: string;
      readonly vault: string;
      readonly merge: boolean;
      readonly recovery: SalvageRecovery;
    },
    call: Call,
  ): Promise<Salvage>;
}

/** What the epoch record of a salvage says of the recovery that left events behind. */
export interface SalvageRecovery {
  readonly strategy: StrategyKind;
  /** RFC 3339: when the new primary took over; null where that is not known. */
  readonly recoveredAt: string | null;
  /** Where its timeline left the old one; null where there is none, or that is not known. */
  readonly cutLsn: string | null;
}

export interface Salvage {
  readonly events: number;
  readonly streams: number;
  /** Streams that both have gone on with: left to people. */
  readonly conflicts: number;
  readonly merged: number;
  /** From the first of these events to the last one; null when there are none. */
  readonly spanMs: number | null;
  /** The object in the vault; null when there are none. */
  readonly object: string | null;
  /** Of the events, those that the new store does not have in the end. */
  readonly vanished: number;
  /** The epoch record that tells consumers of them; null when none had vanished. */
  readonly epochRecord: string | null;
  /** Names of consumers whose checkpoints in the new store are at events that it does not have: looked for when some vanished. */
  readonly ghosts: readonly string[];
}

/** Makes a standby of an old primary. Throws `action_failed`. */
export interface Rejoiner {
  readonly describe: string;
  rejoin(primary: { readonly host: string; readonly port: number }, call: Call): Promise<StepFacts>;
}
