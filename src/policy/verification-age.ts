import { RUNGS, type Rung } from '../core/rungs.ts';
import type { StatusVerification } from '../core/status.ts';
import type { UnitFacts } from './verified-memory.ts';

/** How long ago a vault was verified, by what was longest ago. */
export interface VerificationAge {
  /** Of what was never verified, since it was written; null when there is nothing. */
  readonly oldestMs: number | null;
  /** Whole name of what it is the age of. */
  readonly oldest: string | null;
  readonly never: number;
  /** Folders of backups, and files of logs, that were found unsound when they were verified last. */
  readonly unsound: readonly string[];
  readonly units: number;
  /** Of how many units each rung was proven when they were verified last; in the order of the ladder, without those of none. */
  readonly proven: StatusVerification['proven'];
}

export function verificationAge(units: readonly UnitFacts[], nowMs: number): VerificationAge {
  const since = ({ verifiedAtMs, writtenAtMs }: UnitFacts): number => verifiedAtMs ?? writtenAtMs;
  const oldest = units.reduce<UnitFacts | null>(
    (found, unit) => (found === null || since(unit) < since(found) ? unit : found),
    null,
  );
  const unsound = units.filter(({ isSound }) => isSound === false);
  return {
    oldestMs: oldest === null ? null : Math.max(0, nowMs - since(oldest)),
    oldest: oldest?.name ?? null,
    never: units.filter(({ verifiedAtMs }) => verifiedAtMs === null).length,
    unsound: [...new Set(unsound.map(({ backup, name }) => backup ?? name))],
    units: units.length,
    proven: provenOf(units),
  };
}

function provenOf(units: readonly UnitFacts[]): StatusVerification['proven'] {
  const counts = new Map<Rung, number>();
  for (const { passed } of units) for (const rung of passed) counts.set(rung, (counts.get(rung) ?? 0) + 1);
  return RUNGS.flatMap((rung) => {
    const count = counts.get(rung);
    return count === undefined ? [] : [{ rung, units: count }];
  });
}

/** The same without names. */
export function verificationStatus(age: VerificationAge): StatusVerification {
  const { oldestMs, never, units, unsound, proven } = age;
  const oldestSeconds = oldestMs === null ? null : oldestMs / 1000;
  return { oldestSeconds, never, units, unsound: unsound.length, proven };
}
