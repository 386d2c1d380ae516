import type { JobBegin, JobEnd } from '../../core/job.ts';
import type { CommandContext } from '../context.ts';
import { type Fields, LOG_LEVELS, type Log, type LogLevel, type ServiceLog } from '../log.ts';

/** What the daemon logs of the runs of a job, and what their commands do. */

export interface ServeContext extends CommandContext {
  readonly log: ServiceLog;
}

export function logBegin(log: Log, { reason, attempt }: JobBegin, words: readonly string[]): void {
  log.info('begins', { command: words.join(' '), reason, attempt });
}

export function logEnd(log: Log, { state, code, durationMs, attempt }: JobEnd, trouble: string | null): void {
  const fields = { state, ms: durationMs, attempt, code };
  if (state === 'failed') log.error(`failed${trouble === null ? '' : `: ${trouble}`}`, fields);
  else log.info('ended', fields);
}

/** A line that a command logged is a line of this log, at its level. What is none, or says how the command failed, is for who looks closely. */
export function passOn(log: Log, line: string): void {
  const { time: _time, level, message, ...rest } = parse(line);
  if (typeof message !== 'string' || !isLevel(level)) log.debug(line);
  else log[level](message, fieldsOf(rest));
}

function parse(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

function isLevel(value: unknown): value is LogLevel {
  return (LOG_LEVELS as readonly unknown[]).includes(value);
}

/** Of a program of this version they are so anyway. */
function fieldsOf(rest: Readonly<Record<string, unknown>>): Fields {
  const isField = (value: unknown): value is Fields[string] =>
    value === null || ['string', 'number', 'boolean'].includes(typeof value);
  return Object.fromEntries(
    Object.entries(rest).flatMap(([key, value]) => (isField(value) ? [[key, value]] : [])),
  );
}
