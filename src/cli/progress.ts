import type cliProgress from 'cli-progress';
import type { Progress } from '../core/report.ts';
import { formatBytes, formatCount } from '../core/units.ts';
import type { Terminal } from './output.ts';

/** Shows on a terminal how far a long job is. Does nothing where it was not asked for. */
export interface ProgressDisplay {
  /** A new step, in words: `reading events`. */
  step(name: string): void;
  update(progress: Progress): void;
  /** Clears the line; what comes next is printed on a clean one. Safe to repeat. */
  end(): void;
}

const WIDTH = 24;
const UPDATES_PER_SECOND = 8;

/** Once the signal has fired nothing is shown any more: the lines below belong to what is said of the end. */
export async function makeProgress(
  stderr: Terminal,
  shown: boolean,
  signal: AbortSignal,
): Promise<ProgressDisplay> {
  if (!shown || stderr.isTTY !== true) return { step: () => {}, update: () => {}, end: () => {} };
  const { SingleBar } = (await import('cli-progress')).default;
  let bar: cliProgress.SingleBar | null = null;
  let name = '';
  const end = (): void => {
    bar?.stop();
    bar = null;
  };
  signal.addEventListener('abort', end, { once: true });
  const begin = (): cliProgress.SingleBar => {
    const startedAtMs = Date.now();
    const created = new SingleBar({
      stream: stderr,
      fps: UPDATES_PER_SECOND,
      clearOnComplete: true,
      hideCursor: true,
      // Ctrl-C belongs to this program, which has to clean up before it ends.
      gracefulExit: false,
      format: (_, { value, total }, payload: unknown) =>
        progressLine({
          name,
          elapsedMs: Date.now() - startedAtMs,
          value,
          total,
          ...(payload as ProgressFacts),
        }),
    });
    created.start(0, 0, NOTHING_YET);
    return created;
  };
  return {
    step: (next) => {
      end();
      if (signal.aborted) return;
      name = next;
      bar = begin();
    },
    update: ({ events, bytes, totalEvents, totalBytes }) => {
      if (signal.aborted) return;
      bar ??= begin();
      // An estimate can fall short of the truth: the bar is then full, not fuller than full.
      bar.setTotal(Math.max(totalEvents ?? 0, totalEvents === null ? 0 : events));
      bar.update(events, { bytes, totalBytes } satisfies ProgressFacts);
    },
    end,
  };
}

interface ProgressFacts {
  readonly bytes: number;
  readonly totalBytes: number | null;
}

const NOTHING_YET: ProgressFacts = { bytes: 0, totalBytes: null };

export interface ProgressState extends ProgressFacts {
  readonly name: string;
  readonly elapsedMs: number;
  /** Events so far, and all of them; 0 when unknown. */
  readonly value: number;
  readonly total: number;
}

/** `reading events  ██████░░░░  61 %  1,234,567 events  38.2 MB/s  12 s left` */
export function progressLine(state: ProgressState): string {
  const { name, elapsedMs, value, total, bytes } = state;
  if (value === 0) return `${name} …`;
  const parts = [name];
  if (total > 0) {
    const done = Math.min(1, value / total);
    const filled = Math.round(done * WIDTH);
    parts.push(`${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)}`, `${Math.floor(done * 100)} %`);
  }
  parts.push(`${formatCount(value)} events`);
  if (elapsedMs >= 500) parts.push(`${formatBytes(Math.round((bytes * 1000) / elapsedMs))}/s`);
  const canTell = elapsedMs >= 1000 && value >= total / 100;
  if (canTell && total > value) parts.push(`${timeLeft(elapsedMs, value, total)} left`);
  return parts.join('  ');
}

function timeLeft(elapsedMs: number, value: number, total: number): string {
  const seconds = Math.ceil((elapsedMs * (total - value)) / value / 1000);
  if (seconds < 90) return `${seconds} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
