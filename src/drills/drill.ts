import {
  CANARY,
  type DrillMeasurements,
  type DrillObjective,
  type DrillResult,
  type DrillTestName,
  type RestoreMeasurement,
} from '../core/drill.ts';
import { BackupError, isBackupError, throwIfAborted } from '../core/errors.ts';
import { formatTime, timeFromUnixMs } from '../core/time.ts';
import { formatSpan } from '../policy/duration.ts';
import {
  type DrillContext,
  type DrillPorts,
  type DrillSettings,
  type DrillTest,
  stepNotes,
  type TestOutcome,
} from './context.ts';
import { proofFailed } from './points.ts';
import { removeDeadScratch } from './scratch.ts';
import { BACKUP_CREATION } from './tests/backup-creation.ts';
import { BACKUP_VERIFICATION } from './tests/backup-verification.ts';
import { CROSS_REGION_RESTORE } from './tests/cross-region-restore.ts';
import { FULL_RESTORE } from './tests/full-restore.ts';
import { NEGATIVE_CANARY } from './tests/negative-canary.ts';
import { PARTIAL_RESTORE } from './tests/partial-restore.ts';
import { POINT_IN_TIME_RECOVERY } from './tests/point-in-time-recovery.ts';

const TESTS: readonly DrillTest[] = [
  ...[BACKUP_CREATION, BACKUP_VERIFICATION, PARTIAL_RESTORE, FULL_RESTORE],
  ...[POINT_IN_TIME_RECOVERY, CROSS_REGION_RESTORE, NEGATIVE_CANARY],
];

export interface DrillHooks {
  readonly onTest?: (name: DrillTestName) => void;
  readonly onStep?: (test: DrillTestName, step: string) => void;
}

export interface DrillReport {
  readonly drillId: string;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly durationMs: number;
  /** Each test that was to run passed, one did, and the canary was refused as it must be. */
  readonly overallSuccess: boolean;
  readonly tests: readonly DrillResult[];
  readonly measurements: DrillMeasurements;
  readonly objectives: readonly DrillObjective[];
  readonly notes: readonly string[];
  /** What killed drills had left and that is gone now. */
  readonly leftovers: readonly string[];
  readonly target: string;
}

/** What is noted while tests run. */
interface Notebook {
  readonly restores: RestoreMeasurement[];
  readonly objectives: DrillObjective[];
  readonly notes: string[];
  recoverableAgeMs: number | null;
  eventsAtRisk: number | null;
}

/**
 * Runs the tests of a drill, one after the other; one that fails, or takes too long, stops no other. All that was made for it is removed
 * again, and before anything else what drills left that were killed. Throws `interrupted`, or what keeps it from beginning at all.
 */
export async function runDrill(
  ports: DrillPorts,
  settings: DrillSettings,
  signal: AbortSignal,
  hooks: DrillHooks = {},
): Promise<DrillReport> {
  const { clock, targets } = ports;
  const startedAtMs = clock.now();
  const book: Notebook = {
    restores: [],
    objectives: [],
    notes: [],
    recoverableAgeMs: null,
    eventsAtRisk: null,
  };
  const leftovers = await sweep(ports, book);
  const tests: DrillResult[] = [];
  try {
    for (const test of chosenTests(settings)) {
      throwIfAborted(signal);
      hooks.onTest?.(test.name);
      tests.push(await runTest(test, ports, settings, { signal, book, hooks }));
    }
  } finally {
    await closeAll(targets, book);
  }
  leftovers.push(...(await sweep(ports, book)));
  const finishedAtMs = clock.now();
  const { restores, recoverableAgeMs, eventsAtRisk, objectives, notes } = book;
  return {
    drillId: clock.uuid(),
    startedAt: formatTime(timeFromUnixMs(startedAtMs), 3),
    finishedAt: formatTime(timeFromUnixMs(finishedAtMs), 3),
    durationMs: Math.max(0, finishedAtMs - startedAtMs),
    overallSuccess: isSuccess(tests),
    tests,
    measurements: { restores, recoverableAgeMs, eventsAtRisk },
    ...{ objectives, notes, leftovers, target: targets.kind },
  };
}

function chosenTests({ only }: Pick<DrillSettings, 'only'>): DrillTest[] {
  return TESTS.filter(({ name }) => only === null || name === CANARY || only.includes(name));
}

/** Where nothing ran, nothing was proven. */
function isSuccess(tests: readonly DrillResult[]): boolean {
  const ran = tests.filter(
    ({ name, state }) => name !== CANARY && (state === 'passed' || state === 'failed'),
  );
  const canary = tests.find(({ name }) => name === CANARY);
  return ran.length > 0 && ran.every(({ state }) => state === 'passed') && canary?.state === 'passed';
}

/** What cannot be swept now is no failure of a test, and is found again. */
async function sweep({ targets, vault, writers, clock }: DrillPorts, { notes }: Notebook): Promise<string[]> {
  const left: string[] = [];
  const places = [
    () => targets.removeLeftovers(),
    () => removeDeadScratch(vault, writers, clock.now()),
  ] as const;
  for (const place of places) {
    try {
      left.push(...(await place()));
    } catch (error) {
      if (!isBackupError(error)) throw error;
      notes.push(`what killed drills left could not be looked for: ${error.message}`);
    }
  }
  return left;
}

/** What was proven is not lost because something could not be removed. */
async function closeAll(targets: DrillPorts['targets'], { notes }: Notebook): Promise<void> {
  try {
    await targets.close();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    notes.push(`not all that was made for the drill could be removed: ${why}`);
  }
}

interface Running {
  readonly signal: AbortSignal;
  readonly book: Notebook;
  readonly hooks: DrillHooks;
}

async function runTest(
  test: DrillTest,
  ports: DrillPorts,
  settings: DrillSettings,
  running: Running,
): Promise<DrillResult> {
  const startedMs = performance.now();
  const deadline = AbortSignal.timeout(settings.deadlineMs);
  const signal = AbortSignal.any([running.signal, deadline]);
  const { steps, step } = stepNotes(signal, (name) => running.hooks.onStep?.(test.name, name));
  const context = { ...ports, settings, signal, step, test: test.name, ...noting(running.book, settings) };
  const ended = (state: DrillResult['state'], code: string | null, reason: string | null): DrillResult => {
    const ms = Math.round(performance.now() - startedMs);
    return { name: test.name, state, code, reason, ms, steps: [...steps] };
  };
  try {
    const outcome = await withDeadline(
      test.run(context),
      deadline,
      Math.min(MOST_GRACE_MS, settings.deadlineMs / 4),
    );
    return outcome === null ? ended('passed', null, null) : ended(outcome.state, null, outcome.reason);
  } catch (error) {
    throwIfAborted(running.signal);
    if (deadline.aborted)
      return ended('failed', 'check_timed_out', `it took longer than ${settings.deadlineMs} ms`);
    const code = isBackupError(error) ? error.code : 'internal';
    return ended('failed', code, error instanceof Error ? error.message : String(error));
  }
}

/** Most of what a test waits for ends with its signal; what does not is left behind, a little later. */
const MOST_GRACE_MS = 10_000;

async function withDeadline(
  work: Promise<TestOutcome>,
  deadline: AbortSignal,
  graceMs: number,
): Promise<TestOutcome> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  const giveUp = (): void => {
    timer = setTimeout(() => reject(new BackupError('check_timed_out', 'it took too long')), graceMs);
  };
  deadline.addEventListener('abort', giveUp, { once: true });
  try {
    return await Promise.race([work, late]);
  } finally {
    deadline.removeEventListener('abort', giveUp);
    clearTimeout(timer);
  }
}

function noting(
  book: Notebook,
  settings: DrillSettings,
): Pick<DrillContext, 'measure' | 'measured' | 'objective' | 'note'> {
  return {
    measure: (restore) => book.restores.push(restore),
    measured: (facts) => Object.assign(book, facts),
    note: (text) => book.notes.push(text),
    objective: (name, measuredMs) => {
      const judged = judgeObjective(settings, name, measuredMs);
      if (judged === null) return;
      book.objectives.push(judged);
      if (!judged.met) throw proofFailed(missed(judged));
    },
  };
}

/** Null where nothing was promised. */
function judgeObjective(
  { objectives }: DrillSettings,
  name: DrillObjective['name'],
  measuredMs: number | null,
): DrillObjective | null {
  const targetMs = { rto: objectives.rtoMs, rpo: objectives.rpoMs, region_rpo: objectives.regionRpoMs }[name];
  if (targetMs === undefined) return null;
  return { name, targetMs, measuredMs, met: measuredMs !== null && measuredMs <= targetMs };
}

function missed({ name, targetMs, measuredMs }: DrillObjective): string {
  const is = measuredMs === null ? 'cannot be told' : `is ${formatSpan(measuredMs)}`;
  return `the objective ${name} is missed: it ${is}, and ${formatSpan(targetMs)} were promised`;
}
