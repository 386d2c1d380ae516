import type { Observation, PositionSample, PrimaryFinding, ServerState } from '../core/disaster.ts';
import type { PrimaryRecord } from '../format/disaster-primary.ts';
import { greatestPosition } from './lsn.ts';
import { answersOf, findBlind, isAt, type Opinion, opinionsOf } from './opinions.ts';

export interface PrimaryFacts {
  /** All that are configured, also where nobody could ask them. */
  readonly servers: readonly { readonly region: string; readonly server: string }[];
  readonly observations: readonly Observation[];
  readonly samples: readonly PositionSample[];
  /** Who it was after the last recovery; null when there was none. */
  readonly newestPrimary: PrimaryRecord | null;
}

interface Found extends PrimaryFinding {
  /** Servers that take writes, or would, and are not the newest primary. */
  readonly impostors: readonly string[];
}

/** Which server is the primary, and how it is. */
export function findPrimary(facts: PrimaryFacts): Found {
  const answers = answersOf(facts.observations);
  const primaries = [...answers].filter(([, { role }]) => role === 'primary');
  const [old, current] = partition(primaries, ([server, state]) => isOld(facts.newestPrimary, server, state));
  const identity = current.length > 0 ? newestAmong(current) : identify(facts, answers);
  const impostors = [...old, ...current]
    .filter(([server, { isFenced }]) => server !== identity?.server && !isFenced)
    .map(([server]) => server);
  const known = describe(facts, identity, answers);
  if (impostors.length > 0)
    return { ...known, state: 'doubled', impostors, reasons: doubledReasons(known, impostors, answers) };
  if (identity === null) return { ...known, state: 'unknown', impostors, reasons: [NOBODY_KNOWS] };
  const opinions = opinionsOf(identity.server, facts.observations, findBlind(facts.observations));
  const judged = judge(opinions);
  const fenced = answers.get(identity.server)?.isFenced === true ? [FENCED] : [];
  return { ...known, ...judged, impostors, reasons: [identity.because, ...judged.reasons, ...fenced] };
}

const NOBODY_KNOWS =
  'no server says that it is the primary, and neither records, samples nor standbys tell which one was';
const FENCED = 'it stands behind a fence: nobody writes';

interface Identity {
  readonly server: string;
  readonly because: string;
}

type Answer = readonly [string, ServerState];

/**
 * A primary that was left behind by a recovery: of an earlier timeline than the one on record, or of another history. One at the recorded
 * address is not.
 */
function isOld(record: PrimaryRecord | null, server: string, state: ServerState): boolean {
  if (record === null || record.server === server) return false;
  if (state.systemIdentifier !== record.systemIdentifier) return true;
  return record.timeline !== null && state.timeline < record.timeline;
}

/** Of several that say so, the one of the newest timeline. */
function newestAmong(primaries: readonly Answer[]): Identity {
  const [server] = primaries.toSorted(([, a], [, b]) => b.timeline - a.timeline)[0]!;
  return { server, because: `${server} says that it is the primary` };
}

/** Where none says so: who it was, by the best source that there is. Whoever answers as a standby is none. */
function identify(facts: PrimaryFacts, answers: ReadonlyMap<string, ServerState>): Identity | null {
  const { newestPrimary, samples, servers } = facts;
  const may = (server: string): boolean => !answers.has(server);
  const sample = samples
    .filter(({ sampledAt }) => newestPrimary === null || sampledAt > newestPrimary.recordedAt)
    .toSorted((a, b) => (a.sampledAt < b.sampledAt ? -1 : 1))
    .findLast(({ server }) => may(server));
  if (sample !== undefined)
    return { server: sample.server, because: `${sample.server} was the primary at ${sample.sampledAt}` };
  if (newestPrimary !== null && may(newestPrimary.server))
    return {
      server: newestPrimary.server,
      because: `${newestPrimary.server} is the primary since the recovery of ${newestPrimary.recordedAt}`,
    };
  const followed = [...answers.values()].flatMap(({ upstream }) =>
    upstream === null ? [] : servers.filter(({ server }) => may(server) && isAt(server, upstream)),
  )[0];
  if (followed !== undefined)
    return { server: followed.server, because: `a standby follows ${followed.server}` };
  const rest = servers.filter(({ server }) => may(server));
  if (rest.length !== 1) return null;
  const because =
    servers.length === 1 ? 'it is the only server' : 'all other servers say that they are standbys';
  return { server: rest[0]!.server, because: `${rest[0]!.server}: ${because}` };
}

type Known = Omit<Found, 'state' | 'impostors' | 'reasons'>;

function describe(
  facts: PrimaryFacts,
  identity: Identity | null,
  answers: ReadonlyMap<string, ServerState>,
): Known {
  if (identity === null)
    return { region: null, server: null, systemIdentifier: null, timeline: null, lastPosition: null };
  const { server } = identity;
  const state = answers.get(server);
  const record = facts.newestPrimary?.server === server ? facts.newestPrimary : null;
  const samples = facts.samples.filter((sample) => sample.server === server);
  const newest = samples.toSorted((a, b) => (a.sampledAt < b.sampledAt ? -1 : 1)).at(-1);
  const followers = commonOf(facts, server, answers);
  const systemIdentifier =
    state?.systemIdentifier ??
    record?.systemIdentifier ??
    newest?.systemIdentifier ??
    followers?.systemIdentifier ??
    null;
  const timeline =
    state?.timeline ?? greatest([record?.timeline, newest?.timeline]) ?? followers?.timeline ?? null;
  const isSame = (sample: PositionSample): boolean =>
    sample.systemIdentifier === systemIdentifier && sample.timeline === timeline;
  const positions = [...(state === undefined ? [] : [state]), ...samples.filter(isSame)];
  return {
    region: facts.servers.find((one) => one.server === server)?.region ?? record?.region ?? null,
    ...{ server, systemIdentifier, timeline },
    lastPosition: greatestPosition(positions.map(({ position }) => position)),
  };
}

/** Standbys of one history were its standbys: what they replay, it has written. */
function commonOf(
  { servers }: PrimaryFacts,
  primary: string,
  answers: ReadonlyMap<string, ServerState>,
): Pick<ServerState, 'systemIdentifier' | 'timeline'> | null {
  const own = new Set(servers.map(({ server }) => server));
  const standbys = [...answers].flatMap(([server, state]) =>
    server !== primary && own.has(server) && state.role === 'standby' ? [state] : [],
  );
  if (new Set(standbys.map((state) => state.systemIdentifier)).size !== 1) return null;
  return standbys.toSorted((a, b) => b.timeline - a.timeline)[0]!;
}

function greatest(numbers: readonly (number | null | undefined)[]): number | null {
  const known = numbers.filter((number) => typeof number === 'number');
  return known.length === 0 ? null : Math.max(...known);
}

function doubledReasons(
  known: Known,
  impostors: readonly string[],
  answers: ReadonlyMap<string, ServerState>,
): string[] {
  const all = [...(known.server === null ? [] : [known.server]), ...impostors];
  const said = all.map((server) => {
    const state = answers.get(server);
    return state === undefined
      ? `${server} should be the primary and does not answer`
      : `${server} takes writes on timeline ${state.timeline} of ${state.systemIdentifier}`;
  });
  return [...said, 'what is written at one of them is not at the other'];
}

/** Whether it is alive, by what all say. */
function judge(opinions: readonly Opinion[]): Pick<Found, 'state' | 'reasons'> {
  const reasons = opinions.map(({ text }) => text);
  const say = (what: Opinion['says']): Opinion[] => opinions.filter(({ says }) => says === what);
  const [alive, there, silent] = [say('alive'), say('there'), say('silent')];
  const isIn = alive.some(({ isHeard }) => !isHeard);
  if (isIn && silent.every(({ isHeard }) => isHeard)) return { state: 'alive', reasons };
  if (isIn || silent.some(({ isHeard }) => !isHeard) || there.length === 0) {
    if (alive.length > 0) return { state: 'disputed', reasons: [...reasons, DISAGREE] };
  }
  if (alive.length > 0 || there.length > 0) return { state: 'disputed', reasons: [...reasons, SHUT] };
  if (silent.length > 1) return { state: 'dead', reasons };
  return { state: 'disputed', reasons: [...reasons, silent.length === 1 ? ONE_OPINION : NO_OPINION] };
}

const DISAGREE = 'not all say the same: it may be cut off and still take writes';
const SHUT = 'somebody is there and lets nobody in, which is not dead';
const ONE_OPINION = 'this is one opinion: a network that is cut looks the same';
const NO_OPINION = 'nobody could look';

function partition<Item>(items: readonly Item[], isFirst: (item: Item) => boolean): [Item[], Item[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
}
