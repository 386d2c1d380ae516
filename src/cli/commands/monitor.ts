import { dirname } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { Notifier } from '../../core/alert.ts';
import { BackupError, ERROR_CODES } from '../../core/errors.ts';
import { plural } from '../../core/units.ts';
import { BUILT_IN_CHECKS } from '../../integrity/checks/built-in.ts';
import type { MonitorRun } from '../../integrity/monitor/monitor.ts';
import { readHistory, readMonitorRecord } from '../../integrity/monitor/records.ts';
import { readPastRepairs } from '../../integrity/repair/past-repairs.ts';
import { rateLimitOption, wholeNumber } from '../arguments.ts';
import { requireAddress, type Settings } from '../config/config.ts';
import { beginStep, type CommandContext, chooseLimit, type Start, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { addIdentityOptions, type KeyFlags, loadKeys } from '../keys/keys.ts';
import { lookAfter, MONITOR_DEFAULTS, type MonitorWork, placesOf, runOnce } from '../monitor/ports.ts';
import { hasRepaired, type Repair, repairDocument, repairFindings } from '../monitor/repair.ts';
import { watchOn } from '../monitor/watch.ts';
import { openNotifiers } from '../notifiers.ts';
import type { Paint } from '../output.ts';
import { runDocument, runLines } from '../render/monitor.ts';
import { historyDocument, historyLines } from '../render/monitor-history.ts';
import { repairPlanLines, repairResultLines } from '../render/repair.ts';
import { testAlerts } from '../serve/test-alerts.ts';
import { loadUserChecks } from '../user-checks.ts';

interface MonitorFlags extends KeyFlags {
  readonly once?: true;
  readonly sample?: number;
  readonly all?: true;
  readonly repair?: true;
  readonly apply?: true;
  readonly history?: true;
  readonly last: number;
  readonly testAlert?: true;
  readonly rateLimit?: number;
}

export function addMonitorCommand(program: Command, start: Start): void {
  const done = { runs: 0 };
  const command = program
    .command('monitor')
    .description('watch over the store: checks, samples held against the newest backup, alerts')
    .option('--once', 'one run, then end: for a schedule of its own')
    .option(
      '--sample <percentage>',
      'how much of the store is looked at in each run (default: 5%)',
      readPercentage,
    )
    .option('--all', 'look at all of the store, in each run')
    .option('--repair', 'with --once: show what can be repaired of what was found, and how')
    .option('--apply', 'with --repair: do it, and look again')
    .option(
      '--history',
      'look at nothing: show the last runs, what is open, how far the sweep is, and repairs',
    )
    .option('--last <n>', 'for --history: so many runs', wholeNumber(1, 1000), 20)
    .option('--test-alert', 'look at nothing: send one alert by each notifier, and say how it went')
    .option(rateLimitOption.flags, rateLimitOption.description, rateLimitOption.parse)
    .addHelpText('after', helpEnd(EXAMPLES, [0, 2, 4, 5, 6, 7, 8, 10, 130]))
    .action((flags: MonitorFlags) =>
      start(
        (context) => runMonitorCommand(context, flags, done),
        async () =>
          `${plural(done.runs, 'run')} of the monitor ended; the next one goes on from the last report`,
      ),
    );
  addIdentityOptions(command);
}

/** What `--history` shows of repairs: those of long ago are in the store's own record. */
const MOST_REPAIRS = 20;

const EXAMPLES = [
  'eventcore monitor                                 # until stopped, as `monitor:` in the configuration says',
  'eventcore monitor --once --sample 5% || page-somebody',
  'eventcore monitor --once --all                    # the whole store, now',
  'eventcore monitor --once --all --repair           # what could be done about it; --apply does it',
  'eventcore monitor --history --last 50',
  'eventcore monitor --test-alert',
];

function readPercentage(text: string): number {
  const value = Number(/^(\d+(?:\.\d+)?) ?%?$/.exec(text)?.[1] ?? Number.NaN);
  if (value > 0 && value <= 100) return value;
  throw new InvalidArgumentError('It must be a percentage above 0 and up to 100, as 5%.');
}

async function runMonitorCommand(
  context: CommandContext,
  flags: MonitorFlags,
  done: { runs: number },
): Promise<number> {
  const settings = await context.settings();
  if (flags.history) return showHistory(context, settings, flags.last);
  if (flags.testAlert) return testAlerts(context, [{ store: null, settings }]);
  const notifiers = await openNotifiers(settings, context);
  try {
    return await watch(context, { flags, settings, notifiers, done });
  } finally {
    for (const notifier of notifiers) await notifier.close();
  }
}

interface Watch {
  readonly flags: MonitorFlags;
  readonly settings: Settings;
  readonly notifiers: readonly Notifier[];
  readonly done: { runs: number };
}

async function watch(context: CommandContext, { flags, settings, notifiers, done }: Watch): Promise<number> {
  refuseHalf(flags);
  const storeAddress = requireAddress(settings, 'store');
  const keys = await loadKeys(settings, flags, context);
  // Without the signal: once stopped, it still writes what it has told.
  const limit = chooseLimit(flags, settings);
  const percentage = flags.all
    ? 100
    : (flags.sample ?? settings.monitor.sample_percentage ?? MONITOR_DEFAULTS.percentage);
  const checks = [
    ...BUILT_IN_CHECKS,
    ...(await loadUserChecks(settings.monitor.checks ?? [], folderOf(settings, context))),
  ];
  return withVault(requireAddress(settings, 'vault'), { create: false, limit }, (vault) => {
    const work: MonitorWork = { settings, storeAddress, vault, keys, notifiers, checks, percentage };
    return flags.once ? lookOnce(context, work, flags) : watchOn(context, work, done);
  });
}

function folderOf({ file }: Settings, { cwd }: CommandContext): string {
  return file === null ? cwd : dirname(file);
}

/** What is repaired in the loop, the configuration says. */
function refuseHalf({ once, repair, apply }: MonitorFlags): void {
  if (repair && !once) {
    throw new BackupError('usage', '--repair is for one run', {
      hint: 'pass --once too; what runs by itself repairs what `monitor.auto_repair` and `monitor.repair_kinds` allow',
    });
  }
  if (apply && !repair)
    throw new BackupError('usage', '--apply needs --repair', { hint: 'pass --once --repair --apply' });
}

async function lookOnce(context: CommandContext, work: MonitorWork, flags: MonitorFlags): Promise<number> {
  beginStep(context, 'looking at the store');
  const run = await runOnce(context, work);
  const { output, log } = context;
  for (const warning of run.warnings) log.warn(warning);
  const repair = flags.repair ? await repairOf(context, work, run, flags.apply === true) : null;
  const after = repair !== null && hasRepaired(repair) ? await lookAfter(context, work, run) : null;
  context.progress.end();
  output.document({
    ...{ ...placesOf(work), ...runDocument(run, work.percentage) },
    ...(repair === null ? {} : { repair: repairDocument(repair) }),
    ...(after === null ? {} : { after: runDocument(after, work.percentage) }),
  });
  const { paint } = output;
  output.account([
    ...runLines(run, work.percentage, paint, { showsWayOut: repair === null }),
    ...(repair === null ? [] : ['', ...repairLines(repair, paint)]),
    ...(after === null ? [] : ['', 'After the repair:', ...runLines(after, work.percentage, paint)]),
  ]);
  return exitCodeOf(after ?? run);
}

function repairOf(
  context: CommandContext,
  work: MonitorWork,
  run: MonitorRun,
  applies: boolean,
): Promise<Repair> {
  return repairFindings(context, work, { findings: run.look.findings, allowed: 'all', applies });
}

function repairLines(repair: Repair, paint: Paint): string[] {
  const { plan, result } = repair;
  if (result !== null) return [...repairPlanLines(plan, paint), '', ...repairResultLines(result, paint)];
  const way = plan.steps.length === 0 ? [] : ['', '`eventcore monitor --once --repair --apply` does it.'];
  return [...repairPlanLines(plan, paint), ...way];
}

function exitCodeOf({ report, look, sending }: MonitorRun): number {
  if (report.outcome === 'damaged') return 4;
  if (look.sight.blind.includes('vault')) return 6;
  if (look.sight.blind.includes('store')) return 5;
  return sending.failed.length > 0 ? ERROR_CODES.notification_failed.exitCode : 0;
}

async function showHistory(
  { output, log }: CommandContext,
  settings: Settings,
  last: number,
): Promise<number> {
  await withVault(requireAddress(settings, 'vault'), { create: false }, async (vault) => {
    const reports = await readHistory(vault, last);
    const record = await readMonitorRecord(vault);
    const repairs = await readPastRepairs(vault, MOST_REPAIRS);
    for (const warning of record.warnings) log.warn(warning);
    output.document({ vault: vault.address, ...historyDocument(reports, record, repairs) });
    output.answer(historyLines(reports, record, repairs, output.paint));
  });
  return 0;
}
