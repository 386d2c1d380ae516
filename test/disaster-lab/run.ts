import assert from 'node:assert/strict';
import type {
  DataLossEstimate,
  JournalEntry,
  RecoveryOutcome,
  RecoveryStep,
  StrategyKind,
} from '../../src/core/disaster.ts';
import type { Ran } from '../harness/command.ts';
import type { RunAt, World } from './world.ts';

/** What an operator reads off `eventcore dr … --json`: no more than what these scenarios look at. */
export interface PlanDocument {
  readonly planId: string;
  readonly strategy: { readonly kind: StrategyKind; readonly targetRegion?: string };
  readonly estimatedDataLoss: DataLossEstimate;
  readonly risks: readonly { readonly risk: string }[];
}

export interface RunDocument {
  readonly plan: PlanDocument;
  readonly end: string | null;
  readonly outcome: RecoveryOutcome | null;
  readonly timeline: readonly JournalEntry[];
}

/** Runs `eventcore dr …`, which must end with one of these codes. */
export async function dr(
  world: World,
  words: readonly string[],
  codes: readonly number[] = [0],
  at: RunAt = {},
): Promise<Ran> {
  const begunMs = performance.now();
  const ran = await world.run(['dr', ...words], at);
  if (process.env.EVENTCORE_LAB_TRACE !== undefined) {
    console.error(
      `eventcore dr ${words.join(' ')}: ${ran.code} after ${Math.round(performance.now() - begunMs)} ms\n${ran.stderr}`,
    );
  }
  assert.ok(
    ran.code !== null && codes.includes(ran.code),
    `eventcore dr ${words.join(' ')} ended with ${ran.code}\n${ran.stdout}\n${ran.stderr}`,
  );
  return ran;
}

/** How long a look took: 0 when all is well, else what is the matter (5, 6, 9, 10). */
export async function assess(world: World): Promise<number> {
  const begunMs = performance.now();
  await dr(world, ['assess', '--json'], [0, 5, 6, 9, 10]);
  return performance.now() - begunMs;
}

export async function makePlan(
  world: World,
  words: readonly string[],
): Promise<{ plan: PlanDocument; planMs: number }> {
  const begunMs = performance.now();
  const { stdout } = await dr(world, ['plan', ...words, '--json']);
  return { plan: JSON.parse(stdout) as PlanDocument, planMs: performance.now() - begunMs };
}

export async function showRun(world: World, planId: string, at: RunAt = {}): Promise<RunDocument> {
  // 10: it is under way, or ended in part.
  const { stdout } = await dr(world, ['status', planId, '--json'], [0, 10], at);
  return JSON.parse(stdout) as RunDocument;
}

/** What carries the risks out that a plan names. */
export function acceptances({ risks }: PlanDocument): string[] {
  return risks.map(({ risk }) => `--accept-${risk.replaceAll('_', '-')}`);
}

/** How long a step took that was done, all its attempts together; null where it was not. */
export function stepMs({ timeline }: RunDocument, step: RecoveryStep): number | null {
  const own = timeline.filter((entry) => entry.step === step);
  const [first, last] = [
    own.find(({ kind }) => kind === 'intent'),
    own.findLast(({ kind }) => kind === 'done'),
  ];
  return first === undefined || last === undefined ? null : Date.parse(last.at) - Date.parse(first.at);
}

export function stepsMs(run: RunDocument, steps: readonly RecoveryStep[]): number | null {
  const all = steps.map((step) => stepMs(run, step)).filter((ms) => ms !== null);
  return all.length === 0 ? null : all.reduce((sum, ms) => sum + ms, 0);
}
