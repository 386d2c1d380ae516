import type { NotifierRule } from '../../core/alert.ts';
import type { Clock } from '../../core/clock.ts';
import type { SweepPlace } from '../../core/finding.ts';
import type { AlertPlace, BlindCount, OpenAlert, OwedNotice } from '../../core/monitor-state.ts';
import type { MonitorOutcome } from '../../format/monitor-report.ts';
import { type AlertDecision, type AlertInput, decideAlerts } from '../../policy/alerts.ts';
import { BLIND_CHECK, countBlind, observeBlind } from '../../policy/blind.ts';
import { type Digest, observe } from '../../policy/observe.ts';
import type { StoreLook } from './monitor.ts';

/** What is carried from run to run. */
export interface MonitorMemory {
  readonly sweep: object | null;
  readonly blind: readonly BlindCount[];
  readonly open: readonly OpenAlert[];
  readonly owed: readonly OwedNotice[];
}

export const EMPTY: MonitorMemory = { sweep: null, blind: [], open: [], owed: [] };

const VAULT = 'vault';

/** Of the vault itself, a process knows more than the vault does. */
export function joinMemory(recorded: MonitorMemory, remembered: MonitorMemory | null): MonitorMemory {
  if (remembered === null) return recorded;
  const isOther = (alert: AlertPlace): boolean => !isBlindness(alert) || alert.place !== VAULT;
  return {
    sweep: recorded.sweep,
    blind: [...recorded.blind.filter(({ cause }) => cause !== VAULT), ...remembered.blind],
    open: [...recorded.open.filter(isOther), ...remembered.open],
    owed: [...recorded.owed.filter(isOther), ...remembered.owed],
  };
}

export interface AdvanceOptions {
  readonly clock: Clock;
  readonly notifiers: readonly NotifierRule[];
  readonly digest: Digest;
  readonly repeatAfterMs: number;
  readonly tellsFindings: boolean;
}

/** What is known after a look. */
export function advance(before: MonitorMemory, look: StoreLook, options: AdvanceOptions): MonitorMemory {
  const found = decide(before, false, options, {
    seen: observe(look.findings, before.open, options.digest),
    looked: look.lookedAt,
    ...(options.tellsFindings ? {} : { notifiers: [] }),
  });
  const blind = countBlind(before.blind, look.sight);
  const blindness = decide(before, true, options, {
    // A cause that this run did not come to keeps its count, and so is still seen.
    seen: observeBlind(blind),
    looked: { ...look.lookedAt, wasMade: () => true },
  });
  const open = [...found.open, ...blindness.open];
  const places = open.flatMap(({ place }) => sweepPlaceOf(place));
  return { blind, open, owed: [...blindness.owed, ...found.owed], sweep: look.endSweep(places) };
}

function decide(
  { open, owed }: MonitorMemory,
  ofBlindness: boolean,
  { clock, notifiers, repeatAfterMs }: AdvanceOptions,
  input: Pick<AlertInput, 'seen' | 'looked'> & Partial<AlertInput>,
): AlertDecision {
  const isMine = (alert: AlertPlace): boolean => isBlindness(alert) === ofBlindness;
  return decideAlerts({
    ...{ open: open.filter(isMine), owed: owed.filter(isMine), notifiers },
    ...{ nowMs: clock.now(), repeatAfterMs, newId: () => clock.uuid() },
    ...input,
  });
}

function isBlindness({ check }: AlertPlace): boolean {
  return check === BLIND_CHECK;
}

function sweepPlaceOf(place: string): SweepPlace[] {
  const [, kind, number] = /^(block|bucket) (\d+)$/.exec(place) ?? [];
  return kind === undefined ? [] : [{ kind: kind as SweepPlace['kind'], number: Number(number) }];
}

/** What is open counts, whether the last run looked there or not. */
export function outcomeOf(open: readonly OpenAlert[]): MonitorOutcome {
  const found = open.filter((alert) => !isBlindness(alert));
  if (found.length === 0) return 'sound';
  return found.some(({ severity }) => severity === 'critical') ? 'damaged' : 'risk';
}
