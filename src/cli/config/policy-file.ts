import { BackupError } from '../../core/errors.ts';
import type { RecoveryObjectives, RegionPolicy, Schedule } from '../../core/region-policy.ts';
import type { RetentionRule } from '../../core/retention-rule.ts';
import { findContradictions, type PolicyFinding } from '../../policy/contradictions.ts';
import { isTimeZone, whyNoSchedule } from '../../policy/schedule.ts';
import { redactText } from '../address.ts';
import type { PolicySections } from './policy-schema.ts';

export interface PolicySource {
  /** The file, to name it in failures. */
  readonly path: string;
  /** What `vault:` in the same file says, resolved. */
  readonly vault: string | null;
  /** Gives an address seen from the file's folder. Throws `config_invalid`. */
  readonly resolve: (address: string) => string;
  readonly nowMs: number;
}

export interface PolicyRead {
  readonly policy: RegionPolicy;
  readonly warnings: readonly PolicyFinding[];
}

/**
 * The policy that the sections of a file make; null where it has none. Throws `config_invalid` for what cannot be read and for what
 * contradicts itself so that something would be lost.
 */
export function readPolicy(sections: PolicySections, source: PolicySource): PolicyRead | null {
  const policy = policyOf(sections, source);
  return policy === null ? null : { policy, warnings: checkPolicy(policy, source) };
}

/** As `readPolicy`, whatever contradicts itself. */
export function policyOf(sections: PolicySections, source: PolicySource): RegionPolicy | null {
  const { primary, replicas, archive, objectives } = sections;
  if (primary == null) {
    const found =
      replicas != null ? 'replicas' : archive != null ? 'archive' : objectives != null ? 'objectives' : null;
    if (found === null) return null;
    throw invalid(
      source,
      `\`${found}\` needs \`primary\``,
      'write `primary:` with at least `region: NAME`: where backups are taken',
    );
  }
  const zoneOf = (region: { time_zone?: string | undefined }, key: string): string =>
    timeZoneOf(region.time_zone ?? sections.time_zone ?? 'UTC', key, source);
  const primaryZone = zoneOf(primary, 'primary');
  const policy: RegionPolicy = {
    primary: {
      region: primary.region,
      storage: primaryStorage(primary.storage, source),
      retention: ruleOf(primary.retention, primaryZone),
      schedule: scheduleOf(primary.schedule, primaryZone, 'primary.schedule', source),
    },
    replicas: (replicas ?? []).map((replica, i) => {
      const zone = zoneOf(replica, `replicas.${i}`);
      return {
        region: replica.region,
        storage: source.resolve(replica.storage),
        retention: ruleOf(replica.retention, zone),
        syncSchedule: scheduleOf(replica.sync_schedule, zone, `replicas.${i}.sync_schedule`, source),
      };
    }),
    archive:
      archive == null
        ? null
        : {
            region: archive.region ?? 'archive',
            storage: source.resolve(archive.storage),
            retention: ruleOf(archive.retention, zoneOf(archive, 'archive')),
            afterDays: archive.after_days,
          },
    ...(objectives == null ? {} : { objectives: objectivesOf(objectives) }),
  };
  return policy;
}

function checkPolicy(policy: RegionPolicy, source: PolicySource): PolicyFinding[] {
  const findings = findContradictions(policy, source.nowMs);
  const error = findings.find(({ level }) => level === 'error');
  if (error === undefined) return findings;
  throw invalid(source, error.message, error.hint);
}

/** The vault of the primary region may be named in either place. */
function primaryStorage(storage: string | undefined, { vault, ...source }: PolicySource): string {
  const resolved = storage === undefined ? null : source.resolve(storage);
  const either = resolved ?? vault;
  if (either === null) {
    throw invalid(source, '`primary` has no storage', 'write `primary.storage:` or `vault:`');
  }
  if (resolved === null || vault === null || resolved === vault) return either;
  throw invalid(
    source,
    '`vault` and `primary.storage` name two places',
    'remove one: the vault of the primary region is the vault',
  );
}

function ruleOf(rule: RetentionRule | undefined, timeZone: string): RetentionRule | null {
  if (rule === undefined) return null;
  return timeZone === 'UTC' ? rule : { ...rule, timeZone };
}

function timeZoneOf(name: string, section: string, source: Pick<PolicySource, 'path'>): string {
  if (isTimeZone(name)) return name;
  throw invalid(
    source,
    `the time zone of \`${section}\`, ${JSON.stringify(name)}, is not known`,
    'name one of IANA, as Europe/Berlin, or UTC',
  );
}

function scheduleOf(
  cron: string | undefined,
  timeZone: string,
  key: string,
  source: Pick<PolicySource, 'path'>,
): Schedule | null {
  if (cron === undefined) return null;
  const fault = whyNoSchedule(cron);
  if (fault !== null) throw invalid(source, `\`${key}\`: ${fault.reason}`, fault.hint);
  return { cron: cron.trim(), timeZone };
}

function objectivesOf(section: NonNullable<PolicySections['objectives']>): RecoveryObjectives {
  const { rpo, region_rpo, rto, verified_within, drilled_within } = section;
  return {
    ...(rpo === undefined ? {} : { rpoMs: rpo }),
    ...(region_rpo === undefined ? {} : { regionRpoMs: region_rpo }),
    ...(rto === undefined ? {} : { rtoMs: rto }),
    ...(drilled_within === undefined ? {} : { drilledWithinMs: drilled_within }),
    ...(verified_within === undefined ? {} : { verifiedWithinMs: verified_within }),
  };
}

function invalid({ path }: Pick<PolicySource, 'path'>, message: string, hint: string): BackupError {
  return new BackupError('config_invalid', redactText(`${path}: ${message}`), { hint });
}
