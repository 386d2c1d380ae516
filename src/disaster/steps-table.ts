/**
 * The steps of a recovery as tables: what each strategy does, what is made of what a journal and a look at the world say, and what a failure
 * means. Every cell is decided: the compiler asks for it. SPEC.md says the same in words.
 */
import type { DisasterTrigger, RecoveryStep, StrategyKind } from '../core/disaster.ts';

export interface StepRule {
  readonly does: boolean;
  /** What it does, or why it is left out. */
  readonly text: string;
}

const does = (text: string): StepRule => ({ does: true, text });
const leavesOut = (text: string): StepRule => ({ does: false, text });

const OWN_COMMAND = 'runs the command that is configured, such as one that brings the schema up to date';

/** Steps that are the same whatever the strategy is. */
const ALWAYS = {
  freeze: does('nothing is removed from any vault from now on'),
  migrate: does(OWN_COMMAND),
  check: does('checks the store, and that no consumer or snapshot is ahead of it'),
  probe: does('appends an event to a stream of its own and reads it back'),
  switch_name: does(
    'points the public name to the new place, if it still is what it was when the plan was approved',
  ),
  verify_public: does('appends and reads through the public name: the recovery time ends here'),
  notify: does('tells those who are configured what was done'),
  reprotect: does('takes a full backup and begins a new log'),
  release: does('what was frozen is let go'),
} as const satisfies Partial<Record<RecoveryStep, StepRule>>;

const STANDBY_INSTEAD = leavesOut('a standby takes over, nothing is restored');
const BACKUPS_INSTEAD = leavesOut('nothing that runs is taken over: events come from backups');

const PROMOTES = {
  ...ALWAYS,
  choose: does('takes the most advanced standby, by what it has after the fence'),
  promote: does('makes it the primary and waits until it takes writes'),
  restore: STANDBY_INSTEAD,
  reprotect: does(
    'takes a full backup and begins a log on the new timeline; other standbys follow the new primary',
  ),
} as const satisfies Partial<Record<RecoveryStep, StepRule>>;

const RESTORES = {
  ...ALWAYS,
  choose: BACKUPS_INSTEAD,
  promote: BACKUPS_INSTEAD,
  salvage: does('finds what only the old primary has, and keeps it beside the journal'),
  rejoin: leavesOut('the old primary has another history and cannot follow: keep it until nobody needs it'),
} as const satisfies Partial<Record<RecoveryStep, StepRule>>;

/** What a strategy does of each step, before it is known what is configured. */
export const STRATEGY_STEPS: Readonly<Record<StrategyKind, Readonly<Record<RecoveryStep, StepRule>>>> = {
  local_restore: {
    ...RESTORES,
    fence: does('no old primary can write any longer: what it took after the restore began would be lost'),
    drain: does('the log in the vault catches up with what can still be read of the old primary'),
    restore: does('brings backups and log into the clean place of the region'),
    scale: leavesOut('the region stays the same'),
  },
  regional_failover: {
    ...PROMOTES,
    fence: does('no old primary can write any longer: of two primaries, one loses its events'),
    drain: does('waits until nothing more arrives at the standbys'),
    scale: does('adds capacity in the region that takes over'),
    salvage: does('finds what only the old primary has, and adds or keeps it'),
    rejoin: does('the old primary becomes a standby'),
  },
  full_rebuild: {
    ...RESTORES,
    fence: does('no old primary can write any longer'),
    drain: does('the log in the vault catches up with what can still be read of the old primary'),
    restore: does('brings backups and log into the clean place of the region that takes over'),
    scale: does('adds capacity in the region that takes over'),
  },
  switchover: {
    ...PROMOTES,
    fence: does('lets nobody in at the primary any longer, while it still sends to its standbys'),
    drain: does('waits until the standby has all that the primary has: nothing is lost'),
    scale: does('adds capacity in the region that takes over'),
    salvage: leavesOut('the standby had all that the primary had'),
    rejoin: does('the old primary becomes a standby'),
  },
};

/** What the trigger changes of that, since it says what may be trusted. */
export const TRIGGER_STEPS: Readonly<
  Record<DisasterTrigger, Readonly<Partial<Record<RecoveryStep, StepRule>>>>
> = {
  database_failure: {},
  region_outage: {},
  data_corruption: {
    drain: leavesOut('what was written after the instant is not wanted'),
    salvage: does('keeps what was written after the instant beside the journal, for people to judge'),
  },
  security_breach: {
    drain: leavesOut('what was written after the instant is not wanted'),
    salvage: does('keeps what was written after the instant beside the journal, for people to judge'),
    release: leavesOut('the vaults stay frozen: end that by hand when the breach is understood'),
  },
  manual_trigger: {},
};

/** Whether salvaged events may be added to the new primary, where they conflict with nothing and the configuration wants it. */
export const MERGES_SALVAGED: Readonly<Record<DisasterTrigger, boolean>> = {
  database_failure: true,
  region_outage: true,
  // Its newest events are what was recovered from.
  data_corruption: false,
  security_breach: false,
  manual_trigger: true,
};

/** How a step stands in the journal: by its last entry. */
export type StepState =
  | 'none'
  /** It was begun, and nobody wrote how it ended: the run died. */
  | 'intent'
  | 'failed'
  | 'done'
  | 'skipped';

/** What a look at the world says of its postcondition. */
export type StepFinding =
  | 'holds'
  /** It does not hold, or there is nothing to look at. */
  | 'open'
  /** The look itself failed. */
  | 'unknown';

export type StepMove =
  /** Intent, act, look, done. */
  | 'act'
  /** It is so already: that is written down, and nothing is done. */
  | 'record_done'
  /** As a failure of the step: `FAILURES` says what that means. */
  | 'fail'
  | 'next';

interface MoveRule {
  readonly move: StepMove;
  readonly text: string;
}

const move = (to: StepMove, text: string): MoveRule => ({ move: to, text });
const BLIND = move('fail', 'what is so is not known: to act blindly is worse than to stop');
const OVER = move('next', 'it was left out, and stays so');

/** Of a step that is done, the world is only asked where others can undo it. */
export const STEP_MOVES: Readonly<Record<StepState, Readonly<Record<StepFinding, MoveRule>>>> = {
  none: {
    holds: move('record_done', 'somebody did it, or nothing was to do'),
    open: move('act', 'it is its turn'),
    unknown: BLIND,
  },
  intent: {
    holds: move('record_done', 'the run died after it was done and before that was written'),
    open: move('act', 'the run died on the way: each step may be done again'),
    unknown: BLIND,
  },
  failed: {
    holds: move('record_done', 'it took effect after all, or somebody did it by hand'),
    open: move('act', 'whoever resumes wants it tried again'),
    unknown: BLIND,
  },
  done: {
    holds: move('next', 'it is done'),
    open: move('act', 'it was done, and somebody has undone it'),
    unknown: BLIND,
  },
  skipped: { holds: OVER, open: OVER, unknown: OVER },
};

export interface FailureRule {
  /** Else the run goes on without it, and the outcome is `in_part`. */
  readonly stops: boolean;
  /** Steps that must not be done as long as this one has not worked. */
  readonly withholds: readonly RecoveryStep[];
  readonly text: string;
}

const stop = (text: string): FailureRule => ({ stops: true, withholds: [], text });
const goOn = (text: string, ...withholds: RecoveryStep[]): FailureRule => ({
  stops: false,
  withholds,
  text,
});

const ANY = {
  freeze: stop(
    'a rule could remove what is needed; nothing has been done yet, so nothing is worse than before',
  ),
  fence: stop('somebody may still write: to go on would make two primaries'),
  drain: stop('log still arrives, or nobody can tell: what has not arrived would be lost; resuming waits on'),
  choose: stop('no standby may take over: see why, and make another plan'),
  promote: stop('nobody takes writes yet: the fence holds, so nothing is lost by waiting'),
  restore: stop('the place has no events yet; it begins anew when the run is resumed'),
  migrate: stop('applications could meet a schema that is not theirs'),
  check: stop('the store is not sound: to let applications in would spread that'),
  probe: stop('the store takes no writes'),
  scale: goOn('a slow store is better than none: add capacity by hand'),
  switch_name: stop('applications do not find the store: what was done stays, the name is tried again'),
  verify_public: stop(
    'the name does not lead to the new primary, or not yet: look where it leads, then resume',
  ),
  notify: goOn('nobody is helped by a recovery that waits for a mail'),
  reprotect: goOn('events are taken and not backed up: do it again soon; the vaults stay frozen', 'release'),
  salvage: goOn('what only the old primary has is still there: it must not be made a standby', 'rejoin'),
  rejoin: goOn('there is one standby less: make one by hand'),
  release: goOn('nothing is removed from the vaults until it is let go by hand'),
} as const satisfies Record<RecoveryStep, FailureRule>;

const LOG_IS_SHORT = goOn('the log in the vault ends earlier than it could; salvage finds what is missing');

/** What it means when a step fails. */
export const FAILURES: Readonly<Record<StrategyKind, Readonly<Record<RecoveryStep, FailureRule>>>> = {
  local_restore: { ...ANY, drain: LOG_IS_SHORT },
  regional_failover: ANY,
  full_rebuild: { ...ANY, drain: LOG_IS_SHORT },
  switchover: {
    ...ANY,
    drain: stop('the standby has not all that the primary has: resuming waits on, and nothing is lost'),
  },
};
