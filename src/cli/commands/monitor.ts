import { constants, setPriority } from 'node:os';
import { dirname } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { Alert, Notifier } from '../../core/alert.ts';
import { BackupError, ERROR_CODES, isBackupError, throwIfAborted } from '../../core/errors.ts';
import { pause } from '../../core/pause.ts';
import { formatTime, timeFromUnixMs } from '../../core/time.ts';
import { BUILT_IN_CHECKS } from '../../integrity/checks/built-in.ts';
import type { MonitorRun } from '../../integrity/monitor.ts';
import { monitorLoop } from '../../integrity/monitor-loop.ts';
import { readHistory } from '../../integrity/monitor-records.ts';
import { redactAddress } from '../address.ts';
import { rateLimitOption, wholeNumber } from '../arguments.ts';
import { requireAddress, type Settings } from '../config.ts';
import { beginStep, type CommandContext, chooseLimit, type Start, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { addIdentityOptions, type KeyFlags, loadKeys } from '../keys.ts';
import { MONITOR_DEFAULTS, type MonitorWork, runOnce } from '../monitor-ports.ts';
import { openNotifiers } from '../notifiers.ts';
import { historyLines, runDocument, runLines } from '../render-monitor.ts';
import { formatDuration, plural, printable } from '../units.ts';
import { loadUserChecks } from '../user-checks.ts';
import { systemClock } from '../wire.ts';

interface MonitorFlags extends KeyFlags {
  readonly once?: true;
  readonly sample?: number;
  readonly all?: true;
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
    .option('--history', 'look at nothing: show the last runs')
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

const EXAMPLES = [
  'eventcore monitor                                 # until stopped, as `monitor:` in the configuration says',
  'eventcore monitor --once --sample 5% || page-somebody',
  'eventcore monitor --once --all                    # the whole store, now',
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
  const notifiers = await openNotifiers(settings, context);
  try {
    if (flags.testAlert) return await testAlerts(context, settings, notifiers);
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
  const storeAddress = requireAddress(settings, 'store');
  const keys = await loadKeys(settings, flags, context);
  const limit = chooseLimit(flags, settings, context.signal);
  const percentage = flags.all
    ? 100
    : (flags.sample ?? settings.monitor.sample_percentage ?? MONITOR_DEFAULTS.percentage);
  const checks = [
    ...BUILT_IN_CHECKS,
    ...(await loadUserChecks(settings.monitor.checks ?? [], folderOf(settings, context))),
  ];
  return withVault(requireAddress(settings, 'vault'), { create: false, limit }, (vault) => {
    const work: MonitorWork = { settings, storeAddress, vault, keys, notifiers, checks, percentage };
    return flags.once ? lookOnce(context, work) : lookAgain(context, work, done);
  });
}

function folderOf({ file }: Settings, { cwd }: CommandContext): string {
  return file === null ? cwd : dirname(file);
}

async function lookOnce(context: CommandContext, work: MonitorWork): Promise<number> {
  beginStep(context, 'looking at the store');
  const run = await runOnce(context, work);
  context.progress.end();
  const { output, log } = context;
  for (const warning of run.warnings) log.warn(warning);
  output.document({ ...placesOf(work), ...runDocument(run, work.percentage) });
  output.account(runLines(run, work.percentage, output.paint));
  return exitCodeOf(run);
}

function placesOf({ storeAddress, vault }: MonitorWork): { store: string; vault: string } {
  return { store: redactAddress(storeAddress), vault: vault.address };
}

function exitCodeOf({ report, look, sending }: MonitorRun): number {
  if (report.outcome === 'damaged') return 4;
  if (look.sight.blind.includes('vault')) return 6;
  if (look.sight.blind.includes('store')) return 5;
  return sending.failed.length > 0 ? ERROR_CODES.notification_failed.exitCode : 0;
}

async function lookAgain(
  context: CommandContext,
  work: MonitorWork,
  done: { runs: number },
): Promise<number> {
  const { log, output, signal } = context;
  const { monitor } = work.settings;
  const intervalMs = monitor.check_interval ?? MONITOR_DEFAULTS.intervalMs;
  beLow();
  output.account([
    `Watching ${printable(placesOf(work).store)}, every ${formatDuration(intervalMs)}; Ctrl-C stops it.`,
  ]);
  await monitorLoop(
    {
      run: (remembered) => {
        beginStep(context, 'looking at the store');
        return runOnce(context, work, { remembered });
      },
      pause,
      steadyMs: () => performance.now(),
      random: Math.random,
    },
    {
      ...{ intervalMs, signal, jitter: (monitor.jitter ?? MONITOR_DEFAULTS.jitterPercent) / 100 },
      onRun: (run) => {
        done.runs += 1;
        tellRun(context, work, run);
      },
      onFailure: (failure) => {
        context.progress.end();
        log.warn(`this run was not made: ${failure.message}`, { code: failure.code });
      },
    },
  );
  throwIfAborted(signal);
  return 0;
}

/** What works for the store goes before what only looks at it. */
function beLow(): void {
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Where that is not allowed, it is as it is.
  }
}

function tellRun(
  { log, output, progress }: CommandContext,
  { percentage }: MonitorWork,
  run: MonitorRun,
): void {
  progress.end();
  const { report, look, sending } = run;
  for (const warning of [...run.warnings, ...look.skipped]) log.warn(warning);
  for (const { message } of sending.failed) log.warn(`not told, and owed: ${message}`);
  const { outcome, durationMs, open } = report;
  const facts = { outcome, open: open.length, events: report.looked.events, durationMs };
  const isWell = outcome === 'sound';
  if (isWell) log.info('the monitor has looked', facts);
  else log.warn(look.notLooked?.reason ?? 'the monitor has found something', facts);
  output.account([
    '',
    formatTime(timeFromUnixMs(systemClock.now()), 3),
    ...runLines(run, percentage, output.paint),
  ]);
}

async function showHistory({ output }: CommandContext, settings: Settings, last: number): Promise<number> {
  await withVault(requireAddress(settings, 'vault'), { create: false }, async (vault) => {
    const reports = await readHistory(vault, last);
    const runs = reports.map(({ sweep: _, owed, open, ...report }) => ({
      ...report,
      open: open.length,
      owed: owed.length,
    }));
    output.document({ vault: vault.address, runs });
    output.answer(historyLines(reports, output.paint));
  });
  return 0;
}

/** Each is told of nothing, to see that it can be told of something. */
async function testAlerts(
  context: CommandContext,
  settings: Settings,
  notifiers: readonly Notifier[],
): Promise<number> {
  if (notifiers.length === 0) {
    throw new BackupError('usage', 'no notifier is configured', {
      hint: 'write `notify:` into the configuration (docs/monitor.md)',
    });
  }
  const results: { notifier: string; delivered: boolean; message: string | null; durationMs: number }[] = [];
  for (const notifier of notifiers) {
    const begunMs = performance.now();
    const message = await tryNotifier(notifier, testAlert(settings), context.signal);
    const durationMs = Math.round(performance.now() - begunMs);
    results.push({ notifier: notifier.name, delivered: message === null, message, durationMs });
  }
  const { output } = context;
  const failed = results.filter(({ delivered }) => !delivered);
  output.document({ notifiers: results });
  output.answer(
    results.map(({ notifier, message, durationMs }) =>
      message === null
        ? `${output.paint('good', 'delivered')}  ${notifier}, ${formatDuration(durationMs)}`
        : `${output.paint('bad', 'failed')}     ${printable(message)}`,
    ),
  );
  return failed.length > 0 ? ERROR_CODES.notification_failed.exitCode : 0;
}

async function tryNotifier(notifier: Notifier, alert: Alert, signal: AbortSignal): Promise<string | null> {
  try {
    await notifier.notify(alert, { signal });
    return null;
  } catch (error) {
    if (isBackupError(error, 'notification_failed')) return error.message;
    throw error;
  }
}

function testAlert({ store }: Settings): Alert {
  const at = formatTime(timeFromUnixMs(systemClock.now()), 3);
  return {
    ...{ id: systemClock.uuid(), key: 'test_alert@monitor', state: 'raised', severity: 'warning' },
    title: 'a test: nothing is wrong',
    text: 'Somebody ran `eventcore monitor --test-alert` to see that alerts arrive. Nothing has to be done.',
    subject: store === null ? 'no store' : redactAddress(store),
    ...{ since: at, at, facts: { test: true } },
  };
}
