/** Which ways out there are, by what happened and how the primary is. Every cell is decided: the compiler asks for it. */
import type { DisasterTrigger, PrimaryFinding, StrategyKind } from '../core/disaster.ts';

export type PrimaryState = PrimaryFinding['state'];

/** Ways out, finer than strategies: where a standby stands decides about what is compared with it. */
export const WAYS = {
  /** The living primary hands over to a standby. */
  hand_over: 'switchover',
  home_standby: 'regional_failover',
  away_standby: 'regional_failover',
  restore_home: 'local_restore',
  rebuild: 'full_rebuild',
} as const satisfies Record<string, StrategyKind>;

export type Way = keyof typeof WAYS;

export interface StrategyCell<Allowed extends Way> {
  /** In this order; the first that is possible is taken. */
  readonly tries: readonly Allowed[];
  /** Only taken when whoever decides names the strategy. */
  readonly onDemand: readonly Allowed[];
  /** Where both are possible, the one that loses less is taken. */
  readonly compares: readonly [Allowed, Allowed] | null;
  readonly text: string;
  /** The way out where none of these is possible, or there are none. */
  readonly hint: string;
}

/** A standby has replayed what was done to the events, and what an intruder did: no way that ends in a promotion has this type. */
type RestoringWay = 'restore_home' | 'rebuild';
type AllowedWay<Trigger extends DisasterTrigger> = Trigger extends 'data_corruption'
  ? RestoringWay
  : Trigger extends 'security_breach'
    ? 'rebuild'
    : Way;

type StrategyTable = {
  readonly [Trigger in DisasterTrigger]: Readonly<Record<PrimaryState, StrategyCell<AllowedWay<Trigger>>>>;
};

const NOTHING_LEFT =
  'make a standby reachable (eventcore dr assess says what is in its way), or configure `restore_to` for a region whose vault can be read';
const TWO_WRITE: StrategyCell<never> = {
  ...{ tries: [], onDemand: [], compares: null },
  text: 'two servers take writes: which one is right, no program can know',
  hint: 'stop all but one of them, or fence it by hand; nothing is thrown away that way; then assess anew',
};
const WHO_IS_IT: StrategyCell<'rebuild'> = {
  ...{ tries: ['rebuild'], onDemand: [], compares: null },
  text: 'nobody knows which server was the primary, so nobody knows whom to fence before a standby takes over',
  hint: `make any server of the table of events reachable; or ${NOTHING_LEFT}`,
};

const FAILED: StrategyCell<Way> = {
  tries: ['home_standby', 'away_standby', 'restore_home', 'rebuild'],
  ...{ onDemand: [], compares: ['away_standby', 'restore_home'] },
  text: 'the primary is lost: a standby of its region is nearest; else what loses less',
  hint: NOTHING_LEFT,
};
const FAILED_DISPUTED: StrategyCell<Way> = {
  ...FAILED,
  text: 'the primary may be alive and cut off: it must be fenced, and the fence must be shown to hold; then as when it is dead',
};
const OUT: StrategyCell<Way> = {
  ...{ tries: ['away_standby', 'rebuild'], onDemand: [], compares: null },
  text: 'the region of the primary is lost: a standby of another region takes over; else another region is built from backups',
  hint: NOTHING_LEFT,
};
const CORRUPT: StrategyCell<RestoringWay> = {
  ...{ tries: ['restore_home', 'rebuild'], onDemand: [], compares: null },
  text: 'standbys have replayed the damage: events come from backups and log, up to the instant before',
  hint: 'configure `restore_to` for a region, and see that a vault with backups can be read',
};
const BREACHED: StrategyCell<'rebuild'> = {
  ...{ tries: ['rebuild'], onDemand: [], compares: null },
  text: 'nothing that ran is trusted: events go into a clean place, up to the instant before; give it new credentials, and keep the old servers as evidence',
  hint: 'configure `restore_to` for a region that the intruder had no way into, and see that a vault with backups can be read',
};

export const STRATEGIES = {
  database_failure: {
    alive: {
      ...{ tries: ['hand_over'], onDemand: ['restore_home', 'rebuild'], compares: null },
      text: 'the primary answers: if it is failing it can hand over, and nothing is lost',
      hint: 'where it is the data that is wrong, the trigger is data_corruption; to restore all the same, name the strategy',
    },
    dead: FAILED,
    disputed: FAILED_DISPUTED,
    doubled: TWO_WRITE,
    unknown: WHO_IS_IT,
  },
  region_outage: {
    alive: {
      ...{ tries: ['hand_over'], onDemand: [], compares: null },
      text: 'the primary answers, so its region is not lost: it can hand over, and nothing is lost',
      hint: 'where applications do not reach it, look at the network between; a failover would lose what a switchover keeps',
    },
    dead: OUT,
    disputed: {
      ...OUT,
      text: 'the region is cut off and its primary may take writes: it must be fenced, and the fence must be shown to hold; then as when it is dead',
    },
    doubled: TWO_WRITE,
    unknown: WHO_IS_IT,
  },
  data_corruption: {
    alive: CORRUPT,
    dead: CORRUPT,
    disputed: CORRUPT,
    doubled: CORRUPT,
    unknown: { ...CORRUPT, tries: ['rebuild'] },
  },
  security_breach: {
    alive: BREACHED,
    dead: BREACHED,
    disputed: BREACHED,
    doubled: BREACHED,
    unknown: BREACHED,
  },
  manual_trigger: {
    alive: {
      ...{ tries: ['hand_over'], onDemand: ['restore_home', 'rebuild'], compares: null },
      text: 'the primary is alive: it hands over to the region that is named, and nothing is lost',
      hint: 'name a region with a standby that may take over; eventcore dr assess says what is in its way',
    },
    dead: FAILED,
    disputed: FAILED_DISPUTED,
    doubled: TWO_WRITE,
    unknown: WHO_IS_IT,
  },
} as const satisfies StrategyTable;

/** The same, as one type for all cells. */
export function cellOf(trigger: DisasterTrigger, state: PrimaryState): StrategyCell<Way> {
  return STRATEGIES[trigger][state];
}

/** Whether an instant must be named, since the newest state is what is recovered from. */
export const NEEDS_INSTANT: Readonly<Record<DisasterTrigger, boolean>> = {
  database_failure: false,
  region_outage: false,
  data_corruption: true,
  security_breach: true,
  manual_trigger: false,
};
