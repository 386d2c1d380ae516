/**
 * The rungs of the ladder on which a live store is checked, from what costs least up. `catalog`: guards, indexes, sequences and
 * what belongs to the events; `streams`: versions and times within streams; `blocks`: events as they lie in the store;
 * `comparison`: events held against the newest backup that has them; `custom`: checks that the user wrote.
 */
export const FINDING_RUNGS = ['catalog', 'streams', 'blocks', 'comparison', 'custom'] as const;

export type FindingRung = (typeof FINDING_RUNGS)[number];

/** What can be done about a finding without a person's judgement. */
export const REPAIR_KINDS = [
  /** Events that a chain has and the store lacks are added again. */
  'reinstate_events',
  /** Events whose content is not the chain's are made so again; what was there is kept aside. */
  'put_back_events',
  /** Second copies of an event are taken away; they are kept aside. */
  'remove_copies',
  /** Triggers and constraints of the layout are made or switched on again. */
  'restore_guards',
  /** An index is built anew. */
  'rebuild_index',
  /** A sequence is set past the data. */
  'advance_sequence',
  /** A checkpoint ahead of the events is set back to the last one; what it was is kept aside. */
  'clamp_checkpoint',
  /** A snapshot ahead of its streams is dropped; it is kept aside. */
  'drop_snapshot',
] as const;

export type RepairKind = (typeof REPAIR_KINDS)[number];

/** One thing that is wrong with a live store, placed as exactly as it can be. */
export interface Finding {
  /** Name of the check that found it, as `stream_gaps`. Stable, for programs. */
  readonly check: string;
  readonly rung: FindingRung;
  /** `damage`: something is lost, doubled or changed. `risk`: nothing is yet, but what should prevent it is not in force. */
  readonly severity: 'damage' | 'risk';
  readonly streamId: string | null;
  /** Version of the event, or the first one of several. */
  readonly version: string | null;
  readonly eventId: string | null;
  /** A trigger, index, sequence, table or subscription; null where it is about events. */
  readonly object: string | null;
  /** How many events it is about; 0 where it is about none. */
  readonly events: number;
  /** Where the sweep met it, to look there again; null where it looks each time. */
  readonly place: SweepPlace | null;
  readonly message: string;
  /** Null where a person has to decide; `message` then says why. */
  readonly repair: RepairKind | null;
}

/** A part of a sweep: the block of that number, or the bucket of streams. Names nothing that the store holds. */
export interface SweepPlace {
  readonly kind: 'block' | 'bucket';
  readonly number: number;
}
