import type { Candidate, Observation, PrimaryFinding, ServerState } from '../core/disaster.ts';
import { bytesBetween } from './lsn.ts';
import { answersOf } from './opinions.ts';

/** All standbys that answered, and why each must not take over. */
export function findCandidates(
  observations: readonly Observation[],
  primary: Pick<PrimaryFinding, 'server' | 'systemIdentifier' | 'timeline' | 'lastPosition'>,
): Candidate[] {
  const regions = new Map(observations.map(({ server, region }) => [server, region]));
  const standbys = [...answersOf(observations)].filter(
    ([server, { role }]) => role === 'standby' && server !== primary.server,
  );
  const newest = Math.max(primary.timeline ?? 0, ...standbys.map(([, { timeline }]) => timeline));
  return standbys.map(([server, state]) => ({
    ...{ region: regions.get(server)!, server, state },
    behindBytes: behindOf(state, primary),
    refusals: refusalsOf(state, primary.systemIdentifier, newest),
  }));
}

function behindOf(
  state: ServerState,
  {
    systemIdentifier,
    timeline,
    lastPosition,
  }: Pick<PrimaryFinding, 'systemIdentifier' | 'timeline' | 'lastPosition'>,
): string | null {
  if (lastPosition === null || systemIdentifier !== state.systemIdentifier) return null;
  // Positions of two timelines are not on one line.
  if (timeline !== state.timeline) return null;
  const bytes = bytesBetween(state.position, lastPosition);
  return bytes === null ? null : String(bytes < 0n ? 0n : bytes);
}

function refusalsOf(state: ServerState, systemIdentifier: string | null, newest: number): string[] {
  const found: (string | false)[] = [
    systemIdentifier !== null &&
      state.systemIdentifier !== systemIdentifier &&
      `it is of another history (system identifier ${state.systemIdentifier}, not ${systemIdentifier})`,
    state.timeline < newest && `it is on timeline ${state.timeline}, and there is a timeline ${newest}`,
    state.isReplayPaused && 'its replay is paused: SELECT pg_wal_replay_resume() there',
    state.applyDelayMs > 0 &&
      `it is kept ${Math.round(state.applyDelayMs / 1000)} s behind on purpose (recovery_min_apply_delay)`,
    state.isFenced && 'it stands behind a fence of an earlier run',
    isUnknown(state.position) && 'it does not say how far it is',
  ];
  return found.filter((text) => text !== false);
}

function isUnknown(position: string): boolean {
  const bytes = bytesBetween('0/0', position);
  return bytes === null || bytes <= 0n;
}

export interface ChoiceOptions {
  /** Bytes of log that may be lost; null: any number, since nothing bounds it or whoever approved has accepted it. */
  readonly maxLossBytes: bigint | null;
}

/**
 * The same when nothing more arrives, and one of them is taken: whoever lacks what another has, or more than may be lost, is refused too.
 * Without this, the words of an assessment hold: positions of standbys that still receive say nothing of who has more.
 */
export function judgeAtRest(candidates: readonly Candidate[], { maxLossBytes }: ChoiceOptions): Candidate[] {
  const best = mostAdvanced(candidates);
  return candidates.map((candidate) => {
    const added = [
      ...lacksOf(candidate, candidates, best, maxLossBytes === null),
      ...lossOf(candidate, maxLossBytes),
    ];
    return { ...candidate, refusals: [...candidate.refusals, ...added] };
  });
}

/** One that may not take over can have more than all that may: taking another loses that, unless somebody has accepted it. */
function lacksOf(
  candidate: Candidate,
  candidates: readonly Candidate[],
  best: Candidate | null,
  isAccepted: boolean,
): string[] {
  return candidates.flatMap((other) => {
    const bytes = leadOf(other, candidate);
    if (bytes <= 0n) return [];
    if (other.refusals.length === 0) return other === best ? [`${other.server} has ${bytes} bytes more`] : [];
    if (isAccepted || isOther(other, candidate)) return [];
    return [`${other.server} has ${bytes} bytes more and may not take over (${other.refusals.join('; ')})`];
  });
}

function lossOf({ behindBytes }: Candidate, maxLossBytes: bigint | null): string[] {
  if (maxLossBytes === null) return [];
  if (behindBytes === null) return ['how much it lacks is not known, and a bound is set'];
  if (BigInt(behindBytes) <= maxLossBytes) return [];
  return [`it lacks ${behindBytes} bytes of the primary's, and ${maxLossBytes} may be lost`];
}

/** Of those without a refusal; null when there is none. */
function mostAdvanced(candidates: readonly Candidate[]): Candidate | null {
  const allowed = candidates.filter(({ refusals }) => refusals.length === 0);
  return allowed.toSorted((a, b) => sign(leadOf(b, a)))[0] ?? null;
}

/** Bytes that one has more than another: of a later timeline it has more in any case. */
function leadOf(one: Candidate, than: Candidate): bigint {
  if (isOther(one, than)) return 0n;
  if (one.state.timeline !== than.state.timeline) return BigInt(one.state.timeline - than.state.timeline);
  return bytesBetween(than.state.position, one.state.position) ?? 0n;
}

/** Whether one has something that another lacks, as far as positions can be compared. */
export function isAhead(one: Candidate, than: Candidate): boolean {
  return leadOf(one, than) > 0n;
}

function isOther(one: Candidate, than: Candidate): boolean {
  return one.state.systemIdentifier !== than.state.systemIdentifier;
}

function sign(value: bigint): number {
  return value > 0n ? 1 : value < 0n ? -1 : 0;
}

export interface Preference {
  /** Only standbys of this region; null: of any. */
  readonly region: string | null;
  /** Of equals, those in the region of the primary come first. */
  readonly primaryRegion: string | null;
}

/** The most advanced of those without a refusal; of equals, the one that is nearest. Null when none may take over. */
export function chooseCandidate(
  candidates: readonly Candidate[],
  { region, primaryRegion }: Preference,
): Candidate | null {
  const allowed = candidates.filter(
    (candidate) => candidate.refusals.length === 0 && (region === null || candidate.region === region),
  );
  const isHome = (candidate: Candidate): number => (candidate.region === primaryRegion ? 1 : 0);
  return (
    allowed.toSorted(
      (a, b) => sign(leadOf(b, a)) || isHome(b) - isHome(a) || (a.server < b.server ? -1 : 1),
    )[0] ?? null
  );
}
