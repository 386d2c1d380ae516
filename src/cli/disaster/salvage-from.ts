import type { Salvage } from '../../core/disaster-ports.ts';
import { BackupError } from '../../core/errors.ts';
import { formatDuration, plural, printable } from '../../core/units.ts';
import { ghostFacts, ghostWords, recoveryOf, vanishedWords } from '../../disaster/vanished.ts';
import type { StoredPlan } from '../../format/disaster-plan.ts';
import { redactAddress, resolveStoreAddress } from '../address.ts';
import { renderPairs } from '../render/table.ts';
import { type RunView, viewRun } from './runs.ts';
import { drSalvager } from './salvager.ts';
import type { DisasterWork } from './work.ts';

interface SalvageOptions {
  /** As the user writes it: it may hold a password. */
  readonly from: string;
  readonly merge: boolean;
}

/** Looks for what a store has and the new primary has not: one that came back late, or a copy of its disk. */
export async function salvageFrom(
  work: DisasterWork,
  plan: StoredPlan,
  { from: written, merge }: SalvageOptions,
): Promise<number> {
  const { context, vaults, keys } = work;
  const { planId } = plan.plan;
  const from = resolveStoreAddress(written, context.cwd);
  const view = await viewRun(vaults, plan, keys.trust);
  const into = newPrimaryOf(view);
  if (into === null) {
    throw new BackupError('usage', `the recovery ${planId} has made no new primary yet`, {
      hint: `\`eventcore dr resume ${planId}\` goes on with it, and salvages as its plan says`,
    });
  }
  const recovery = recoveryOf(plan.plan, view.state);
  const request = { planId, from, into, vault: view.readFrom, merge, recovery };
  const salvage = await drSalvager(work).salvage(request, { signal: context.signal });
  context.output.document({ planId, from: redactAddress(from), into, ...salvage });
  context.output.answer(salvageLines(salvage, merge));
  return merge && salvage.conflicts > 0 ? IN_PART : 0;
}

const IN_PART = new BackupError('partial', '').exitCode;

function newPrimaryOf({ state: { steps } }: RunView): string | null {
  const { server = null } = steps.promote.state === 'done' ? steps.promote.facts : steps.restore.facts;
  return typeof server === 'string' ? server : null;
}

function salvageLines(
  { events, streams, conflicts, merged, spanMs, object, ...after }: Salvage,
  merge: boolean,
): string[] {
  if (events === 0) return ['It has no event that the new primary has not.'];
  const facts = { vanished: after.vanished, epochRecord: after.epochRecord, ...ghostFacts(after.ghosts) };
  const span = spanMs === null ? '' : `, of ${formatDuration(spanMs)}`;
  return [
    `${plural(events, 'event')} in ${plural(streams, 'stream')}${span} that the new primary has not`,
    ...renderPairs([
      ['object', printable(object ?? '')],
      ['merged', merge ? plural(merged, 'event') : 'nothing: --merge adds what conflicts with nothing'],
      ...(conflicts === 0
        ? []
        : [
            [
              'people',
              `both have gone on with ${plural(conflicts, 'stream')}: listed in the object`,
            ] as const,
          ]),
      ...[...vanishedWords(facts), ...ghostWords(facts)].map(
        (line) => ['consumers', printable(line)] as const,
      ),
    ]),
  ];
}
