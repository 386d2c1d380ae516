import type { Finding } from '../../core/finding.ts';
import type { SqlNames, SqlRow } from '../../core/inspection.ts';
import type { CheckDefinition, CheckFound, CheckQuestion, CheckSkip } from './check.ts';

/** A check that the configuration has as a statement: each row that it gives is a finding. */
export interface SqlCheck {
  readonly name: string;
  readonly sql: string;
  /** Left out: `risk`. */
  readonly severity?: Finding['severity'];
  /** Left out: `run`. */
  readonly every?: CheckDefinition['every'];
}

export const CHECK_NAME = /^[a-z][a-z0-9_]{0,62}$/;

/** A statement that forgot its condition gives a row for each event. */
const MAX_ROWS = 10_000;
const MAX_TEXT = 500;

export function sqlCheck({ name, sql, severity = 'risk', every = 'run' }: SqlCheck): CheckDefinition {
  return {
    ...{ name, severity, every, rung: 'custom', repaired: 'not by itself' },
    proves: 'The statement gives no row.',
    questions: (names) => [{ sql, ...spoken(names), limit: MAX_ROWS, answer: rowFound }],
  };
}

/** Tables are named there as the store's own statements name them. */
function spoken({ dialect, schemaName }: SqlNames): Pick<CheckQuestion, 'settings'> {
  if (dialect !== 'postgres') return {};
  return { settings: { search_path: `"${schemaName!.replaceAll('"', '""')}"` } };
}

function rowFound({ stream_id, version, event_id, message }: SqlRow): CheckFound {
  return tame({
    message: message ?? 'the statement gives a row',
    ...{ streamId: stream_id ?? null, version: version ?? null, eventId: event_id ?? null },
    events: stream_id == null && event_id == null ? 0 : 1,
  });
}

/**
 * The export `check` of a user's module, made safe to run beside the others: what it finds is of the rung `custom`, and nothing is
 * repaired by it. Says in words what it lacks.
 */
export function moduleCheck(given: unknown): CheckDefinition | string {
  if (typeof given !== 'object' || given === null) return 'it exports no `check`';
  const { name, proves, severity = 'risk', every = 'run', questions } = given as Partial<CheckDefinition>;
  if (typeof name !== 'string' || !CHECK_NAME.test(name)) {
    return 'its name is not one of small letters, digits and underscores';
  }
  if (typeof proves !== 'string' || proves === '') return 'it does not say what it proves';
  if (severity !== 'damage' && severity !== 'risk') return 'its severity is neither damage nor risk';
  if (every !== 'run' && every !== 'sweep') return 'its `every` is neither run nor sweep';
  if (typeof questions !== 'function') return 'it has no function `questions`';
  const check = given as CheckDefinition;
  return {
    ...{ name, proves, severity, every, rung: 'custom', repaired: 'not by itself' },
    questions: (names, settings) => {
      const asked = check.questions(names, settings);
      return typeof asked === 'string' ? asked : asked.map((question) => guarded(question, names));
    },
  };
}

/** One that cannot be loaded fails each time, and says so, while the others run. */
export function brokenCheck(name: string, reason: string): CheckDefinition {
  return {
    ...{ name, proves: 'Nothing: it cannot be loaded.', severity: 'risk', every: 'run' },
    ...{ rung: 'custom', repaired: 'not by itself' },
    questions: () => {
      throw new Error(reason);
    },
  };
}

function guarded(question: CheckQuestion, names: SqlNames): CheckQuestion {
  const { sql, parameters = [], settings, limit = MAX_ROWS } = question;
  return {
    ...{ sql, parameters, limit: Math.min(limit, MAX_ROWS) },
    ...(settings === undefined ? spoken(names) : { settings }),
    answer: (row): CheckFound | CheckQuestion | CheckSkip | null => {
      const answer = question.answer(row);
      if (answer === null || answer === undefined) return null;
      if ('skipped' in answer) return { skipped: String(answer.skipped) };
      return 'sql' in answer ? guarded(answer, names) : tame(answer);
    },
  };
}

/** Texts of a length that can be shown and kept, and nothing that would be carried out. */
function tame({
  message,
  severity,
  streamId,
  version,
  eventId,
  object,
  events,
  bucket,
}: CheckFound): CheckFound {
  const number = version == null ? null : String(version);
  return {
    message: String(message).slice(0, MAX_TEXT),
    ...(severity === 'damage' || severity === 'risk' ? { severity } : {}),
    ...{ streamId: textOf(streamId), eventId: textOf(eventId), object: textOf(object) },
    version: number !== null && /^-?\d{1,19}$/.test(number) ? number : null,
    events: Number.isSafeInteger(events) ? events! : 0,
    bucket: textOf(bucket),
  };
}

function textOf(value: unknown): string | null {
  return value == null ? null : String(value).slice(0, MAX_TEXT);
}
