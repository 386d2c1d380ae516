import { pause } from '../core/pause.ts';
import { type ClosePorts, close } from './guard-close.ts';

/**
 * What the second process does: it hears from the guard, line by line, until when the server may be open. It closes the server when that
 * time is over, or the guard is gone while it is open.
 */

export interface WatchdogPorts extends ClosePorts {
  /** What the guard writes; ends with the guard. */
  readonly lines: AsyncIterable<string>;
  /** As the guard's. */
  readonly steadyMs: () => number;
}

export interface WatchdogOptions {
  /** For one attempt to fence. */
  readonly fenceMs: number;
  /** How long after the guard should have closed the server it is taken for one that is held up. */
  readonly slackMs: number;
}

/** Until when the server may be open; null while it is closed, undefined for a line that says nothing. */
export function readLine(line: string): number | null | undefined {
  if (line === CLOSED_LINE) return null;
  const [, until] = /^open (\d{1,15}(?:\.\d{1,6})?)$/.exec(line) ?? [];
  return until === undefined ? undefined : Number(until);
}

export function openLine(untilMs: number): string {
  return `open ${untilMs.toFixed(3)}`;
}

export const CLOSED_LINE = 'closed';

interface Heard {
  /** As `readLine` gives it. */
  untilMs: number | null;
  /** Fires when something new was heard. */
  news: AbortController;
  isGone: boolean;
}

/** Returns when the guard is gone, and the server is closed or was. Throws `fence_failed` where it cannot be closed in an hour. */
export async function runWatchdog(ports: WatchdogPorts, options: WatchdogOptions): Promise<void> {
  const heard: Heard = { untilMs: null, news: new AbortController(), isGone: false };
  const listening = listen(ports, heard);
  while (!heard.isGone || heard.untilMs !== null) {
    const { news, untilMs } = heard;
    if (untilMs === null) {
      await pause(IDLE_MS, news.signal);
      continue;
    }
    const leftMs = untilMs + options.slackMs - ports.steadyMs();
    if (!heard.isGone && leftMs > 0) {
      await pause(Math.min(leftMs, IDLE_MS), news.signal);
      continue;
    }
    ports.tell(
      heard.isGone ? 'the guard is gone: closing the server' : 'the guard is held up: closing the server',
    );
    const soon = AbortSignal.timeout(MOST_MS);
    const { fenceMs } = options;
    await close(ports, { fenceMs, patienceMs: fenceMs, signal: soon });
    ports.tell('the server is closed');
    // Unless the guard has said something newer meanwhile.
    if (heard.untilMs === untilMs) heard.untilMs = null;
  }
  await listening;
}

const IDLE_MS = 60_000;
/** A server that does not answer for so long is left to the guard that was started meanwhile. */
const MOST_MS = 3_600_000;

async function listen({ lines }: WatchdogPorts, heard: Heard): Promise<void> {
  try {
    for await (const line of lines) {
      const said = readLine(line);
      if (said === undefined) continue;
      heard.untilMs = said;
      wake(heard);
    }
  } finally {
    heard.isGone = true;
    wake(heard);
  }
}

function wake(heard: Heard): void {
  const { news } = heard;
  heard.news = new AbortController();
  news.abort();
}
