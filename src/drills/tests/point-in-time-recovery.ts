import { formatTime, parseTime, timeFromUnixMs } from '../../core/time.ts';
import { chainTotals } from '../../format/chain.ts';
import { openChain } from '../../format/open-bundle.ts';
import { planRecovery, type RecoveryPlan, type RecoverySources } from '../../recovery/plan-recovery.ts';
import { surveyLogs } from '../../recovery/survey.ts';
import type { RecoveryTarget } from '../../recovery/target.ts';
import { newestSpan, type RecoveryWindow } from '../../recovery/windows.ts';
import { type DrillContext, type DrillTest, skipped, type TestOutcome } from '../context.ts';
import { judgeStore } from '../judge.ts';
import { proofFailed, readSources } from '../points.ts';
import { withRestored } from '../restored.ts';

/** The newest instant can be brought back, and so can any other of the window: one of them is drawn. */
export const POINT_IN_TIME_RECOVERY: DrillTest = {
  name: 'point_in_time_recovery',
  run: (context) => run(context),
};

async function run(context: DrillContext): Promise<TestOutcome> {
  const sources = await context.step('look at the windows', () => readSources(context.vault, context.keys));
  if (sources.timelines.length === 0) {
    const risk = await measureRisk(context, await planRecovery(sources, { kind: 'latest' }, context.signal));
    context.objective('rpo', risk);
    return skipped('there is no change log: only the instants of backups can be brought back');
  }
  const windows = await context.step('see where the log leads', () => requireCarried(context, sources));
  const newest = await recover(context, sources, { kind: 'latest' }, 'newest');
  const time = drawInstant(windows, context.random);
  if (time !== null) await recover(context, sources, { kind: 'time', time }, 'random');
  context.objective('rpo', await measureRisk(context, newest));
  return null;
}

/** A log that no backup leads to brings nothing back, however well it is kept. */
async function requireCarried(
  context: DrillContext,
  { vault, catalog, timelines }: RecoverySources,
): Promise<readonly RecoveryWindow[]> {
  const { windows, spans, problems, gaps } = await surveyLogs(vault, catalog, timelines);
  const [problem] = problems;
  if (problem !== undefined) throw proofFailed(`the change log cannot be used: ${problem}`);
  const newest = newestSpan(spans);
  const carried = windows.filter(({ source }) => source === 'log');
  const until = newest === null ? null : formatTime(newest.until);
  if (until !== null && !windows.some(({ to }) => (parseTime(to) ?? 0n) >= newest!.until)) {
    const gap = gaps.at(-1);
    const why = gap === undefined ? 'no backup leads to its last part' : `there is a gap: ${gap.message}`;
    throw proofFailed(
      `the change log goes on until ${until}, and that cannot be reached: ${why}`,
      'take a full backup now: it begins a new window',
    );
  }
  if (gaps.length > 0)
    context.note(
      `point_in_time_recovery: no recovery crosses ${gaps.length === 1 ? 'a gap' : `${gaps.length} gaps`} of the change log`,
    );
  return carried;
}

async function recover(
  context: DrillContext,
  sources: RecoverySources,
  target: RecoveryTarget,
  name: string,
): Promise<RecoveryPlan> {
  const { vault, keys, step, signal } = context;
  const decidedMs = performance.now();
  const plan = await step(`plan the ${name} point`, async (facts) => {
    const found = await planRecovery(sources, target, signal);
    Object.assign(facts, { reached: found.reached.time, backupId: found.chain.at(-1)!.manifest.backupId });
    return { ...found, chain: await openChain(vault, found.chain, keys, 'all') };
  });
  const source = { region: 'primary', vault, chain: plan.chain, recovery: plan, decidedMs };
  await withRestored(context, source, (restored) => judgeStore(context, restored));
  return plan;
}

/** How much would be lost now: by the time of the newest instant, and by the events that the store has more. */
async function measureRisk(context: DrillContext, { chain, log }: RecoveryPlan): Promise<number> {
  const { manifest } = chain.at(-1)!;
  const until = log?.facts.until ?? parseTime(manifest.createdAt) ?? 0n;
  const ageMs = Math.max(0, Number(timeFromUnixMs(context.clock.now()) - until) / 1000);
  const held = chainTotals(manifest).totalEvents + (log?.measured.events ?? 0);
  const live = context.store === null ? null : (await context.store.count()).events;
  const eventsAtRisk = live === null ? null : Math.max(0, live - held);
  context.measured({ recoverableAgeMs: Math.round(ageMs), eventsAtRisk });
  // While nothing was written since, nothing is lost, however long ago that was.
  return eventsAtRisk === 0 ? 0 : Math.round(ageMs);
}

/** Somewhere in the windows, each instant as likely as any other. */
function drawInstant(windows: readonly RecoveryWindow[], random: () => number): bigint | null {
  const spans = windows.map(({ from, to }) => ({ from: parseTime(from) ?? 0n, to: parseTime(to) ?? 0n }));
  const total = spans.reduce((sum, { from, to }) => sum + Number(to - from), 0);
  let place = random() * total;
  for (const { from, to } of spans) {
    const length = Number(to - from);
    if (place <= length) return from + BigInt(Math.floor(place));
    place -= length;
  }
  return spans.at(-1)?.to ?? null;
}
