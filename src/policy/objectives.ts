import type { Objective, StatusRegion, StatusVerification, StoreStatus } from '../core/status.ts';
import { parseTime, timeToUnixMs } from '../core/time.ts';
import { formatDuration, formatInstant } from '../core/units.ts';
import { isDrillOverdue } from './drill-due.ts';
import { formatSpan } from './duration.ts';

/**
 * Whether what the policy promises is kept at an instant: pure, from what is known. One for each promise, `region_rpo` for each replica;
 * none where nothing is promised. Ages are as of `nowMs`: a status that nobody could renew does not stay good.
 */
export function judgeObjectives(status: StoreStatus, nowMs: number): Objective[] {
  const { rpoMs, regionRpoMs, rtoMs, verifiedWithinMs, drilledWithinMs } = status.promises;
  // What is damaged was read, and counts as not there.
  const isLost = (part: string): boolean =>
    status.problems.some(({ of, code }) => of === part && code !== 'damaged');
  const sinceMs = Math.max(0, nowMs - (unixMs(status.at) ?? nowMs));
  const judged = [
    rpoMs === null ? null : judgeRpo(status.newestPoint, { promisedMs: rpoMs, nowMs }),
    ...(regionRpoMs === null
      ? []
      : judgeRegions(status.regions, { promisedMs: regionRpoMs, nowMs }, (region) =>
          isLost(`region ${region}`),
        )),
    rtoMs === null ? null : judgeRto(status.drill?.rtoSeconds ?? null, rtoMs),
    verifiedWithinMs === null ? null : judgeVerified(status.verification, verifiedWithinMs, sinceMs),
    drilledWithinMs === null
      ? null
      : isLost('drills') && status.lastPassedDrillAt === null
        ? unknown('drilled_within', drilledWithinMs, 'what drills left cannot be read', LOOK)
        : judgeDrilled(unixMs(status.lastPassedDrillAt), { promisedMs: drilledWithinMs, nowMs }),
  ];
  return judged.filter((objective) => objective !== null);
}

const LOOK = '`eventcore doctor` says what is wrong with it';

export interface PromisedAge {
  readonly promisedMs: number;
  readonly nowMs: number;
}

/** How much would be lost if the store were lost now. `newestPoint` is the newest instant that can be brought back; null: there is none. */
export function judgeRpo(newestPoint: string | null, { promisedMs, nowMs }: PromisedAge): Objective {
  const about: About = { name: 'rpo', region: null, promisedMs };
  if (newestPoint === null)
    return breached(about, null, 'nothing can be recovered', '`eventcore backup full` makes a backup');
  const atMs = unixMs(newestPoint);
  if (atMs === null)
    return unknown('rpo', promisedMs, `${newestPoint} is no time that can be understood`, LOOK);
  const actualMs = Math.max(0, nowMs - atMs);
  return judge(about, actualMs, {
    is: `what can be recovered ends at ${formatInstant(newestPoint)}, ${formatDuration(actualMs)} ago`,
    next: 'run `eventcore archive`, which keeps it to seconds, or `eventcore backup incremental` oftener',
  });
}

/** How much would be lost with the store and the vault of its region: each replica is held to it. */
function judgeRegions(
  regions: readonly StatusRegion[],
  promised: PromisedAge,
  isAway: (region: string) => boolean,
): Objective[] {
  const replicas = regions.filter(({ kind }) => kind === 'replica');
  if (replicas.length > 0)
    return replicas.map((replica) => judgeRegion(replica, isAway(replica.region), promised));
  const about: About = { name: 'region_rpo', region: null, promisedMs: promised.promisedMs };
  return [
    breached(
      about,
      null,
      'there is no replica',
      'name one in the configuration (docs/regions.md); `eventcore sync` fills it',
    ),
  ];
}

/** Whether what one region can bring back alone is as new as was promised. */
export function judgeRegion(
  { region, newestPoint, backups }: Pick<StatusRegion, 'region' | 'newestPoint' | 'backups'>,
  isAway: boolean,
  { promisedMs, nowMs }: PromisedAge,
): Objective {
  const about: About = { name: 'region_rpo', region, promisedMs };
  const next = `\`eventcore sync --region ${region}\` copies what it lacks`;
  const atMs = unixMs(newestPoint);
  if (newestPoint === null && !isAway && backups !== null)
    return breached(about, null, `nothing can be recovered from ${region} alone`, next);
  if (atMs === null) {
    const reason = `what ${region} holds cannot be read`;
    return {
      ...about,
      actualMs: null,
      state: 'unknown',
      reason: `${reason}: ${promiseText(about)}`,
      next: `\`eventcore doctor --region ${region}\` says what is wrong with it`,
    };
  }
  const actualMs = Math.max(0, nowMs - atMs);
  return judge(about, actualMs, {
    is: `what can be recovered from ${region} alone ends at ${formatInstant(newestPoint!)}, ${formatDuration(actualMs)} ago`,
    next,
  });
}

/** By what a drill measured: nothing else shows how long it takes. `rtoSeconds` is of its slowest whole restore; null: none was measured. */
export function judgeRto(rtoSeconds: number | null, promisedMs: number): Objective {
  if (rtoSeconds === null) {
    const reason = 'no drill has measured how long a whole restore takes';
    return unknown('rto', promisedMs, reason, '`eventcore drill --full` measures it');
  }
  const actualMs = rtoSeconds * 1000;
  return judge({ name: 'rto', region: null, promisedMs }, actualMs, {
    is: `the last whole restore of a drill took ${formatDuration(actualMs)}`,
    next: '`eventcore drill show` says what took how long; `eventcore backup full --from-chain` makes the chain short',
  });
}

export const VERIFY_HINT =
  'run `eventcore verify --share 5%` once a day: all of the vault takes its turn in twenty days';

/** Whether all was verified lately and found sound. `sinceMs` is how long ago the verification was looked up. */
export function judgeVerified(
  verification: StatusVerification | null,
  promisedMs: number,
  sinceMs: number,
): Objective {
  if (verification === null)
    return unknown('verified_within', promisedMs, 'what was verified cannot be read', LOOK);
  const { oldestSeconds, unsound, never, units } = verification;
  const about: About = { name: 'verified_within', region: null, promisedMs };
  const actualMs = oldestSeconds === null ? null : oldestSeconds * 1000 + sinceMs;
  if (unsound > 0) {
    return breached(
      about,
      actualMs,
      `${unsound === 1 ? 'one was' : `${unsound} were`} found unsound when last verified`,
      '`eventcore verify` says what is wrong, `--heal` replaces it by what another region has',
    );
  }
  if (actualMs === null)
    return unknown(
      'verified_within',
      promisedMs,
      'there is nothing to verify',
      '`eventcore backup full` makes a backup',
    );
  const neverText = never === 0 ? '' : `; ${never} of ${units} were never verified yet`;
  return judge(about, actualMs, {
    is: `files go unverified for up to ${formatDuration(actualMs)}${neverText}`,
    next: VERIFY_HINT,
  });
}

export const DRILL_HINT =
  '`eventcore drill` restores, judges and leaves evidence; `eventcore drill show` says why one failed';

/** Whether a drill passed lately; null: none did. */
export function judgeDrilled(lastPassedAtMs: number | null, { promisedMs, nowMs }: PromisedAge): Objective {
  const about: About = { name: 'drilled_within', region: null, promisedMs };
  if (lastPassedAtMs === null) return breached(about, null, 'no drill has passed', DRILL_HINT);
  const actualMs = Math.max(0, nowMs - lastPassedAtMs);
  const isOverdue = isDrillOverdue({ lastPassedAtMs, withinMs: promisedMs, nowMs }) === true;
  const is = `the last drill that passed was ${formatDuration(actualMs)} ago`;
  return isOverdue ? breached(about, actualMs, is, DRILL_HINT) : kept(about, actualMs, is);
}

type About = Pick<Objective, 'name' | 'region' | 'promisedMs'>;

function judge(
  about: About,
  actualMs: number,
  { is, next }: { readonly is: string; readonly next: string },
): Objective {
  return actualMs <= about.promisedMs ? kept(about, actualMs, is) : breached(about, actualMs, is, next);
}

function kept(about: About, actualMs: number, is: string): Objective {
  return { ...about, actualMs, state: 'kept', reason: `${is}: ${promiseText(about)}`, next: null };
}

function breached(about: About, actualMs: number | null, is: string, next: string): Objective {
  return { ...about, actualMs, state: 'breached', reason: `${is}: ${promiseText(about)}`, next };
}

function unknown(name: Objective['name'], promisedMs: number, reason: string, next: string): Objective {
  const about: About = { name, region: null, promisedMs };
  return { ...about, actualMs: null, state: 'unknown', reason: `${reason}: ${promiseText(about)}`, next };
}

/** What was promised, as the policy writes it. */
export function promiseText({ name, promisedMs }: Pick<Objective, 'name' | 'promisedMs'>): string {
  return `the policy says ${name} ${formatSpan(promisedMs)}`;
}

/** Null where there is none, or it cannot be understood. */
function unixMs(time: string | null): number | null {
  const parsed = time === null ? null : parseTime(time);
  return parsed === null ? null : timeToUnixMs(parsed);
}
