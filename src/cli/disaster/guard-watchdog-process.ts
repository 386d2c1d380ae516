import { type ChildProcess, spawn } from 'node:child_process';
import type { Watchdog } from '../../disaster/guard.ts';
import { CLOSED_LINE, openLine } from '../../disaster/guard-watchdog.ts';

/** The option by which the second process of a guard knows that it is one. */
export const WATCHDOG_OPTION = '--watchdog';

export interface WatchdogProcess extends Watchdog {
  /** Says goodbye: it ends by itself. */
  end(): Promise<void>;
}

const RESTART_MS = 500;
const MOST_RESTART_MS = 30_000;
/** One that lived longer is no reason to wait with the next one. */
const LIVED_MS = 10_000;

/**
 * Starts this command once more, as a watchdog in a group and session of its own: what kills the guard's group does not kill it, and the
 * system closes the pipe between them whatever the guard dies of. One that ends is started again, and told where things stand.
 */
export function startWatchdog(tell: (message: string) => void): WatchdogProcess {
  const self = { line: CLOSED_LINE, isEnding: false, deaths: 0, child: null as ChildProcess | null };
  let startedAtMs = 0;
  const write = (): void => void self.child?.stdin?.write(`${self.line}\n`);
  const start = (): void => {
    if (self.isEnding) return;
    const words = [...process.execArgv, process.argv[1]!, ...process.argv.slice(2), WATCHDOG_OPTION];
    const child = spawn(process.execPath, words, { stdio: ['pipe', 'ignore', 'inherit'], detached: true });
    self.child = child;
    startedAtMs = performance.now();
    // What it does not read any more, the next one is told.
    child.stdin!.on('error', () => undefined);
    child.once('error', () => again(child));
    child.once('exit', () => again(child));
    write();
  };
  const again = (child: ChildProcess): void => {
    if (self.isEnding || self.child !== child) return;
    self.child = null;
    self.deaths = performance.now() - startedAtMs > LIVED_MS ? 0 : self.deaths + 1;
    tell('the watchdog has ended: it is started again, and until then nobody watches over the guard itself');
    setTimeout(start, Math.min(RESTART_MS * self.deaths, MOST_RESTART_MS));
  };
  const say = (line: string): void => {
    self.line = line;
    write();
  };
  start();
  return {
    open: (untilMs) => say(openLine(untilMs)),
    closed: () => say(CLOSED_LINE),
    end: async () => {
      self.isEnding = true;
      self.child?.stdin?.end();
    },
  };
}
