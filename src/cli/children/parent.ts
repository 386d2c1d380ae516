import type { JobProgress } from '../../core/job.ts';
import type { Progress } from '../../core/report.ts';
import type { ProgressDisplay } from '../progress.ts';
import type { ChildMessage } from './messages.ts';

/** The daemon that runs this command, where one does. */
export interface Parent {
  /** Of each kind only the newest is said, no more than twice a second: whoever is slow to read holds up nothing. */
  tell(message: ChildMessage): void;
  /** Says what waits to be said. */
  end(): void;
}

/** The channel to the parent, as Node has it. `sent` is called once it was handed on, or could not be. */
export type SendUp = (messages: readonly ChildMessage[], sent: () => void) => void;

const PAUSE_MS = 500;

export function makeParent(send: SendUp): Parent {
  const waiting = new Map<ChildMessage['kind'], ChildMessage>();
  let isSending = false;
  let isPausing = false;
  const pump = (): void => {
    if (isSending || waiting.size === 0) return;
    isSending = true;
    const messages = [...waiting.values()];
    waiting.clear();
    send(messages, () => {
      isSending = false;
      if (!isPausing) pump();
    });
  };
  const pause = (): void => {
    isPausing = true;
    // Nobody waits for what is still to be said when the command ends.
    setTimeout(() => {
      isPausing = false;
      if (waiting.size > 0) goOn();
    }, PAUSE_MS).unref();
  };
  const goOn = (): void => {
    pump();
    pause();
  };
  return {
    tell: (message) => {
      waiting.set(message.kind, message);
      if (!isPausing) goOn();
    },
    end: pump,
  };
}

/** Says to the parent what a terminal would show. */
export function tellProgress(parent: Parent, now: () => number): ProgressDisplay {
  const nothing: Progress = { events: 0, bytes: 0, totalEvents: null, totalBytes: null };
  let step = '';
  let sinceMs = now();
  const tell = ({ events, bytes, totalEvents, totalBytes }: Progress): void => {
    const progress: JobProgress = {
      ...{ step, events, bytes, totalEvents, totalBytes, sinceMs, atMs: now() },
    };
    parent.tell({ kind: 'progress', progress });
  };
  return {
    step: (name) => {
      step = name;
      sinceMs = now();
      tell(nothing);
    },
    update: tell,
    end: () => undefined,
  };
}
