import { readCatalog } from '../../format/catalog.ts';
import type { DrillContext, DrillTest, TestOutcome } from '../context.ts';
import { chooseBackup, openChosen } from '../points.ts';
import { restoreSample } from '../sampled-restore.ts';

/** Single streams, of which a sample is drawn, can be restored alone. */
export const PARTIAL_RESTORE: DrillTest = {
  name: 'partial_restore',
  run: (context) => run(context),
};

async function run(context: DrillContext): Promise<TestOutcome> {
  const { vault, keys, settings } = context;
  const decidedMs = performance.now();
  const chain = await context.step('choose a backup', async (facts) => {
    const chosen = chooseBackup(await readCatalog(vault), vault, { ...context, ...settings });
    facts.backupId = chosen.backupId;
    return openChosen(vault, chosen, keys);
  });
  return restoreSample(context, { region: 'primary', vault, chain, recovery: null, decidedMs });
}
