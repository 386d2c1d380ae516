import { isBackupError, throwIfAborted } from '../../core/errors.ts';
import { FINDING_RUNGS } from '../../core/finding.ts';
import type { SelectOptions, StoreInspection } from '../../core/inspection.ts';
import type { CheckDefinition, CheckFinding, CheckFound, CheckQuestion, CheckSettings } from './check.ts';
import { namesOfSample } from './sampled-streams.ts';

export interface ChecksOptions {
  readonly settings: CheckSettings;
  /** Findings kept of one check; the others are counted. Left out: 1000. */
  readonly maxFindings?: number;
  readonly signal?: AbortSignal;
  /** Called before each statement: waits there where the store is to be spared. */
  readonly pace?: () => Promise<void>;
}

export interface ChecksReport {
  readonly checks: readonly CheckResult[];
}

export interface CheckResult {
  readonly name: string;
  /** `failed`: it could not be asked, or not to the end, and found nothing until then. `skipped`: it does not apply. */
  readonly state: 'passed' | 'found' | 'failed' | 'skipped';
  /** Why it failed, was skipped, or ended before its end; null otherwise. */
  readonly reason: string | null;
  readonly findings: readonly CheckFinding[];
  readonly findingsOmitted: number;
  /** How many rows its statements gave. */
  readonly rows: number;
  readonly ms: number;
}

const MAX_FINDINGS = 1000;
/** How many questions one check may ask, and how many lead to one another. */
const MAX_QUESTIONS = 1000;
const MAX_DEPTH = 3;

/**
 * Asks one check after the other, those first that cost least. A check that fails stops no other; a signal stops them all. Only what
 * a built-in check could not read because the store is damaged is a finding; of others it is a failure.
 */
export async function runChecks(
  inspection: StoreInspection,
  checks: readonly CheckDefinition[],
  options: ChecksOptions,
): Promise<ChecksReport> {
  const results: CheckResult[] = [];
  const { signal, settings } = options;
  throwIfAborted(signal);
  await options.pace?.();
  const names = await namesOfSample(inspection, settings.sample, signal);
  for (const check of inOrderOfCost(checks)) {
    throwIfAborted(signal);
    results.push(await runCheck({ ...inspection, names }, check, options));
  }
  return { checks: results };
}

export function inOrderOfCost(checks: readonly CheckDefinition[]): CheckDefinition[] {
  const cost = ({ every, rung }: CheckDefinition): number =>
    (every === 'sweep' ? FINDING_RUNGS.length : 0) + FINDING_RUNGS.indexOf(rung);
  return [...checks].sort((a, b) => cost(a) - cost(b));
}

interface Progress {
  readonly check: CheckDefinition;
  readonly findings: CheckFinding[];
  omitted: number;
  skipped: string | null;
  rows: number;
  /** Questions that are still to be asked, with how many led to them. */
  readonly open: { readonly question: CheckQuestion; readonly depth: number }[];
  asked: number;
}

async function runCheck(
  inspection: StoreInspection,
  check: CheckDefinition,
  options: ChecksOptions,
): Promise<CheckResult> {
  const startedMs = performance.now();
  const progress: Progress = { check, findings: [], omitted: 0, skipped: null, rows: 0, open: [], asked: 0 };
  const ended = (state: CheckResult['state'], reason: string | null): CheckResult => ({
    ...{ name: check.name, state: progress.findings.length > 0 ? 'found' : state, reason },
    ...{ findings: progress.findings, findingsOmitted: progress.omitted, rows: progress.rows },
    ms: Math.round(performance.now() - startedMs),
  });
  try {
    const questions = check.questions(inspection.names, settingsOf(check, options));
    if (typeof questions === 'string') return ended('skipped', questions);
    for (const question of questions) open(progress, question, 1);
    for (let next = progress.open.shift(); next !== undefined; next = progress.open.shift()) {
      await options.pace?.();
      await ask(inspection, progress, next, options);
    }
    return progress.skipped === null ? ended('passed', null) : ended('skipped', progress.skipped);
  } catch (error) {
    if (isBackupError(error, 'interrupted')) throw error;
    return ended('failed', reasonOf(error));
  }
}

/** Costly ones look at all of the store, since they come once in each sweep. */
function settingsOf({ every }: CheckDefinition, { settings }: ChecksOptions): CheckSettings {
  return every === 'sweep' ? { ...settings, sample: null } : settings;
}

function open(progress: Progress, question: CheckQuestion, depth: number): void {
  if (depth > MAX_DEPTH) throw new Error(`more than ${MAX_DEPTH} questions lead to one another`);
  progress.asked += 1;
  if (progress.asked > MAX_QUESTIONS) throw new Error(`more than ${MAX_QUESTIONS} questions`);
  progress.open.push({ question, depth });
}

async function ask(
  inspection: StoreInspection,
  progress: Progress,
  { question, depth }: Progress['open'][number],
  options: ChecksOptions,
): Promise<void> {
  try {
    for await (const row of inspection.select(question.sql, selectOptions(question, options))) {
      progress.rows += 1;
      const answer = question.answer(row);
      if (answer === null) continue;
      // Asked when this statement is over: one at a time.
      if ('sql' in answer) open(progress, answer, depth + 1);
      else if ('skipped' in answer) progress.skipped = answer.skipped;
      else note(progress, answer, options);
    }
  } catch (error) {
    if (!isBackupError(error, 'damaged') || progress.check.rung === 'custom') throw error;
    const state = typeof error.facts.sqlState === 'string' ? error.facts.sqlState : null;
    const cannot = { message: `cannot be read: ${error.message}` };
    const found = question.unreadable?.(error.message, state) ?? cannot;
    note(progress, { severity: 'damage', ...found }, options);
  }
}

function selectOptions(
  { parameters = [], settings = {}, limit = Number.POSITIVE_INFINITY }: CheckQuestion,
  { signal }: ChecksOptions,
): SelectOptions {
  return { parameters, settings, limit, ...(signal === undefined ? {} : { signal }) };
}

function note(
  progress: Progress,
  found: CheckFound,
  { settings, maxFindings = MAX_FINDINGS }: ChecksOptions,
): void {
  if (progress.findings.length >= maxFindings) {
    progress.omitted += 1;
    return;
  }
  const { name, rung, severity } = progress.check;
  progress.findings.push({
    ...{ check: name, rung, severity: found.severity ?? severity },
    ...{ streamId: found.streamId ?? null, version: found.version ?? null, eventId: found.eventId ?? null },
    ...{ object: found.object ?? null, events: found.events ?? 0, place: placeOf(found, settings) },
    ...{ message: found.message, repair: found.repair ?? null, statements: found.statements ?? [] },
  });
}

function placeOf({ bucket = null }: CheckFound, { sample }: CheckSettings): CheckFinding['place'] {
  return bucket === null || sample === null ? null : { kind: 'bucket', number: Number(bucket) };
}

/** A check of a user may throw anything. */
function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
