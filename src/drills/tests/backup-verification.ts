import type { BackupVerification } from '../../core/report.ts';
import { parseTime, timeFromUnixMs } from '../../core/time.ts';
import { type Catalog, newestBackup, readCatalog } from '../../format/catalog.ts';
import { readLogCatalog } from '../../format/log-catalog.ts';
import { openLogs } from '../../format/log-keys.ts';
import { verifyChains } from '../../integrity/verify/chains.ts';
import { verifyLog } from '../../integrity/verify/log.ts';
import type { DrillContext, DrillTest, Facts } from '../context.ts';
import { chooseBackup, proofFailed } from '../points.ts';

/**
 * All that is in the vault is there, follows one another and adds up; the chain that the other tests restore is read whole, with its
 * signatures and keys.
 */
export const BACKUP_VERIFICATION: DrillTest = {
  name: 'backup_verification',
  run: async (context) => {
    const catalog = await context.step('read the catalog', (facts) => readSound(context, facts));
    await context.step('look at all backups', async (facts) => {
      facts.backups = await verifyEntries(context, catalog, catalog.backups, true);
    });
    await context.step('look at the change log', async (facts) => {
      Object.assign(facts, await lookAtLogs(context));
    });
    await context.step('read one chain whole', async (facts) => {
      const { chain, backupId } = chooseBackup(catalog, context.vault, { ...context, ...context.settings });
      const ids = new Set(chain.map(({ manifest }) => manifest.backupId));
      const entries = catalog.backups.filter(({ manifest }) => ids.has(manifest.backupId));
      Object.assign(facts, { backupId, backups: await verifyEntries(context, catalog, entries, false) });
    });
    return null;
  },
};

/** An hour: more than any clock that somebody looks after is wrong. */
const FUTURE_MS = 3_600_000;

async function readSound({ vault, clock }: DrillContext, facts: Facts): Promise<Catalog> {
  const catalog = await readCatalog(vault);
  const [damaged] = catalog.damaged;
  if (damaged !== undefined)
    throw proofFailed(`the manifest of backup ${damaged.backupId} cannot be used: ${damaged.message}`);
  const { manifest } = newestBackup(catalog, vault.address);
  const ageMs = Number(timeFromUnixMs(clock.now()) - (parseTime(manifest.createdAt) ?? 0n)) / 1000;
  facts.newestAgeMs = Math.round(ageMs);
  if (ageMs >= -FUTURE_MS) return catalog;
  throw proofFailed(
    `the newest backup, ${manifest.backupId}, was taken ${Math.round(-ageMs / 60_000)} minutes from now: a clock is wrong`,
    'set the clocks of the hosts; until then nothing tells what is newest',
  );
}

async function verifyEntries(
  context: DrillContext,
  catalog: Catalog,
  entries: Catalog['backups'],
  quick: boolean,
): Promise<number> {
  const { vault, clock, keys, signal, settings, fileRunner } = context;
  const ports = { vault, clock, ...fileRunner?.(vault) };
  const options = { quick, parallel: settings.parallel, keys, trust: keys.trust, signal };
  const verified = await verifyChains(ports, catalog, entries, options);
  for (const { verification } of verified) assertSound(verification, quick, context);
  return verified.length;
}

function assertSound(
  { backupId, problems, overallValid, eventsValid }: BackupVerification,
  quick: boolean,
  { note }: DrillContext,
): void {
  const [problem] = problems;
  if (!overallValid || problem !== undefined) {
    const more = problems.length > 1 ? `, and ${problems.length - 1} more problems` : '';
    throw proofFailed(
      `backup ${backupId} is not sound: ${problem?.code ?? 'unknown'}: ${problem?.message ?? ''}${more}`,
      '`eventcore verify` says all that is wrong; `eventcore verify --heal` takes it from another region',
    );
  }
  if (!quick && eventsValid === null)
    note(`backup_verification: no key here opens backup ${backupId}: only digests were checked`);
}

async function lookAtLogs({ vault, keys, signal }: DrillContext): Promise<Facts> {
  const timelines = openLogs(vault, await readLogCatalog(vault), keys);
  const facts = { logs: timelines.length, files: 0, gaps: 0 };
  for (const timeline of timelines) {
    const { problems, files, gaps, folder } = await verifyLog(vault, timeline, { quick: true, signal });
    const [problem] = problems;
    if (problem !== undefined) throw proofFailed(`the log ${folder} is not sound: ${problem.message}`);
    facts.files += files;
    facts.gaps += gaps.length;
  }
  return facts;
}
