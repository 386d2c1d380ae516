import type { Command } from 'commander';
import { BackupError, isBackupError } from '../../core/errors.ts';
import type { RegionPolicy } from '../../core/region-policy.ts';
import { formatBytes, formatCount, formatDuration, plural, printable } from '../../core/units.ts';
import type { Vault } from '../../core/vault.ts';
import { archiveSources } from '../../policy/archive-sources.ts';
import { archiveChains } from '../../upkeep/archive-tier.ts';
import { type SyncReport, syncVault } from '../../upkeep/sync.ts';
import { rulesOf } from '../../upkeep/sync-rules.ts';
import type { ThrottleOptions } from '../../vaults/wrappers/throttle.ts';
import { redactAddress } from '../address.ts';
import { rateLimitOption } from '../arguments.ts';
import { requireAddress, requirePolicy } from '../config/config.ts';
import { beginStep, type CommandContext, chooseLimit, type Start, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { collect } from '../keys/keys.ts';
import { underLease } from '../leases.ts';
import type { Paint } from '../output.ts';
import { withHands } from '../queue/queue-hands.ts';
import { addQueueOptions, type QueueFlags } from '../queue/settings.ts';
import { findRegion, isSameVault, type NamedRegion, regionsOf, withOtherRegions } from '../regions.ts';
import { renderTable } from '../render/table.ts';
import type { Hands } from '../threads/hands.ts';
import { emptyVault, systemClock, systemWriters } from '../wire.ts';

interface SyncFlags extends QueueFlags {
  readonly region?: readonly string[];
  readonly dryRun?: true;
  readonly verify?: true;
  readonly rateLimit?: number;
}

export function addSyncCommand(program: Command, start: Start): void {
  const command = program
    .command('sync')
    .description(
      'bring replicas and the archive up to date with the vault: what they lack is copied, and proven on the way',
    )
    .option(
      '--region <name>',
      'only this region of the policy (repeatable; default: all replicas, and the archive)',
      collect,
    )
    .option('--dry-run', 'say what would be copied, and change nothing')
    .option('--verify', 'read every copy once more where it is now')
    .option(rateLimitOption.flags, rateLimitOption.description, rateLimitOption.parse)
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore sync',
          'eventcore sync --region us-west-2 --dry-run',
          'eventcore sync --vault /mnt/us-west-2 --region us-east-1   # back to where the primary was',
          "eventcore sync --json | jq '.regions[] | {region, lag}'",
        ],
        [0, 2, 6, 7, 8, 10, 11, 130],
      ),
    )
    .action((flags: SyncFlags) => start((context) => sync(context, flags), LEFT));
  addQueueOptions(command);
}

const LEFT = 'what was copied is whole; run it again to go on';

/** What came of one region. */
interface Outcome {
  readonly region: NamedRegion;
  readonly report: SyncReport | null;
  readonly failure: BackupError | null;
}

const IN_PART = new BackupError('partial', '').exitCode;

async function sync(context: CommandContext, flags: SyncFlags): Promise<number> {
  const settings = await context.settings();
  const policy = requirePolicy(settings, (message) => context.log.warn(message));
  const from = requireAddress(settings, 'vault');
  const regions = chooseRegions(policy, from, flags);
  // One for all regions: what is read is limited, and what is written, each to all of them together.
  const limit = chooseLimit(flags, settings, context.signal);
  // A replica keeps what the primary has let go of before it was old enough for the archive.
  const names = context.flags.vault === undefined ? archiveSources(policy) : [];
  const asked = { purpose: 'sync', what: `sync from ${redactAddress(from)}`, parallel: undefined } as const;
  return withVault(from, { create: false, limit }, async (source) => {
    const outcomes: Outcome[] = [];
    await withHands(context, { flags, settings }, asked, async (hands) => {
      for (const region of regions) {
        const sync = (others: readonly Vault[]) =>
          syncRegion(context, { sources: [source, ...others], limit, hands }, region, flags);
        const isArchive = region.kind === 'archive';
        outcomes.push(
          isArchive
            ? await withOtherRegions(context, settings, { own: from, limit, names }, sync)
            : await sync([]),
        );
      }
    });
    context.progress.end();
    const [only] = outcomes;
    if (outcomes.length === 1 && only!.failure !== null) throw only!.failure;
    const dryRun = flags.dryRun === true;
    context.output.document({ source: source.address, dryRun, regions: outcomes.map(regionDocument) });
    context.output.account(syncLines(outcomes, source.address, dryRun, context.output.paint));
    return outcomes.every(isDone) ? 0 : IN_PART;
  });
}

function isDone({ report, failure }: Outcome): boolean {
  return failure === null && report!.problems.length === 0;
}

/** Where the vault that is copied from is itself a region of the policy, it is none to copy to. */
function chooseRegions(policy: RegionPolicy, from: string, { region }: SyncFlags): NamedRegion[] {
  const chosen =
    region?.map((name) => findRegion(policy, name)) ??
    regionsOf(policy).filter(({ kind, storage }) => kind !== 'primary' && !isSameVault(storage, from));
  const own = chosen.find(({ storage }) => isSameVault(storage, from));
  if (own !== undefined) {
    throw new BackupError('usage', `region ${own.region} is the vault that is copied from`, {
      hint: 'name another region, or with --vault the vault to copy from',
    });
  }
  if (chosen.length > 0) return chosen;
  throw new BackupError(
    'usage',
    'the policy has no replica and no archive: there is nothing to bring up to date',
    {
      hint: 'write `replicas:` with `region` and `storage` into the configuration (docs/policy.md)',
    },
  );
}

interface Syncing {
  readonly sources: readonly Vault[];
  readonly limit: ThrottleOptions | null;
  readonly hands: Hands;
}

async function syncRegion(
  context: CommandContext,
  { sources, limit, hands }: Syncing,
  region: NamedRegion,
  flags: SyncFlags,
): Promise<Outcome> {
  beginStep(context, `${region.region} …`);
  try {
    const create = flags.dryRun !== true;
    const copy = async (target: Vault): Promise<SyncReport> => {
      const reports: SyncReport[] = [];
      for (const source of sources)
        reports.push(await copyTo(context, { source, target, hands }, region, flags));
      return reports.reduce(together);
    };
    const report = await withVault(region.storage, { create, limit }, copy).catch((error: unknown) => {
      if (!create && isNotThere(error)) return copy(emptyVault());
      throw error;
    });
    return { region, report, failure: null };
  } catch (error) {
    if (!isBackupError(error) || context.signal.aborted) throw error;
    context.progress.end();
    context.log.warn(`region ${region.region}: ${error.message}`);
    return { region, report: null, failure: error };
  }
}

/** A directory that the first sync makes. */
function isNotThere(error: unknown): boolean {
  return isBackupError(error, 'vault_unreachable') && error.facts.errno === 'ENOENT';
}

/** What came from two sources; each lacks what the other one brought. */
function together(a: SyncReport, b: SyncReport): SyncReport {
  return {
    copied: [...a.copied, ...b.copied],
    left: [...new Set([...a.left, ...b.left])],
    objects: a.objects + b.objects,
    bytes: a.bytes + b.bytes,
    log: a.log,
    problems: [...a.problems, ...b.problems],
    lag: a.lag,
  };
}

async function copyTo(
  context: CommandContext,
  { source, target, hands }: { readonly source: Vault; readonly target: Vault; readonly hands: Hands },
  { region, kind, afterDays, retention }: NamedRegion,
  { dryRun, verify }: SyncFlags,
): Promise<SyncReport> {
  const { signal, progress } = context;
  const look = { nowMs: systemClock.now(), writers: systemWriters };
  const isArchive = kind === 'archive';
  const rules =
    retention === null
      ? null
      : await rulesOf(source, isArchive ? null : target, { ...look, rule: retention });
  const { parallel, ...copies } = hands.copies(source, target);
  let bytes = 0;
  const options = {
    ...(rules === null ? {} : { rules }),
    ...(parallel === undefined ? {} : { parallel }),
    ...{ dryRun: dryRun === true, readBack: verify === true, signal },
    onBackup: (backupId: string) => beginStep(context, `${region}: copying ${backupId.slice(0, 8)}`),
    onBytes: (more: number) => {
      bytes += more;
      progress.update({ events: 0, bytes, totalEvents: null, totalBytes: null });
    },
  };
  const ports = { source, target, clock: systemClock, underLease: underLease(target, { signal }), ...copies };
  return isArchive ? archiveChains(ports, afterDays!, options) : syncVault(ports, options);
}

function regionDocument({ region, report, failure }: Outcome): Record<string, unknown> {
  const { region: name, kind, storage } = region;
  const error =
    failure === null
      ? null
      : { code: failure.code, message: failure.message, hint: failure.hint, retryable: failure.retryable };
  return { region: name, kind, storage, ...(report ?? {}), error };
}

function syncLines(outcomes: readonly Outcome[], source: string, dryRun: boolean, paint: Paint): string[] {
  const done = outcomes.filter(isDone).length;
  const verdict =
    done === outcomes.length
      ? paint('good', dryRun ? 'Would be brought up to date' : 'Up to date')
      : paint('bad', 'Not all is up to date');
  return [
    `${verdict}: ${done} of ${plural(outcomes.length, 'region')} with ${printable(source)}`,
    ...renderTable(
      COLUMNS,
      outcomes.map((outcome) => regionRow(outcome, paint)),
    ),
    ...outcomes.flatMap((outcome) => problemLines(outcome, paint)),
  ];
}

const COLUMNS = [
  { title: 'region' },
  { title: 'backups', align: 'right' },
  { title: 'bytes', align: 'right' },
  { title: 'log files', align: 'right' },
  { title: 'behind' },
  { title: '' },
] as const;

function regionRow({ region, report, failure }: Outcome, paint: Paint): string[] {
  if (report === null) return [printable(region.region), '', '', '', '', paint('bad', failure!.code)];
  const { copied, bytes, log, lag, problems } = report;
  return [
    printable(region.region),
    formatCount(copied.length),
    formatBytes(bytes + log.bytes),
    region.kind === 'archive' ? '' : formatCount(log.objects),
    lag === null ? '' : behind(lag),
    problems.length === 0 ? '' : paint('bad', plural(problems.length, 'problem')),
  ];
}

function behind({ seconds, events }: NonNullable<SyncReport['lag']>): string {
  if (seconds === null) return 'it holds nothing yet';
  if (seconds === 0 && events === 0) return 'nothing';
  const counted = events === null ? 'an unknown number of events' : plural(events, 'event');
  return `${formatDuration(seconds * 1000)}, ${counted}`;
}

/** More are counted, not named; --json has all. */
const MAX_SHOWN = 20;

function problemLines({ region, report, failure }: Outcome, paint: Paint): string[] {
  const name = printable(region.region);
  if (failure !== null) {
    return [
      '',
      `${paint('bad', name)}: ${failure.message}`,
      ...(failure.hint === null ? [] : [`  hint: ${failure.hint}`]),
    ];
  }
  const { problems, left } = report!;
  const lines = problems
    .slice(0, MAX_SHOWN)
    .map(
      ({ of, object, where, message }) => `  ${printable(object ?? of)} (${where}): ${printable(message)}`,
    );
  return [
    ...(left.length === 0
      ? []
      : ['', `${name}: ${plural(left.length, 'backup')} left out, which its retention would remove`]),
    ...(problems.length === 0
      ? []
      : ['', `${paint('bad', name)}: ${plural(problems.length, 'problem')}; the rest was copied`]),
    ...lines,
    ...(problems.length > MAX_SHOWN
      ? [`  and ${formatCount(problems.length - MAX_SHOWN)} more (--json lists them)`]
      : []),
    ...(problems.length === 0
      ? []
      : ['  `eventcore verify --heal` mends what is damaged and sound elsewhere; --region names where']),
  ];
}
