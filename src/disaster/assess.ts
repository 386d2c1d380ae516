import type {
  Candidate,
  DisasterAssessment,
  Observation,
  PositionSample,
  PrimaryFinding,
  VaultObservation,
} from '../core/disaster.ts';
import { formatAge } from '../policy/duration.ts';
import { chooseCandidate, findCandidates } from './candidates.ts';
import { findPrimary, type PrimaryFacts } from './find-primary.ts';
import { type LossFacts, lossOfRestore, lossOfStandby } from './loss.ts';
import { answersOf, findBlind } from './opinions.ts';
import { timeOf } from './rates.ts';

export interface AssessmentFacts extends PrimaryFacts {
  readonly nowMs: number;
  readonly vaults: readonly VaultObservation[];
  /** What those who asked could not find out, in words. */
  readonly remarks: readonly string[];
}

/** Clocks of two hosts of which one was asked over a network. */
const CLOCK_BOUND_MS = 2000;
/** An older sample says little of where a primary ended. */
export const SAMPLE_BOUND_MS = 120_000;

/** What was found, judged. Decides nothing. */
export function assess(facts: AssessmentFacts): DisasterAssessment {
  const { observations, vaults, nowMs } = facts;
  const { impostors, ...primary } = findPrimary(facts);
  const candidates = findCandidates(observations, primary);
  const answers = answersOf(observations);
  const regions = [...new Set(facts.servers.map(({ region }) => region))];
  const may = (region: string): boolean =>
    chooseCandidate(candidates, { region, primaryRegion: null }) !== null;
  return {
    assessedAt: new Date(nowMs).toISOString(),
    primaryDbAccessible: [...answers.values()].some(({ role, isFenced }) => role === 'primary' && !isFenced),
    backupAccessible: vaults.some(({ isReadable, newestPoint }) => isReadable && newestPoint !== null),
    replicaRegions: Object.fromEntries(regions.map((region) => [region, may(region)])),
    estimatedDataLoss: estimate(facts, primary, candidates),
    ...{ primary, candidates, vaults, observations },
    warnings: warningsOf(facts, { primary, impostors, candidates }),
  };
}

/** The least that would be lost: the best standby, else the newest point of a vault. */
function estimate(
  facts: AssessmentFacts,
  primary: PrimaryFinding,
  candidates: readonly Candidate[],
): DisasterAssessment['estimatedDataLoss'] {
  const loss = lossFactsOf({ primary, observations: facts.observations }, facts.samples, facts.nowMs);
  const best = chooseCandidate(candidates, { region: null, primaryRegion: primary.region });
  return best === null ? lossOfRestore(loss, newestPoint(facts.vaults)) : lossOfStandby(loss, best);
}

/** What estimates of loss start from. */
export function lossFactsOf(
  { primary, observations }: Pick<DisasterAssessment, 'primary' | 'observations'>,
  samples: readonly PositionSample[],
  nowMs: number,
): LossFacts {
  const answers = answersOf(observations);
  const heard = [...answers.values()].flatMap(({ upstream }) =>
    upstream === null ? [] : [nowMs - upstream.heardAgoMs],
  );
  return {
    ...{ nowMs, primary, samples },
    primaryState: primary.server === null ? null : (answers.get(primary.server) ?? null),
    lastHeardMs: heard.length === 0 ? null : Math.max(...heard),
  };
}

/** The latest instant that something can be recovered to; null when there is none. */
export function newestPoint(vaults: readonly VaultObservation[]): string | null {
  const points = vaults.flatMap(({ isReadable, newestPoint: point }) =>
    isReadable && point !== null ? [point] : [],
  );
  return points.toSorted((a, b) => Date.parse(a) - Date.parse(b)).at(-1) ?? null;
}

interface Findings {
  readonly primary: PrimaryFinding;
  readonly impostors: readonly string[];
  readonly candidates: readonly Candidate[];
}

function warningsOf(facts: AssessmentFacts, findings: Findings): string[] {
  return [
    ...findings.impostors.map((server) => impostorText(facts, server)),
    ...oldFenced(facts, findings),
    ...vantageWarnings(facts.observations),
    ...strangers(facts),
    ...unasked(facts, findings.primary),
    ...clockWarnings(facts.observations, findings.primary),
    ...sampleWarnings(facts, findings.primary),
    ...vaultWarnings(facts.vaults),
    ...facts.remarks,
  ];
}

function impostorText({ newestPrimary }: AssessmentFacts, server: string): string {
  return newestPrimary === null
    ? `${server} takes writes as well: stop or fence all but one, by hand`
    : `${server} is an old primary that came back and takes writes: since ${newestPrimary.recordedAt} the primary is ${newestPrimary.server}; stop it or fence it now`;
}

function oldFenced({ observations }: AssessmentFacts, { primary, impostors }: Findings): string[] {
  return [...answersOf(observations)]
    .filter(([server, { role }]) => role === 'primary' && server !== primary.server)
    .filter(([server]) => !impostors.includes(server))
    .map(([server]) => `${server} is an old primary behind a fence: salvage and rejoin it`);
}

function vantageWarnings(observations: readonly Observation[]): string[] {
  const blind = findBlind(observations);
  const vantages = new Set(observations.map(({ vantage }) => vantage));
  return [
    ...[...blind].map(
      (vantage) => `${vantage} reaches no server at all: it is cut off itself, and is not counted`,
    ),
    ...(vantages.size - blind.size === 1
      ? ['servers were asked from one vantage point only: configure `disaster.vantages` in other regions']
      : []),
  ];
}

/** Where a recovery went into a place that nobody asks. */
function strangers({ newestPrimary: record, servers }: AssessmentFacts): string[] {
  if (record === null || servers.some(({ server }) => server === record.server)) return [];
  return [
    `since ${record.recordedAt} the primary is ${record.server} in ${record.region}, which is no server of the configuration: add it to its region`,
  ];
}

/** A standby that nobody could ask may have more than all that were. */
function unasked({ servers, observations }: AssessmentFacts, primary: PrimaryFinding): string[] {
  const answers = answersOf(observations);
  return servers
    .filter(({ server }) => server !== primary.server && !answers.has(server))
    .map(({ server, region }) => `${server} in ${region} could not be asked: it may have more than others`);
}

function clockWarnings(observations: readonly Observation[], primary: PrimaryFinding): string[] {
  const answers = answersOf(observations);
  const reference = primary.server === null ? 0 : (answers.get(primary.server)?.clockAheadMs ?? 0);
  return [...answers].flatMap(([server, { clockAheadMs }]) => {
    const apart = clockAheadMs - reference;
    if (Math.abs(apart) <= CLOCK_BOUND_MS) return [];
    const seconds = (Math.abs(apart) / 1000).toFixed(1);
    return apart > 0
      ? [`the clock of ${server} is ${seconds} s ahead: times and estimates are off by that`]
      : [
          `the clock of ${server} is ${seconds} s behind: new events could get ids (UUIDv7) below the old ones, which consumers pass over`,
        ];
  });
}

function sampleWarnings({ samples, nowMs }: AssessmentFacts, primary: PrimaryFinding): string[] {
  if (primary.state === 'alive' && samples.length === 0) return [NO_SAMPLES];
  if (primary.server === null) return [];
  const newest = Math.max(...samples.filter(({ server }) => server === primary.server).map(timeOf));
  if (newest === Number.NEGATIVE_INFINITY) return [NO_SAMPLES];
  if (nowMs - newest <= SAMPLE_BOUND_MS) return [];
  return [
    `the newest sample of the primary is ${formatAge(nowMs - newest)} old: what was written since is in no estimate`,
  ];
}

const NO_SAMPLES =
  'there are no samples of the primary: how much would be lost is not known; run eventcore dr sample in another region';

function vaultWarnings(vaults: readonly VaultObservation[]): string[] {
  const out = vaults.filter(({ isReadable }) => !isReadable);
  return out.map(
    ({ vault, region, reason }) => `${vault} in ${region} cannot be read: ${reason ?? 'no reason given'}`,
  );
}
