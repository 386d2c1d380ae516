import { constants, setPriority } from 'node:os';
import { isBackupError, throwIfAborted } from '../../core/errors.ts';
import { pause } from '../../core/pause.ts';
import { formatTime, timeFromUnixMs } from '../../core/time.ts';
import { formatDuration, plural, printable } from '../../core/units.ts';
import { monitorLoop } from '../../integrity/monitor/loop.ts';
import type { MonitorRun } from '../../integrity/monitor/monitor.ts';
import { beginStep, type CommandContext } from '../context.ts';
import { runDocument, runLines } from '../render/monitor.ts';
import { systemClock } from '../wire.ts';
import { lookAfter, MONITOR_DEFAULTS, type MonitorWork, placesOf, runOnce } from './ports.ts';
import { hasRepaired, repairFindings } from './repair.ts';

/** Runs until stopped; then `interrupted` is thrown. */
export async function watchOn(
  context: CommandContext,
  work: MonitorWork,
  done: { runs: number },
): Promise<number> {
  const { log, output, signal } = context;
  const { monitor } = work.settings;
  const intervalMs = monitor.check_interval ?? MONITOR_DEFAULTS.intervalMs;
  let last: MonitorRun | null = null;
  beLow();
  output.account([
    `Watching ${printable(placesOf(work).store)}, every ${formatDuration(intervalMs)}; Ctrl-C stops it.`,
  ]);
  await monitorLoop(
    {
      run: async (remembered) => {
        beginStep(context, 'looking at the store');
        const run = await runOnce(context, work, { remembered });
        return (await repairByItself(context, work, run)) ? lookAfter(context, work, run) : run;
      },
      pause,
      steadyMs: () => performance.now(),
      random: Math.random,
    },
    {
      ...{ intervalMs, signal, jitter: (monitor.jitter ?? MONITOR_DEFAULTS.jitterPercent) / 100 },
      onRun: (run) => {
        done.runs += 1;
        last = run;
        tellRun(context, work, run);
      },
      onFailure: (failure) => {
        context.progress.end();
        log.warn(`this run was not made: ${failure.message}`, { code: failure.code });
      },
    },
  );
  output.document({
    ...{ ...placesOf(work), runs: done.runs },
    last: last === null ? null : runDocument(last, work.percentage),
  });
  throwIfAborted(signal);
  return 0;
}

/** Whether something was repaired that the configuration allows. A repair that fails stops no watching: what is found stays open. */
async function repairByItself(context: CommandContext, work: MonitorWork, run: MonitorRun): Promise<boolean> {
  const { auto_repair: isAllowed = false, repair_kinds: allowed = [] } = work.settings.monitor;
  const { findings } = run.look;
  if (!isAllowed || !findings.some(({ repair }) => repair !== null && allowed.includes(repair))) return false;
  const { log } = context;
  try {
    const repair = await repairFindings(context, work, { findings, allowed, applies: true });
    for (const { step, outcome, reason } of repair.result?.steps ?? []) {
      log.warn(`${step.kind}: ${outcome}${reason === null ? '' : `: ${reason}`}`);
    }
    return hasRepaired(repair);
  } catch (error) {
    if (!isBackupError(error) || context.signal.aborted) throw error;
    log.warn(`nothing was repaired: ${error.message}`, { code: error.code });
    return false;
  }
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
  const at = formatTime(timeFromUnixMs(systemClock.now()), 3);
  output.account(
    isWell
      ? [
          `${at}  nothing wrong in ${percentage} % of the store, ${plural(report.looked.events, 'event')}, ${formatDuration(durationMs)}`,
        ]
      : ['', at, ...runLines(run, percentage, output.paint), ''],
  );
}
