import { type BackupError, isBackupError } from '../../core/errors.ts';
import type { MonitorMemory } from './memory.ts';
import type { MonitorRun } from './monitor.ts';

export interface LoopPorts {
  readonly run: (remembered: MonitorMemory | null) => Promise<MonitorRun>;
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Milliseconds that are never set. */
  readonly steadyMs: () => number;
  readonly random: () => number;
}

export interface LoopOptions {
  readonly intervalMs: number;
  /** By which part of the interval runs may come sooner or later: monitors of many stores do not all come at once. */
  readonly jitter: number;
  readonly signal: AbortSignal;
  readonly onRun: (run: MonitorRun) => void;
  /** A run that could not be made; the next one is. */
  readonly onFailure: (failure: BackupError) => void;
}

/** A run that takes as long as the interval is followed by this much of it without one. */
const LEAST_REST = 0.1;

/** Runs until it is stopped. What a run could not put on record is handed to the next one. */
export async function monitorLoop(ports: LoopPorts, options: LoopOptions): Promise<void> {
  const { intervalMs, jitter, signal } = options;
  let remembered: MonitorMemory | null = null;
  while (!signal.aborted) {
    const begunMs = ports.steadyMs();
    const run: MonitorRun | null = await tryRun(ports, remembered, options);
    if (run !== null) {
      remembered = run.unsaved;
      options.onRun(run);
    }
    const wantedMs = intervalMs * (1 + jitter * (2 * ports.random() - 1));
    const restMs = Math.max(wantedMs - (ports.steadyMs() - begunMs), intervalMs * LEAST_REST);
    if (!signal.aborted) await ports.pause(restMs, signal);
  }
}

/** Null when it failed; what is no failure that a user can meet is a bug, and ends it. */
async function tryRun(
  { run }: LoopPorts,
  remembered: MonitorMemory | null,
  { signal, onFailure }: LoopOptions,
): Promise<MonitorRun | null> {
  try {
    return await run(remembered);
  } catch (error) {
    if (!isBackupError(error)) throw error;
    if (!signal.aborted) onFailure(error);
    return null;
  }
}
