import {
  type JournalEntry,
  type JournalKind,
  RECOVERY_RISKS,
  RECOVERY_STEPS,
  type RecoveryRisk,
  type RecoveryStep,
  type StepFacts,
} from '../core/disaster.ts';
import type { StepState } from './steps-table.ts';

/** What a journal says of one step. */
export interface StepRecord {
  readonly state: StepState;
  /** RFC 3339: when that was written; null while there is nothing. */
  readonly at: string | null;
  /** Of the newest entry of the step. */
  readonly text: string;
  /** Of the newest `done`; what failed or was begun has none here. */
  readonly facts: StepFacts;
  /** Of the first intent since the step was last done: what was proven before anything was. Null when there is none. */
  readonly intent: StepFacts | null;
  /** How often it was begun. */
  readonly attempts: number;
}

/** What a journal says of a run. */
export interface RunState {
  /** RFC 3339; null when the run has not begun. */
  readonly approvedAt: string | null;
  readonly approvedBy: string | null;
  readonly approval: StepFacts;
  readonly accepted: ReadonlySet<RecoveryRisk>;
  readonly steps: Readonly<Record<RecoveryStep, StepRecord>>;
  /** Null while it goes on, or must be taken up again. */
  readonly end: 'ended' | 'abandoned' | null;
  readonly epoch: number;
  readonly entries: number;
}

const NOTHING: StepRecord = { state: 'none', at: null, text: '', facts: {}, intent: null, attempts: 0 };

/** Follows a journal from its first entry on. */
export function readRunState(entries: readonly JournalEntry[]): RunState {
  const steps = Object.fromEntries(RECOVERY_STEPS.map((step) => [step, NOTHING]));
  const first = entries[0];
  let end: RunState['end'] = null;
  for (const entry of entries) {
    if (entry.step !== null) steps[entry.step] = nextState(steps[entry.step]!, entry);
    end = endAfter(end, entry.kind);
  }
  return {
    approvedAt: first?.at ?? null,
    approvedBy: first?.actor ?? null,
    approval: first?.facts ?? {},
    accepted: new Set(entries.flatMap(acceptedIn)),
    steps: steps as Record<RecoveryStep, StepRecord>,
    end,
    epoch: Math.max(0, ...entries.map(({ epoch }) => epoch)),
    entries: entries.length,
  };
}

/** A run that ended in part can be taken up for the rest of it. */
function endAfter(end: RunState['end'], kind: JournalKind): RunState['end'] {
  if (kind === 'ended' || kind === 'abandoned') return kind;
  return kind === 'resumed' ? null : end;
}

function nextState(before: StepRecord, { kind, at, text, facts }: JournalEntry): StepRecord {
  switch (kind) {
    case 'intent': {
      const intent = before.state === 'done' ? facts : (before.intent ?? facts);
      return { ...before, state: 'intent', at, text, intent, attempts: before.attempts + 1 };
    }
    case 'done':
      return { ...before, state: 'done', at, text, facts };
    case 'skipped':
      return { ...before, state: 'skipped', at, text, facts };
    case 'failed':
      return { ...before, state: 'failed', at, text };
    default:
      return before;
  }
}

/** Key under which `approved` and `resumed` hold what their actor accepted. */
export const ACCEPTED = 'accepted';

export function acceptedFacts(risks: Iterable<RecoveryRisk>): StepFacts {
  return { [ACCEPTED]: [...risks].sort().join(',') };
}

function acceptedIn({ kind, facts }: JournalEntry): RecoveryRisk[] {
  if (kind !== 'approved' && kind !== 'resumed') return [];
  return String(facts[ACCEPTED] ?? '')
    .split(',')
    .filter((risk): risk is RecoveryRisk => Object.hasOwn(RECOVERY_RISKS, risk));
}

/** Whether nothing more will be done for this step. */
export function isOver({ state }: StepRecord): boolean {
  return state === 'done' || state === 'skipped';
}

/** Whether something may have been done in the world. */
export function isBegun({ state, attempts }: StepRecord): boolean {
  return attempts > 0 || state === 'done';
}

/** A fact of a step that is a text; null when there is none. */
export function textFact(facts: StepFacts, name: string): string | null {
  const fact = facts[name];
  return typeof fact === 'string' && fact !== '' ? fact : null;
}

/** A list as facts: `server.1`, `server.2` … */
export function listFacts(name: string, values: readonly (string | number)[]): StepFacts {
  return Object.fromEntries(values.map((value, i) => [`${name}.${i + 1}`, value]));
}

/** What `listFacts` made of texts. */
export function readListFacts(facts: StepFacts, name: string): string[] {
  const values: string[] = [];
  for (let i = 1; ; i += 1) {
    const value = facts[`${name}.${i}`];
    if (typeof value !== 'string') return values;
    values.push(value);
  }
}
