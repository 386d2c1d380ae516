import { plural, printable } from '../../core/units.ts';
import {
  isEventStep,
  type RepairPlan,
  type RepairRefusal,
  type RepairStep,
} from '../../integrity/repair/plan.ts';
import type { RepairResult } from '../../integrity/repair/repair.ts';
import type { Paint } from '../output.ts';

/** Streams that are named of each step; of the others their number. */
const MOST_NAMED = 20;

/** A plan, for people: what would be done and why, and what would not. */
export function repairPlanLines(plan: RepairPlan, paint: Paint): string[] {
  const { steps, refusals, onlyLive, unfinished } = plan;
  const from = plan.backupId === null ? '' : ` with backup ${plan.backupId}`;
  return [
    steps.length === 0 ? `Nothing to repair in ${plan.store}` : `Repair of ${plan.store}${from}`,
    ...unfinished.map(({ repairId, beganAt }) => {
      return `Repair ${repairId} was begun at ${beganAt} and has not ended: it died, or is under way`;
    }),
    ...steps.flatMap((step, i) => stepLines(step, `${i + 1}. `)),
    ...(onlyLive === 0
      ? []
      : [`${plural(onlyLive, 'event')} of these streams that no backup has: not touched`]),
    ...(refusals.length === 0 ? [] : [`${paint('bad', 'Not repaired')}: ${refusals.length}`]),
    ...refusals.map((refusal) => `  ${refusalLine(refusal)}`),
  ];
}

/** What became of each step. */
export function repairResultLines({ repairId, steps, unrecorded }: RepairResult, paint: Paint): string[] {
  if (repairId === null) return [];
  return [
    `Repair ${repairId}`,
    ...steps.map(({ step, outcome, reason }) => {
      const word = paint(outcome === 'repaired' ? 'good' : 'bad', outcome);
      return `  ${word}: ${headline(step)}${reason === null ? '' : `: ${printable(reason)}`}`;
    }),
    ...(unrecorded === null ? [] : [`  The vault has no word of its end: ${printable(unrecorded)}`]),
  ];
}

function stepLines(step: RepairStep, number: string): string[] {
  const details = isEventStep(step)
    ? step.streams.slice(0, MOST_NAMED).map(({ streamId, versions }) => {
        return `${printable(streamId)}: ${versionsText(versions)}`;
      })
    : [...new Set(step.statements.map(({ reason }) => printable(reason)))];
  const more = isEventStep(step) && step.streams.length > MOST_NAMED ? step.streams.length - MOST_NAMED : 0;
  return [
    `${number}${headline(step)}`,
    `   why: ${printable(step.reason)}`,
    `   touches: ${printable(step.touches)}`,
    `   keeps: ${printable(step.keeps)}`,
    ...details.map((detail) => `   - ${detail}`),
    ...(more === 0 ? [] : [`   - and ${plural(more, 'more stream')}`]),
  ];
}

function headline(step: RepairStep): string {
  if (!isEventStep(step)) return `${step.kind} (${printable(step.object ?? step.check)})`;
  return `${step.kind}: ${plural(step.events, 'event')} of ${plural(step.streams.length, 'stream')}`;
}

function versionsText(versions: readonly number[]): string {
  const [first, last] = [versions[0], versions.at(-1)];
  if (versions.length === 1) return `version ${first}`;
  return `${versions.length} versions from ${first} to ${last}`;
}

function refusalLine({ kind, streamId, version, object, events, reason }: RepairRefusal): string {
  const what = streamId === null ? (object ?? 'the store') : `stream ${printable(streamId)}`;
  const from = version === null ? '' : ` from version ${version} on`;
  const counted = events > 1 ? `, ${events} events${from}` : from;
  return `${kind ?? 'undecided'}: ${printable(what)}${counted}: ${printable(reason)}`;
}
