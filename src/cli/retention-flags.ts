import { type Command, InvalidArgumentError } from 'commander';
import { BackupError } from '../core/errors.ts';
import type { ArchiveTier } from '../core/region-policy.ts';
import type { RetentionRule } from '../core/retention-rule.ts';
import { archiveSources } from '../policy/archive-sources.ts';
import { formatSpan, parseSpan } from '../policy/duration.ts';
import { isTimeZone } from '../policy/schedule.ts';
import { wholeNumber } from './arguments.ts';
import type { Settings } from './config/config.ts';
import type { CommandContext } from './context.ts';
import { addRegionOption, type RegionFlags, regionsOf, vaultToRead } from './regions.ts';

export interface RetentionFlags extends RegionFlags {
  readonly keepLast?: number;
  readonly keepWithin?: number;
  readonly keepDaily?: number;
  readonly keepWeekly?: number;
  readonly keepMonthly?: number;
  readonly keepYearly?: number;
  readonly keepLog?: number;
  readonly minRedundancy?: number;
  readonly timeZone?: string;
}

const count = wholeNumber(1, 10_000);

export function readSpan(text: string): number {
  const ms = parseSpan(text, 'months');
  if (ms !== null) return ms;
  throw new InvalidArgumentError('It must be a span of time, as 12h, 30d, 12w, 6mo or 7y.');
}

function readTimeZone(text: string): string {
  if (isTimeZone(text)) return text;
  throw new InvalidArgumentError('It must be a time zone of IANA, as Europe/Berlin, or UTC.');
}

/** A rule on the command line takes the place of the one in the configuration. */
export function addRetentionOptions(command: Command): Command {
  return addRegionOption(command)
    .option('--keep-last <n>', 'keep the newest backups', count)
    .option('--keep-within <span>', 'keep all that are younger, as 30d', readSpan)
    .option('--keep-daily <n>', 'keep the newest of each of so many days that have one', count)
    .option('--keep-weekly <n>', 'the same of weeks (from Monday)', count)
    .option('--keep-monthly <n>', 'the same of months', count)
    .option('--keep-yearly <n>', 'the same of years', count)
    .option(
      '--keep-log <span>',
      'keep every instant recoverable for so long, as 14d (default: since the oldest backup)',
      readSpan,
    )
    .option('--min-redundancy <n>', 'keep so many whole chains, whatever else is said (default: 1)', count)
    .option(
      '--time-zone <name>',
      'whose days, weeks, months and years are meant (default: UTC)',
      readTimeZone,
    );
}

/** The rule that the flags make; null where they say nothing. */
export function ruleOfFlags(flags: RetentionFlags): RetentionRule | null {
  const said: [keyof RetentionRule, number | undefined][] = [
    ['last', flags.keepLast],
    ['withinMs', flags.keepWithin],
    ['daily', flags.keepDaily],
    ['weekly', flags.keepWeekly],
    ['monthly', flags.keepMonthly],
    ['yearly', flags.keepYearly],
    ['logMs', flags.keepLog],
    ['minimumRedundancy', flags.minRedundancy],
  ];
  const given = said.filter(([, value]) => value !== undefined);
  if (given.length === 0) return null;
  const zone = flags.timeZone === undefined ? {} : { timeZone: flags.timeZone };
  return { ...Object.fromEntries(given), ...zone } as RetentionRule;
}

/** A vault to prune, and by which rule. */
export interface PruneTarget {
  readonly address: string;
  /** Null where the vault is in no policy. */
  readonly region: string | null;
  readonly rule: RetentionRule;
  /** Where old chains of this vault are moved to. */
  readonly archive: ArchiveTier | null;
}

/** Throws `usage` where nothing names the vault, or says what is to be kept in it. */
export function choosePruneTarget(
  context: CommandContext,
  settings: Settings,
  flags: RetentionFlags,
): PruneTarget {
  const address = vaultToRead(context, settings, flags);
  const regions = settings.policy === null ? [] : regionsOf(settings.policy);
  const own = regions.find(({ region, storage }) =>
    flags.region === undefined ? storage === address : region === flags.region,
  );
  const rule = ruleOfFlags(flags) ?? own?.retention ?? null;
  const region = own?.region ?? null;
  const { policy } = settings;
  const isSource = policy !== null && region !== null && archiveSources(policy).includes(region);
  const archive = isSource ? policy.archive : null;
  if (rule !== null) return { address, region, rule, archive };
  throw new BackupError('usage', `nothing says what is to be kept in ${region ?? 'this vault'}`, {
    hint: 'pass --keep-last 7, --keep-within 30d or the like, or write `primary.retention:` into the configuration (docs/retention.md)',
  });
}

/** `last 3, within 30d, daily 7; log 14d; at least 1 whole chain` */
export function describeRule(rule: RetentionRule): string {
  const { last, withinMs, daily, weekly, monthly, yearly, logMs, minimumRedundancy = 1, timeZone } = rule;
  const counts = Object.entries({ last, daily, weekly, monthly, yearly });
  const words = [
    ...counts.flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`])),
    ...(withinMs === undefined ? [] : [`within ${formatSpan(withinMs)}`]),
  ];
  return [
    words.length === 0 ? 'all backups' : words.join(', '),
    logMs === undefined ? 'the log since the oldest backup' : `log ${formatSpan(logMs)}`,
    `at least ${minimumRedundancy} whole chain${minimumRedundancy === 1 ? '' : 's'}`,
    ...(timeZone === undefined ? [] : [`by days of ${timeZone}`]),
  ].join('; ');
}
