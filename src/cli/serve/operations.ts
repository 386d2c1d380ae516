import type { Operation, OperationStart } from '../../console/ports.ts';
import type { JobProgress } from '../../core/job.ts';

/** Commands that somebody began from the console: one of a kind at a time, in this daemon's memory. What runs when it dies ends with it. */

export interface OperationPlan extends Pick<Operation, 'store' | 'who' | 'command' | 'title'> {
  readonly kind: 'restore' | 'verify';
  /** Runs it to its end, or until the signal fires. */
  readonly run: (signal: AbortSignal, onProgress: (progress: JobProgress) => void) => Promise<OperationEnd>;
}

export interface OperationEnd {
  readonly isDone: boolean;
  readonly document: unknown;
  readonly trouble: string | null;
}

export interface OperationPorts {
  readonly now: () => number;
  readonly uuid: () => string;
  readonly onChange: (operation: Operation) => void;
}

export interface Operations {
  start(plan: OperationPlan): OperationStart;
  cancel(id: string): 'cancelled' | 'unknown';
  /** The newest first. */
  list(): readonly Operation[];
  /** How many wait for their turn. */
  waiting(): number;
  /** What runs is told to stop, and awaited; nothing begins any more. */
  stop(): Promise<void>;
}

interface Entry {
  operation: Operation;
  readonly plan: OperationPlan;
  readonly stop: AbortController;
}

const MOST_WAITING = 5;
const MOST_KEPT = 50;

export function makeOperations(ports: OperationPorts): Operations {
  const entries: Entry[] = [];
  const tails = new Map<OperationPlan['kind'], Promise<void>>();
  let isStopped = false;
  const change = (entry: Entry, changes: Partial<Operation>): void => {
    entry.operation = { ...entry.operation, ...changes };
    if (changes.state !== undefined) ports.onChange(entry.operation);
  };
  const forgetOldest = (): void => {
    const over = entries.filter(({ operation }) => operation.endedMs !== null).slice(MOST_KEPT);
    for (const entry of over) entries.splice(entries.indexOf(entry), 1);
  };
  const runEntry = async (entry: Entry): Promise<void> => {
    const { plan, stop } = entry;
    if (stop.signal.aborted) return;
    change(entry, { state: 'runs' });
    const onProgress = (progress: JobProgress): void => change(entry, { progress });
    const { isDone, document, trouble } = await plan.run(stop.signal, onProgress).catch(unexpected);
    const state = isDone ? 'succeeded' : stop.signal.aborted ? 'cancelled' : 'failed';
    change(entry, { state, document, trouble, progress: null, endedMs: ports.now() });
    forgetOldest();
  };
  const cancel = (entry: Entry): void => {
    entry.stop.abort();
    if (entry.operation.state === 'waits') change(entry, { state: 'cancelled', endedMs: ports.now() });
  };
  return {
    start: (plan) => {
      const { kind, store, who, command, title } = plan;
      if (isStopped) return STOPPED;
      const waiting = entries.filter((one) => one.plan.kind === kind && one.operation.state === 'waits');
      if (waiting.length >= MOST_WAITING) return tooMany(kind);
      const operation: Operation = {
        ...{ id: ports.uuid(), store, who, command, title, startedMs: ports.now(), endedMs: null },
        ...{ state: 'waits', progress: null, document: null, trouble: null },
      };
      const entry: Entry = { operation, plan, stop: new AbortController() };
      entries.unshift(entry);
      // Also those that were cancelled while they waited behind a long one.
      forgetOldest();
      tails.set(
        kind,
        (tails.get(kind) ?? Promise.resolve()).then(() => runEntry(entry)),
      );
      return { state: 'started', operationId: operation.id };
    },
    cancel: (id) => {
      const entry = entries.find(({ operation }) => operation.id === id && operation.endedMs === null);
      if (entry === undefined) return 'unknown';
      cancel(entry);
      return 'cancelled';
    },
    list: () => entries.map(({ operation }) => operation),
    waiting: () => entries.filter(({ operation }) => operation.state === 'waits').length,
    stop: async () => {
      isStopped = true;
      for (const entry of entries.filter(({ operation }) => operation.endedMs === null)) cancel(entry);
      await Promise.all(tails.values());
    },
  };
}

/** What comes after it runs all the same. */
function unexpected(error: unknown): OperationEnd {
  const message = error instanceof Error ? error.message : String(error);
  return { isDone: false, document: null, trouble: `unexpected failure: ${message}` };
}

const STOPPED: OperationStart = {
  ...{ state: 'refused', message: 'the daemon is being stopped' },
  hint: 'begin it again when the daemon is there again',
};

function tooMany(kind: OperationPlan['kind']): OperationStart {
  return {
    state: 'refused',
    message: `${MOST_WAITING} others wait already: one ${kind} runs at a time`,
    hint: 'wait until they are done, cancel one, or run the command by hand',
  };
}
