import type {
  Candidate,
  DataLossEstimate,
  DisasterAssessment,
  DisasterTrigger,
  PositionSample,
  RecoveryStrategy,
  StrategyKind,
} from '../core/disaster.ts';
import { parseTime, timeToUnixMs } from '../core/time.ts';
import { formatAge } from '../policy/duration.ts';
import { lossFactsOf, newestPoint } from './assess.ts';
import { chooseCandidate } from './candidates.ts';
import { lossOfRestore, lossOfStandby } from './loss.ts';
import { cellOf, NEEDS_INSTANT, type StrategyCell, WAYS, type Way } from './strategy-table.ts';

/** What is configured for a region. */
export interface RegionFacts {
  readonly region: string;
  /** Servers of the table of events, without passwords. */
  readonly servers: readonly string[];
  /** The clean place that is restored to; null: none is configured. */
  readonly place: string | null;
  /** Address of its vault; null: it has none. */
  readonly vault: string | null;
  /** How capacity is added, in words; null: not at all. */
  readonly scale: string | null;
}

/** What whoever decides has named. */
export interface StrategyWish {
  readonly strategy: StrategyKind | null;
  readonly region: string | null;
  /** RFC 3339. */
  readonly recoverTo: string | null;
}

export interface StrategyFacts {
  readonly nowMs: number;
  readonly regions: readonly RegionFacts[];
  readonly samples: readonly PositionSample[];
  /** How much of the newest events may be lost, as a time; null where nothing is promised. */
  readonly rpoMs: number | null;
}

export type StrategyDecision =
  | {
      readonly strategy: RecoveryStrategy;
      readonly loss: DataLossEstimate;
      /** Of a promotion, who would take over as things are; null of a restore. */
      readonly candidate: Candidate | null;
      readonly reasons: readonly string[];
    }
  | {
      readonly strategy: null;
      readonly refusal: string;
      readonly hint: string;
      readonly reasons: readonly string[];
    };

interface Question {
  readonly assessment: DisasterAssessment;
  readonly trigger: DisasterTrigger;
  readonly wish: StrategyWish;
  readonly facts: StrategyFacts;
}

interface Possible {
  readonly way: Way;
  readonly strategy: RecoveryStrategy;
  readonly loss: DataLossEstimate;
  readonly candidate: Candidate | null;
  readonly because: string;
}

/** Why a way is closed. */
type Closed = string;

/** Which way is taken, and why; or why none is, and the way out. */
export function decideStrategy(question: Question): StrategyDecision {
  const { assessment, trigger, wish } = question;
  const cell = cellOf(trigger, assessment.primary.state);
  const reasons = [cell.text];
  const ways = waysOf(cell, wish.strategy);
  if (ways.length === 0) return { strategy: null, ...refuseWish(cell, wish, trigger, assessment), reasons };
  const wrongTime = refuseInstant(question, ways);
  if (wrongTime !== null) return { strategy: null, ...wrongTime, reasons };
  const found = ways.map((way) => tryWay(way, question));
  const closed = found.filter((one): one is Closed => typeof one === 'string');
  const possible = found.filter((one): one is Possible => typeof one !== 'string');
  const chosen = pickWay(possible, cell, question.facts.rpoMs);
  if (chosen === null)
    return {
      ...{ strategy: null, hint: cell.hint, reasons: [...reasons, ...closed] },
      refusal: `no way is open for ${trigger} while the primary is ${assessment.primary.state}`,
    };
  const { strategy, loss, candidate } = chosen.taken;
  return { strategy, loss, candidate, reasons: [...reasons, ...closed, ...chosen.reasons] };
}

/** All ways of the cell, or those of the strategy that is named. */
function waysOf(cell: StrategyCell<Way>, named: StrategyKind | null): Way[] {
  if (named === null) return [...cell.tries];
  return [...cell.tries, ...cell.onDemand].filter((way) => WAYS[way] === named);
}

interface Refusal {
  readonly refusal: string;
  readonly hint: string;
}

function refuseInstant({ trigger, wish, facts }: Question, ways: readonly Way[]): Refusal | null {
  const { recoverTo } = wish;
  if (recoverTo === null)
    return NEEDS_INSTANT[trigger]
      ? {
          refusal: `${trigger} needs the instant to go back to`,
          hint: 'find it with eventcore diff (what changed since) and eventcore list (which instants there are), and give it as --at',
        }
      : null;
  const at = parseTime(recoverTo);
  if (at === null || timeToUnixMs(at) > facts.nowMs)
    return {
      refusal: `${recoverTo} is not in the past`,
      hint: 'give --at an instant before now, in RFC 3339',
    };
  if (ways.some((way) => isRestore(WAYS[way]))) return null;
  return {
    refusal: 'a standby that takes over has the newest events, and cannot go back to an instant',
    hint: 'leave --at out; or name --strategy local_restore or full_rebuild; or the trigger is data_corruption',
  };
}

function isRestore(kind: StrategyKind): boolean {
  return kind === 'local_restore' || kind === 'full_rebuild';
}

function refuseWish(
  cell: StrategyCell<Way>,
  { strategy }: StrategyWish,
  trigger: DisasterTrigger,
  { primary }: DisasterAssessment,
): Refusal {
  const all = [...cell.tries, ...cell.onDemand];
  if (strategy === null || all.length === 0)
    return {
      refusal: `nothing is done by itself for ${trigger} while the primary is ${primary.state}`,
      hint: cell.hint,
    };
  const open = [...new Set(all.map((way) => WAYS[way]))].join(', ');
  return {
    refusal: `${strategy} is no answer to ${trigger} while the primary is ${primary.state}`,
    hint: `open are: ${open}; ${cell.hint}`,
  };
}

function tryWay(way: Way, question: Question): Possible | Closed {
  const { wish } = question;
  const promotes = !isRestore(WAYS[way]);
  if (promotes && wish.recoverTo !== null) return `${WAYS[way]}: a standby cannot go back to an instant`;
  switch (way) {
    case 'hand_over':
      return tryHandOver(question);
    case 'home_standby':
    case 'away_standby':
      return tryStandby(way, question);
    case 'restore_home':
      return tryRestoreHome(question);
    case 'rebuild':
      return tryRebuild(question);
  }
}

function tryHandOver({ assessment, wish }: Question): Possible | Closed {
  const { primary, candidates } = assessment;
  const candidate = chooseCandidate(candidates, { region: wish.region, primaryRegion: primary.region });
  if (candidate === null) return `switchover: ${noStandby(candidates, wish.region)}`;
  return {
    ...{ way: 'hand_over', candidate },
    strategy: { kind: 'switchover', targetRegion: candidate.region },
    loss: {
      ...{ bytes: null, events: null, timeMs: null, sampleAgeMs: null },
      basis:
        'nothing is lost when the drain is done: the standby is then shown to have all, else the run stops',
    },
    because: `${candidate.server} in ${candidate.region} is the most advanced standby that may take over`,
  };
}

function tryStandby(
  way: 'home_standby' | 'away_standby',
  { assessment, wish, facts }: Question,
): Possible | Closed {
  const { primary, candidates } = assessment;
  const isHome = way === 'home_standby';
  const place = isHome ? 'in the region of the primary' : 'in another region';
  const inReach = candidates.filter(
    ({ region }) => (region === primary.region) === isHome && (wish.region ?? region) === region,
  );
  const candidate = chooseCandidate(inReach, { region: null, primaryRegion: primary.region });
  if (candidate === null)
    return `regional_failover ${place}: ${noStandby(inReach, isHome ? null : wish.region)}`;
  return {
    ...{ way, candidate },
    strategy: { kind: 'regional_failover', targetRegion: candidate.region },
    loss: lossOfStandby(lossFactsOf(assessment, facts.samples, facts.nowMs), candidate),
    because: `${candidate.server} in ${candidate.region} is the most advanced standby ${place} that may take over`,
  };
}

function noStandby(candidates: readonly Candidate[], region: string | null): string {
  const where = region === null ? '' : ` in ${region}`;
  const own = candidates.filter((candidate) => region === null || candidate.region === region);
  if (own.length === 0) return `no standby${where} could be asked`;
  return own.map(({ server, refusals }) => `${server} must not take over: ${refusals.join('; ')}`).join('. ');
}

function tryRestoreHome(question: Question): Possible | Closed {
  const { assessment, wish, facts } = question;
  const home = assessment.primary.region;
  if (wish.region !== null && wish.region !== home)
    return `local_restore: ${wish.region} is not the region of the primary`;
  const region = facts.regions.find((one) => one.region === home);
  if (region === undefined) return 'local_restore: the region of the primary is not known';
  if (region.place === null) return `local_restore: ${region.region} has no \`restore_to\``;
  return restored('restore_home', { kind: 'local_restore' }, region, question);
}

/** In another region than the primary's, unless that is named or there is no other; one whose own vault can be read comes first. */
function tryRebuild(question: Question): Possible | Closed {
  const { assessment, wish, facts, trigger } = question;
  const home = assessment.primary.region;
  const places = facts.regions.filter(({ place }) => place !== null);
  const mayBeHome = trigger !== 'region_outage';
  const own = places.filter(({ region }) =>
    wish.region === null ? region !== home || mayBeHome : region === wish.region,
  );
  const rank = ({ region, vault }: RegionFacts): number =>
    (region === home ? 2 : 0) + (isReadable(assessment, vault) ? 0 : 1);
  const region = own.toSorted((a, b) => rank(a) - rank(b))[0];
  if (region === undefined)
    return wish.region === null
      ? 'full_rebuild: no other region has a `restore_to`'
      : `full_rebuild: ${wish.region} has no \`restore_to\``;
  return restored('rebuild', { kind: 'full_rebuild', targetRegion: region.region }, region, question);
}

export function isReadable({ vaults }: Pick<DisasterAssessment, 'vaults'>, address: string | null): boolean {
  return vaults.some(({ vault, isReadable: can }) => can && vault === address);
}

function restored(
  way: 'restore_home' | 'rebuild',
  strategy: RecoveryStrategy,
  region: RegionFacts,
  { assessment, wish, facts }: Question,
): Possible | Closed {
  const point = newestPoint(assessment.vaults);
  if (point === null) return `${strategy.kind}: no vault can be read that anything can be recovered from`;
  const to = wish.recoverTo ?? point;
  return {
    ...{ way, strategy, candidate: null },
    loss: lossOfRestore(lossFactsOf(assessment, facts.samples, facts.nowMs), to),
    because: `backups and log go into ${region.place} in ${region.region}, up to ${to}`,
  };
}

interface Picked {
  readonly taken: Possible;
  readonly reasons: readonly string[];
}

/** The first one, unless it is one of two that are compared. */
function pickWay(
  possible: readonly Possible[],
  cell: StrategyCell<Way>,
  rpoMs: number | null,
): Picked | null {
  const first = possible[0];
  if (first === undefined) return null;
  const [one, other] = (cell.compares ?? []).map((way) => possible.find((found) => found.way === way));
  if (one === undefined || other === undefined || one !== first)
    return { taken: first, reasons: [first.because] };
  const words = [compareText(one), compareText(other)];
  const restoreIsBetter = losesLess(other.loss, one.loss, rpoMs);
  return {
    taken: restoreIsBetter ? other : one,
    reasons: [
      ...words,
      restoreIsBetter
        ? 'the restore loses less, and takes longer: name --strategy regional_failover if time matters more'
        : 'the standby takes over: it does not lose more by what is known, and is there at once',
      (restoreIsBetter ? other : one).because,
    ],
  };
}

function compareText({ strategy, loss }: Possible): string {
  const known = loss.timeMs === null ? 'an unknown time' : `about ${formatAge(loss.timeMs)}`;
  return `${strategy.kind} would lose ${known} of events (${loss.basis})`;
}

/** Only where both are known, or the restore alone is known to keep what was promised. */
function losesLess(restore: DataLossEstimate, standby: DataLossEstimate, rpoMs: number | null): boolean {
  if (restore.timeMs === null) return false;
  if (standby.timeMs === null) return standby.bytes === null && rpoMs !== null && restore.timeMs <= rpoMs;
  if (rpoMs !== null && standby.timeMs <= rpoMs) return false;
  return restore.timeMs < standby.timeMs;
}
