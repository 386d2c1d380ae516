import { readCatalog } from '../../format/catalog.ts';
import { type DrillContext, type DrillTest, notDue, type TestOutcome } from '../context.ts';
import { judgeStore } from '../judge.ts';
import { chooseBackup, openChosen } from '../points.ts';
import { withRestored } from '../restored.ts';

/** All of a backup, with all that it builds on, is restored into an empty place, and takes no longer than was promised. */
export const FULL_RESTORE: DrillTest = { name: 'full_restore', run: (context) => run(context) };

const MOST_NOTED = 10;

async function run(context: DrillContext): Promise<TestOutcome> {
  const { vault, keys, settings } = context;
  if (settings.fullNotDue !== null) return notDue(settings.fullNotDue);
  const decidedMs = performance.now();
  const chain = await context.step('choose a backup', async (facts) => {
    const chosen = chooseBackup(await readCatalog(vault), vault, { ...context, ...settings });
    Object.assign(facts, { backupId: chosen.backupId, backups: chosen.chain.length });
    for (const why of chosen.passedOver.slice(0, MOST_NOTED))
      context.note(`full_restore: passed over ${why}`);
    return openChosen(vault, chosen, keys);
  });
  let restoreMs = 0;
  const measure: DrillContext['measure'] = (restore) => {
    restoreMs = restore.restoreMs;
    context.measure(restore);
  };
  const source = { region: 'primary', vault, chain, recovery: null, decidedMs };
  const measuring = { ...context, measure };
  await withRestored(measuring, source, (restored) => judgeStore(measuring, restored));
  context.objective('rto', restoreMs);
  return null;
}
