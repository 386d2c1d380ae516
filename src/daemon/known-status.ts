import { type BackupError, isBackupError } from '../core/errors.ts';
import type { StoreStatus } from '../core/status.ts';
import { judgeObjectives } from '../policy/objectives.ts';
import { type AskTimes, extendNewest, nextAskAt, periodOf } from '../policy/status-age.ts';
import type { StoreView } from './store-view.ts';

/** How far the change log in the vault goes, as the archiver of this daemon says. */
export interface LogReach {
  /** Which log, and how often it broke off: what is said of one says nothing of another. */
  readonly log: string;
  /** RFC 3339: what had committed by then is in the vault. */
  readonly until: string;
}

export interface StatusPorts {
  readonly store: string;
  /** Asks a command of this program. Throws as it failed. */
  readonly ask: (signal: AbortSignal) => Promise<StoreStatus>;
  readonly now: () => number;
  /** Milliseconds that are never set. */
  readonly steadyMs: () => number;
  /** Resolves after a while, or as soon as the signal fires. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Of one of many stores; left out: as often as its promise wants. */
  readonly leastPeriodMs?: () => number;
  readonly onFailure: (failure: BackupError) => void;
  /** It was asked, and what is promised may be judged otherwise now. */
  readonly onAsked?: () => void;
}

/** The newest status of one store. It is asked one at a time; a failure keeps the old one, and is said beside it. */
export interface KnownStatus {
  /** As of now, with what the archiver said since it was asked. */
  view(): StoreView;
  /** What the vault holds may be another now: it is asked again soon. */
  touch(): void;
  /** Somebody looks at it: it is not to be old. */
  look(): void;
  /** The archiver of this daemon came so far; null: it ended. */
  reach(reach: LogReach | null): void;
  /** Asks again and again, until the signal fires. */
  keep(signal: AbortSignal): Promise<void>;
}

interface Known {
  status: StoreStatus | null;
  /** What the archiver wrote when the status was asked. */
  log: string | null;
  reach: LogReach | null;
  trouble: string | null;
}

export function makeKnownStatus(ports: StatusPorts): KnownStatus {
  const { store, steadyMs } = ports;
  const known: Known = { status: null, log: null, reach: null, trouble: null };
  const times: { -readonly [Name in keyof AskTimes]: AskTimes[Name] } = {
    ...{ beganMs: null, touchedMs: null, lookedMs: null, periodMs: periodOf(null) },
  };
  let wake = (): void => undefined;
  const note = (what: 'touchedMs' | 'lookedMs'): void => {
    times[what] = steadyMs();
    wake();
  };
  const statusNow = (): StoreStatus | null => {
    const { status, reach, log } = known;
    return status === null || reach === null || reach.log !== log
      ? status
      : extendNewest(status, reach.until);
  };
  const askOnce = async (signal: AbortSignal): Promise<void> => {
    times.beganMs = steadyMs();
    const log = known.reach?.log ?? null;
    try {
      const status = await ports.ask(signal);
      Object.assign(known, { status, log, trouble: null });
      times.periodMs = periodOf(status.promises.rpoMs, ports.leastPeriodMs?.() ?? 0);
    } catch (error) {
      if (!isBackupError(error)) throw error;
      if (signal.aborted) return;
      known.trouble = error.message;
      ports.onFailure(error);
    }
  };
  return {
    view: () => {
      const status = statusNow();
      const objectives = status === null ? [] : judgeObjectives(status, ports.now());
      return { store, status, objectives, trouble: known.trouble };
    },
    touch: () => note('touchedMs'),
    look: () => note('lookedMs'),
    reach: (reach) => {
      const isOther = reach !== null && reach.log !== known.log && reach.log !== known.reach?.log;
      // What it said stays true when it ends.
      if (reach === null) known.status = statusNow();
      known.reach = reach;
      if (isOther) note('touchedMs');
    },
    keep: async (signal) => {
      while (!signal.aborted) {
        const waitMs = nextAskAt(times) - steadyMs();
        if (waitMs <= 0) {
          await askOnce(signal);
          ports.onAsked?.();
          continue;
        }
        const waiting = new AbortController();
        wake = () => waiting.abort();
        signal.addEventListener('abort', wake, { once: true });
        await ports.pause(waitMs, waiting.signal);
        signal.removeEventListener('abort', wake);
      }
    },
  };
}
