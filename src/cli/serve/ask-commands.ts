import type { Question } from '../../console/ports.ts';
import { pause } from '../../core/pause.ts';
import { type ChildResult, runChild } from '../children/command.ts';
import type { CommandContext } from '../context.ts';
import { systemClock } from '../wire.ts';
import { assertQuestion } from './question-words.ts';
import { makeQuestions, type Questions, type Said } from './questions.ts';

const DEADLINE_MS = 120_000;
/** Jobs come first. */
const NICENESS = 10;
const MOST_BYTES = 4 << 20;

/** Questions of the console, asked of commands of this program. `fileOf`: the configuration of a store; null: there is no such store. */
export function askCommands(
  { env, cwd, signal }: CommandContext,
  fileOf: (store: string) => string | null,
): Questions {
  const run = async ({ store, words }: Question): Promise<{ said: Said; sizeBytes: number }> => {
    const config = fileOf(store);
    if (config === null) return { said: failed('usage', `there is no store ${store}`), sizeBytes: 0 };
    const result = await runChild({
      ...{ words, config, env, cwd, signal, deadlineMs: DEADLINE_MS },
      ...{ niceness: NICENESS, mostBytes: MOST_BYTES },
    });
    return { said: saidOf(result), sizeBytes: Math.min(result.sizeBytes, MOST_BYTES) };
  };
  return makeQuestions({ run, assertQuestion, now: systemClock.now, pause });
}

/** A command that found something bad has answered all the same. */
function saidOf({ exitCode, document, sizeBytes, error, failure }: ChildResult): Said {
  if (document !== null && exitCode !== null) return { state: 'answered', document, exitCode };
  if (error !== null) return { state: 'failed', ...error };
  if (sizeBytes > MOST_BYTES)
    return failed(
      null,
      'the answer is too long for a page',
      'ask for less of it, or run the command by hand',
    );
  return failed(null, failure ?? `the command ended with ${exitCode ?? 'a signal'} and no answer`);
}

function failed(code: string | null, message: string, hint: string | null = null): Said {
  return { state: 'failed', code, message, hint, facts: {} };
}
