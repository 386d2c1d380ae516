import { RECOVERY_STEPS, type RecoveryStep, type StepFacts } from '../core/disaster.ts';
import { BackupError, isBackupError } from '../core/errors.ts';
import type { StepCode, StepContext, StepResult } from './context.ts';
import { withDeadline } from './deadline.ts';
import { readRunState, type StepRecord } from './run-state.ts';
import { assertActive, contextOf, type Session, signalOf } from './session.ts';
import { STEP_CODE } from './step-code.ts';
import { FAILURES, STEP_MOVES } from './steps-table.ts';

/**
 * Takes all steps of the plan in their order, but those that are over. Throws `recovery_stopped` where a step failed that nothing may follow,
 * and `lease_held`, `interrupted` or as the journal's vault where the run must leave everything as it is.
 */
export async function runSteps(session: Session): Promise<void> {
  for (const step of RECOVERY_STEPS) {
    assertActive(session);
    await takeStep(session, step);
  }
}

async function takeStep(session: Session, step: RecoveryStep): Promise<void> {
  const record = readRunState(session.journal.entries).steps[step];
  if (record.state === 'skipped') return;
  const planned = session.plan.plan.steps.find((one) => one.step === step);
  if (planned === undefined || !planned.does) {
    const text = planned?.text ?? 'it is not in the plan';
    await session.journal.append({ kind: 'skipped', step, text, facts: {} });
    return;
  }
  const failure = whyWithheld(session, step) ?? (await attempt(session, step, record));
  if (failure !== null) await fail(session, step, failure);
}

/** A step that failed can forbid others. */
function whyWithheld({ journal, plan }: Session, step: RecoveryStep): BackupError | null {
  const { steps } = readRunState(journal.entries);
  const rules = FAILURES[plan.plan.strategy.kind];
  const by = RECOVERY_STEPS.find(
    (other) => steps[other].state === 'failed' && rules[other].withholds.includes(step),
  );
  if (by === undefined) return null;
  return new BackupError('recovery_stopped', `it waits for \`${by}\`: ${rules[by].text}`);
}

/** Null when the step is over, else what it failed of. Throws what the run itself failed of: then nothing is written any more. */
async function attempt(
  session: Session,
  step: RecoveryStep,
  record: StepRecord,
): Promise<BackupError | null> {
  const code = STEP_CODE[step];
  const looked = await tried(session, step, (context) => look(code, record, context));
  if (looked instanceof BackupError) return looked;
  if (looked.move === 'next') return null;
  if (looked.move === 'skipped') {
    await session.journal.append({ kind: 'skipped', step, text: looked.reason, facts: {} });
    return null;
  }
  const result = looked.move === 'record_done' ? looked.result : await act(session, step, code, record);
  if (result instanceof BackupError) return result;
  await session.journal.append({ kind: 'done', step, ...result });
  return null;
}

type Looked =
  | { readonly move: 'next' | 'act' }
  | { readonly move: 'skipped'; readonly reason: string }
  | { readonly move: 'record_done'; readonly result: StepResult };

/** Looks before anything is done. Of a step that is done, only where others can undo it. */
async function look(code: StepCode, { state }: StepRecord, context: StepContext): Promise<Looked> {
  if (state === 'done' && code.isPerishable?.(context) !== true) return { move: 'next' };
  const reason = code.skip?.(context) ?? null;
  if (reason !== null) return { move: 'skipped', reason };
  const result = await code.check(context);
  const { move } = STEP_MOVES[state][result === null ? 'open' : 'holds'];
  if (move === 'record_done' && result !== null) return { move, result };
  return { move: move === 'next' ? 'next' : 'act' };
}

/** Intent, then act. What was proven before the first intent is in the later ones too. */
async function act(
  session: Session,
  step: RecoveryStep,
  code: StepCode,
  { intent }: StepRecord,
): Promise<StepResult | BackupError> {
  const facts =
    intent ?? (await tried(session, step, async (context) => (await code.prepare?.(context)) ?? {}));
  if (facts instanceof BackupError) return facts;
  const text = session.plan.plan.steps.find((one) => one.step === step)?.text ?? '';
  await session.journal.append({ kind: 'intent', step, text, facts });
  assertActive(session);
  return tried(session, step, (context) => code.act(context));
}

/**
 * Runs a part of a step within its time. Gives what it failed of; what is no failure of a step, as losing the locks or a mistake in a program, is
 * thrown: the next process finds out what is so.
 */
async function tried<Result>(
  session: Session,
  step: RecoveryStep,
  work: (context: StepContext) => Promise<Result>,
): Promise<Result | BackupError> {
  const ms = session.request.settings.deadlines[step];
  try {
    return await withDeadline(`the step \`${step}\``, ms, signalOf(session), (signal) =>
      work(contextOf(session, signal)),
    );
  } catch (error) {
    assertActive(session);
    if (!isBackupError(error)) throw error;
    return error;
  }
}

/** Writes it down. Throws `recovery_stopped` where nothing may follow. */
async function fail({ journal, plan }: Session, step: RecoveryStep, error: BackupError): Promise<void> {
  const { planId, strategy } = plan.plan;
  const facts: StepFacts = { code: error.code, hint: error.hint };
  await journal.append({ kind: 'failed', step, text: error.message, facts });
  if (!FAILURES[strategy.kind][step].stops) return;
  const way = error.hint === null ? '' : `${error.hint}; `;
  throw new BackupError('recovery_stopped', `the recovery stopped at \`${step}\`: ${error.message}`, {
    hint: `${way}then \`eventcore dr resume ${planId}\``,
    facts: { ...error.facts, planId, step, code: error.code },
    cause: error,
  });
}
