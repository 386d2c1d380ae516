import type { Candidate, DisasterAssessment, PrimaryFinding } from '../core/disaster.ts';
import type { BackupError } from '../core/errors.ts';
import { formatBytes, formatDuration } from '../core/units.ts';
import { bad, type Check, failed, good, skipped, warn } from './check.ts';

/** Whether a recovery across regions could work, before there is need of one. */

/** What one way to fence a server said when it was asked; nothing is fenced by that. */
export interface FenceFact {
  readonly describe: string;
  /** `open` is the good answer of a server that is in use: whoever gave it can be asked. */
  readonly state: 'fenced' | 'open' | 'unknown';
  readonly reason: string | null;
  /** It is asked of the server itself, so it is of no use once that does not answer. */
  readonly isOwn: boolean;
}

export interface ServerFences {
  readonly server: string;
  readonly fences: readonly FenceFact[];
}

export interface NameFact {
  readonly describe: string;
  /** What it points to; null where there is no such record. */
  readonly value: string | null;
  /** What it should point to, by the primary as it is now; null where that is not known. */
  readonly wanted: string | null;
  /** Whether a change that changes nothing was taken; null where that was not tried. */
  readonly isWritable: boolean | null;
  readonly failure: BackupError | null;
}

/** What a name says, and whether it can be switched. */
export function checkName(fact: NameFact | null): Check {
  const name = 'dr name';
  if (fact === null)
    return skipped(name, 'no public name is switched: applications find the store by other means');
  if (fact.failure !== null) return failed(name, fact.failure);
  const { value, wanted, isWritable, describe } = fact;
  if (value === null)
    return warn(name, `there is no record yet: ${describe}`, 'make it point to the primary');
  if (wanted !== null && value !== wanted) {
    return warn(
      name,
      `it points to ${value}, and the primary is ${wanted}`,
      'who is right? `eventcore dr assess` shows the primary',
    );
  }
  return good(name, `${value}${isWritable === true ? ', and a change of it is taken' : ''}: ${describe}`);
}

export function checkFences(servers: readonly ServerFences[]): Check {
  const name = 'dr fences';
  const hint =
    'without a fence that works while a server does not answer, a standby cannot take over from it safely (docs/fencing.md)';
  const [mute] = servers.filter(({ fences }) => fences.every(({ isOwn }) => isOwn));
  const [broken] = servers.flatMap(({ server, fences }) =>
    fences.filter(({ isOwn, state }) => !isOwn && state === 'unknown').map((fence) => ({ server, ...fence })),
  );
  if (broken !== undefined) {
    return bad(
      name,
      'fence_failed',
      `${broken.server}: ${broken.describe} cannot say whether it holds${reasonOf(broken)}`,
      hint,
    );
  }
  const [closed] = servers.flatMap(({ server, fences }) =>
    fences.filter(({ state }) => state === 'fenced').map((fence) => ({ server, ...fence })),
  );
  if (closed !== undefined)
    return warn(name, `${closed.server} is fenced: ${closed.describe}`, '`eventcore dr status` says by whom');
  if (mute !== undefined) return warn(name, `${mute.server} can be fenced only while it answers`, hint);
  return good(name, `each of ${servers.length} servers can be fenced while it does not answer`);
}

function reasonOf({ reason }: FenceFact): string {
  return reason === null ? '' : `: ${reason}`;
}

export function checkPrimary({ state, server, region, reasons }: PrimaryFinding): Check {
  const name = 'dr primary';
  if (state === 'alive') return good(name, `${server} in ${region}`);
  if (state === 'doubled') {
    return bad(
      name,
      'store_diverged',
      reasons.join('; '),
      'fence one of the two now (docs/disaster-recovery.md, "Two servers take writes")',
    );
  }
  return bad(
    name,
    'store_unreachable',
    `the primary is ${state}: ${reasons.join('; ')}`,
    '`eventcore dr assess` shows who says what',
  );
}

export function checkStandbys({ candidates, primary }: DisasterAssessment): Check {
  const name = 'dr standbys';
  const refused = candidates.find(({ refusals }) => refusals.length > 0);
  const able = candidates.filter(({ refusals }) => refusals.length === 0);
  if (able.length === 0) {
    const why =
      refused === undefined ? 'none answers as one' : `${refused.server}: ${refused.refusals.join('; ')}`;
    return warn(
      name,
      `no standby could take over: ${why}`,
      'a recovery would have to restore from backups, which takes longer and loses more',
    );
  }
  if (refused !== undefined)
    return warn(name, `${refused.server} could not take over: ${refused.refusals.join('; ')}`, null);
  const away = able.some(({ region }) => region !== primary.region);
  const said = able.map(describeStandby).join(', ');
  return away
    ? good(name, said)
    : warn(
        name,
        `${said}; none in another region than the primary`,
        'the loss of the region is the loss of both',
      );
}

function describeStandby({ server, region, behindBytes }: Candidate): string {
  return `${server} (${region}${behindBytes === null ? '' : `, ${formatBytes(Number(behindBytes))} behind`})`;
}

/** An older one says little of where a primary ended. */
const SAMPLE_MS = 120_000;

export function checkSamples(
  { estimatedDataLoss: { sampleAgeMs }, primary }: DisasterAssessment,
  samples: number,
): Check {
  const name = 'dr samples';
  const hint =
    'run `eventcore dr sample` outside the region of the primary, always: what would be lost is told from that';
  if (primary.state !== 'alive') return skipped(name, 'there is no primary to sample');
  if (samples === 0) return warn(name, 'nobody writes down where the primary stands', hint);
  if (sampleAgeMs === null) return good(name, `${samples} in the vaults`);
  const age = `the newest one is ${formatDuration(sampleAgeMs)} old`;
  return sampleAgeMs > SAMPLE_MS ? warn(name, age, hint) : good(name, age);
}

export interface PlaceFact {
  readonly region: string;
  readonly place: string;
  /** Why nothing could be restored there; null when nothing stands in the way. */
  readonly refusal: string | null;
}

export function checkPlaces(places: readonly PlaceFact[]): Check {
  const name = 'dr places';
  if (places.length === 0) {
    return warn(
      name,
      'no region has a clean place to restore to',
      'write `restore_to:` into one of them at least: damaged data are never taken over by a standby',
    );
  }
  const refused = places.find(({ refusal }) => refusal !== null);
  if (refused === undefined)
    return good(name, places.map(({ place, region }) => `${place} (${region})`).join(', '));
  const hint = 'it must be an empty database that the role may fill; nothing that is there is ever removed';
  return bad(name, 'target_not_empty', `${refused.place} in ${refused.region}: ${refused.refusal}`, hint);
}

export interface GuardFact {
  readonly vault: string;
  /** Since the lease of the primary was last renewed; null when it never was held, or nobody can say. */
  readonly renewedAgoMs: number | null;
  readonly ttlMs: number;
}

/** A lease that nobody holds fences nobody. */
export function checkGuard(fact: GuardFact | null): Check {
  const name = 'dr guard';
  if (fact === null) return skipped(name, 'no fence relies on a lease');
  const hint = 'run `eventcore dr guard` beside the primary, always (docs/guard.md)';
  const { vault, renewedAgoMs, ttlMs } = fact;
  if (renewedAgoMs === null)
    return bad(name, 'fence_failed', `nobody holds the lease of the primary in ${vault}`, hint);
  const ago = `the lease in ${vault} was renewed ${formatDuration(renewedAgoMs)} ago`;
  return renewedAgoMs > ttlMs
    ? bad(name, 'fence_failed', `${ago}, and ends after ${formatDuration(ttlMs)}`, hint)
    : good(name, ago);
}

export function checkVantages(names: readonly string[]): Check {
  const name = 'dr vantages';
  if (names.length > 0) return good(name, `this host and ${names.join(', ')}`);
  return warn(
    name,
    'servers are asked from this host only',
    'from one place a partition looks like a death: configure `disaster.vantages` in another one',
  );
}

export function checkSources({ vaults }: DisasterAssessment): Check {
  const name = 'dr vaults';
  const away = vaults.find(({ isReadable }) => !isReadable);
  if (away !== undefined) {
    return bad(
      name,
      'vault_unreachable',
      `${away.vault} (${away.region}) cannot be read: ${away.reason ?? 'no reason given'}`,
      null,
    );
  }
  const empty = vaults.find(({ newestPoint, isArchive }) => newestPoint === null && !isArchive);
  if (empty !== undefined)
    return warn(
      name,
      `nothing can be recovered from ${empty.vault} (${empty.region})`,
      '`eventcore sync` brings it up to date',
    );
  return good(name, `${vaults.length} can be read and bring something back`);
}
