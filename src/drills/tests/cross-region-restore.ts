import { isBackupError } from '../../core/errors.ts';
import type { Manifest } from '../../core/manifest.ts';
import { parseTime, timeFromUnixMs } from '../../core/time.ts';
import type { Vault } from '../../core/vault.ts';
import { readCatalog } from '../../format/catalog.ts';
import { newestRestorePoint } from '../../format/chain.ts';
import { measureLag } from '../../upkeep/lag.ts';
import { archivedManifests, archivedObjects, recallObjects } from '../../upkeep/recall.ts';
import {
  type DrillContext,
  type DrillRegion,
  type DrillTest,
  skipped,
  type TestOutcome,
} from '../context.ts';
import { judgeStore } from '../judge.ts';
import { chooseBackup, openChosen } from '../points.ts';
import { type RestoreSource, withRestored } from '../restored.ts';
import { restoreSample } from '../sampled-restore.ts';

/**
 * What only another region has left brings the store back: from each replica, and from the archive when the full restore is due. Whole
 * when that is due, a sample of streams else.
 */
export const CROSS_REGION_RESTORE: DrillTest = {
  name: 'cross_region_restore',
  run: (context) => run(context),
};

async function run(context: DrillContext): Promise<TestOutcome> {
  const { fullNotDue } = context.settings;
  const replicas = context.regions.filter(({ kind }) => kind !== 'archive');
  const regions = fullNotDue === null ? context.regions : replicas;
  if (context.regions.length === 0) return skipped('the policy has no other region');
  if (regions.length === 0) return { state: 'not_due', reason: `the archive: ${fullNotDue}` };
  // One that fails does not keep the others from being looked at.
  const failures: { region: string; error: Error }[] = [];
  for (const region of regions) {
    try {
      await restoreFrom(context, region);
    } catch (error) {
      if (!isBackupError(error) || context.signal.aborted) throw error;
      failures.push({ region: region.name, error });
    }
  }
  const [first] = failures;
  if (first === undefined) return null;
  context.note(
    `cross_region_restore: ${failures.length} of ${regions.length} regions failed: ${failures.map(({ region }) => region).join(', ')}`,
  );
  throw first.error;
}

async function restoreFrom(context: DrillContext, region: DrillRegion): Promise<void> {
  const decidedMs = performance.now();
  const vault = await context.step(`open ${region.name}`, () => region.open());
  try {
    const behindMs = region.kind === 'archive' ? null : await measureReplica(context, region.name, vault);
    const source = await chooseSource(context, region, vault, decidedMs);
    if (source === null) return;
    if (context.settings.fullNotDue === null)
      await withRestored(context, source, (restored) => judgeStore(context, restored));
    else await restoreSample(context, source);
    if (region.kind === 'replica') context.objective('region_rpo', behindMs);
  } finally {
    await vault.close();
  }
}

/** Null where an archive has nothing yet. */
async function chooseSource(
  context: DrillContext,
  { name, kind }: DrillRegion,
  vault: Vault,
  decidedMs: number,
): Promise<RestoreSource | null> {
  const { settings, keys, signal } = context;
  return context.step(`choose a backup of ${name}`, async (facts) => {
    // The archive has other backups than the vault.
    await recallObjects(vault, await archivedManifests(vault), { wait: false, signal });
    const catalog = await readCatalog(vault);
    if (kind === 'archive' && catalog.backups.length === 0) {
      context.note(`cross_region_restore: nothing is old enough to be in the archive ${name}`);
      return null;
    }
    const backup = catalog.backups.some(({ manifest }) =>
      manifest.backupId.startsWith(settings.backup ?? '-'),
    )
      ? settings.backup
      : null;
    const chosen = chooseBackup(catalog, vault, { ...context, ...settings, backup });
    facts.backupId = chosen.backupId;
    const folders = chosen.chain.map(({ folder }) => folder);
    await recallObjects(vault, await archivedObjects(vault, folders), { wait: false, signal });
    const chain = await openChosen(vault, chosen, keys);
    return { region: name, vault, chain, recovery: null, decidedMs };
  });
}

/** How far it is behind, in time and in events; and how old what it can bring back is. */
async function measureReplica(context: DrillContext, name: string, replica: Vault): Promise<number | null> {
  const { vault, step, clock } = context;
  return step(`see how far ${name} is behind`, async (facts) => {
    const [here, there] = [await newestOf(vault), await newestOf(replica)];
    const lag = await measureLag({ vault, newest: here }, { vault: replica, newest: there });
    const at = lag.targetAt === null ? null : parseTime(lag.targetAt);
    const age = at === null ? null : Math.max(0, Number(timeFromUnixMs(clock.now()) - at) / 1000);
    Object.assign(facts, { lagSeconds: lag.seconds, lagEvents: lag.events, ageMs: age });
    if (age === null) return null;
    return lag.events === 0 ? 0 : Math.round(age);
  });
}

/** The vault itself may be what is broken: that is for other tests to say. */
async function newestOf(vault: Vault): Promise<Manifest | null> {
  try {
    return newestRestorePoint(await readCatalog(vault), vault.address).chain.at(-1)!.manifest;
  } catch (error) {
    if (!isBackupError(error, 'no_backups', 'damaged')) throw error;
    return null;
  }
}
