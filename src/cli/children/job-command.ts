import type { CommandResult } from '../../daemon/run-job.ts';
import { type ChildCommand, type ChildResult, runChild } from './command.ts';

/** Runs a command as a job: what it found goes on record as numbers, and what was wrong is said in words. */
export async function runJobCommand(command: ChildCommand): Promise<CommandResult> {
  const result = await runChild(command);
  const { exitCode, document } = result;
  if (exitCode === 0) return { exitCode, code: null, trouble: null, facts: factsOf(document) };
  const code = result.error?.code ?? (result.failure === null ? null : 'internal');
  return { exitCode, code, trouble: troubleOf(result), facts: factsOf(document) };
}

/** What was wrong and the way out, in words; null where it said nothing. */
export function troubleOf({ error, document, failure }: ChildResult): string | null {
  const said = error === null ? null : `${error.message}${error.hint === null ? '' : ` (${error.hint})`}`;
  if (said !== null && failure !== null) return `${failure}: ${said}`;
  return said ?? badChecks(document) ?? failure;
}

const MOST_NAMED = 5;

/** Of what the doctor answers: what is bad. */
function badChecks(document: unknown): string | null {
  const { checks } = (document ?? {}) as { readonly checks?: unknown };
  if (!Array.isArray(checks)) return null;
  const bad = (checks as Readonly<Record<string, unknown>>[]).filter(({ verdict }) => verdict === 'bad');
  const named = bad.slice(0, MOST_NAMED).map(({ name, message, hint }) => {
    return `${name}: ${message}${typeof hint === 'string' ? ` (${hint})` : ''}`;
  });
  const more = bad.length > MOST_NAMED ? [`and ${bad.length - MOST_NAMED} more`] : [];
  return bad.length === 0 ? null : [...named, ...more].join('; ');
}

/** The numbers at the top of what a command answered: counts, sizes, durations. Those that may pass 2^53 are texts there. */
function factsOf(value: unknown): Record<string, number> {
  if (typeof value !== 'object' || value === null) return {};
  const facts: Record<string, number> = {};
  for (const [name, fact] of Object.entries(value)) {
    const number = typeof fact === 'string' && /^\d{1,20}$/.test(fact) ? Number(fact) : fact;
    if (typeof number === 'number' && Number.isFinite(number)) facts[name] = number;
  }
  return facts;
}
