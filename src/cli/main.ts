#!/usr/bin/env node
import './engine.ts';
import { makeParent, type Parent } from './children/parent.ts';
import { reportError, saysJson } from './error-output.ts';
import { runProgram } from './program.ts';

/** The entry of the `eventcore` command: ties the program to this process. */

const INTERRUPTED = 130;
/** Shorter than what is left of the lease of a daemon that died: after it, another one may run the same. */
const ORPHAN_MS = 30_000;

const { stdout, stderr } = process;
const words = process.argv.slice(2);
const aborter = new AbortController();

/** The first time stops cleanly, the second at once. */
function stop(): void {
  if (aborter.signal.aborted) endAtOnce(INTERRUPTED);
  aborter.abort();
}

function endAtOnce(exitCode: number): never {
  // The progress bar hides the cursor.
  if (stderr.isTTY) stderr.write('\u001b[?25h');
  process.exit(exitCode);
}

/**
 * A command that a daemon runs ends with it, however that died: as if it were told to stop, and at once when it does not. The channel keeps
 * nothing alive.
 */
function followParent(): Parent | null {
  if (process.send === undefined) return null;
  const end = (): void => {
    stop();
    setTimeout(() => endAtOnce(INTERRUPTED), ORPHAN_MS).unref();
  };
  process.once('disconnect', end);
  // While this was being loaded, nobody heard it.
  if (!process.connected) end();
  process.channel?.unref();
  return makeParent((messages, sent) => process.send?.(messages, undefined, undefined, () => sent()));
}

process.on('SIGINT', stop);
process.on('SIGTERM', stop);
process.on('uncaughtException', (error) => {
  const json = saysJson(words, stderr);
  endAtOnce(reportError(error, { json, stack: words.includes('debug'), stderr, env: process.env }));
});
// A reader that goes away (`| head`) is no reason to stop a backup.
stdout.on('error', ignoreGoneReader);
stderr.on('error', ignoreGoneReader);

function ignoreGoneReader(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

const parent = followParent();
process.exitCode = await runProgram(words, {
  ...{ env: process.env, cwd: process.cwd(), stdout, stderr, signal: aborter.signal, parent },
});
parent?.end();
if (process.connected) {
  // What the parent did not take must not keep this process.
  process.removeAllListeners('disconnect');
  process.disconnect();
}
