import type { Command } from 'commander';
import { isBackupError } from '../../core/errors.ts';
import type { Lease } from '../../core/lease.ts';
import type { ArchiveTier } from '../../core/region-policy.ts';
import { printable } from '../../core/units.ts';
import type { Vault } from '../../core/vault.ts';
import { readCatalog } from '../../format/catalog.ts';
import { DAY_MS } from '../../policy/duration.ts';
import type { ArchiveFacts } from '../../policy/retention-facts.ts';
import { archivedBackups } from '../../upkeep/archive-tier.ts';
import { UPKEEP_LEASE } from '../../upkeep/lease.ts';
import { vaultNow } from '../../upkeep/lease-row.ts';
import { applyPrune, type PrunePlan, type PruneReport, planPrune } from '../../upkeep/prune.ts';
import { warnOfPolicy } from '../config/config.ts';
import { beginStep, type CommandContext, type Start, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { underLease } from '../leases.ts';
import { describeGone, planDocument, planLines, reportLines } from '../render/retention.ts';
import {
  addRetentionOptions,
  choosePruneTarget,
  describeRule,
  type PruneTarget,
  type RetentionFlags,
  readSpan,
} from '../retention-flags.ts';
import { systemClock, systemWriters } from '../wire.ts';

interface PruneFlags extends RetentionFlags {
  readonly grace?: number;
  readonly trustClock?: true;
  readonly apply?: true;
}

const LEFT = 'what was removed is gone, and every backup that is left is whole; run it again to go on';

export function addPruneCommand(program: Command, start: Start): void {
  addRetentionOptions(
    program
      .command('prune')
      .description(
        'remove what no rule of retention keeps. Without --apply only shows what it would do, and why',
      ),
  )
    .option('--grace <span>', 'leave what has no manifest alone for so long (default: 1d)', readSpan)
    .option('--trust-clock', 'go on although something in the vault is from the future: that is kept')
    .option('--apply', 'do it')
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore prune',
          'eventcore prune --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --keep-log 14d --apply',
          'eventcore prune --region us-west-2 --apply',
          "eventcore prune --json | jq '.backups[] | select(.kept | not)'",
        ],
        [0, 2, 4, 6, 7, 9, 10, 130],
      ),
    )
    .action((flags: PruneFlags) => start((context) => prune(context, flags), LEFT));
}

interface Run {
  readonly context: CommandContext;
  readonly flags: PruneFlags;
  readonly target: PruneTarget;
  readonly vault: Vault;
}

async function prune(context: CommandContext, flags: PruneFlags): Promise<number> {
  const settings = await context.settings();
  const target = choosePruneTarget(context, settings, flags);
  if (target.region !== null) warnOfPolicy(settings.policyWarnings, (message) => context.log.warn(message));
  return withVault(target.address, { create: false }, async (vault) => {
    const run: Run = { context, flags, target, vault };
    const { output } = context;
    if (flags.apply !== true) {
      const plan = await makePlan(run);
      output.document({ ...header(run), ...planDocument(plan) });
      output.answer([...headLines(run), ...planLines(plan, output.paint), ...endLines(plan)]);
      return 0;
    }
    const { plan, report } = await underLease(vault, { signal: context.signal })((lease, signal) =>
      applyUnder(run, lease, signal),
    );
    output.document({ ...header(run), ...planDocument(plan), removed: report });
    output.account([
      ...headLines(run),
      ...planLines(plan, output.paint),
      ...reportLines(report, output.paint),
    ]);
    return report.refused.length + report.spared.length > 0 ? 10 : 0;
  });
}

async function applyUnder(
  run: Run,
  lease: Lease,
  signal: AbortSignal,
): Promise<{ plan: PrunePlan; report: PruneReport }> {
  const { vault, context } = run;
  const plan = await makePlan(run, await vaultNow(vault, UPKEEP_LEASE, systemClock));
  beginStep(context, 'removing');
  const onRemoved = (name: string): void => context.log.info(`removed ${name}`);
  return { plan, report: await applyPrune(vault, plan, { lease, signal, onRemoved }) };
}

async function makePlan({ context, flags, target, vault }: Run, vaultNowMs?: number): Promise<PrunePlan> {
  beginStep(context, 'looking at the vault');
  return planPrune(vault, {
    ...{ rule: target.rule, nowMs: systemClock.now(), writers: systemWriters },
    archive: await readArchive(target.archive, vault),
    ...(vaultNowMs === undefined ? {} : { vaultNowMs }),
    ...(flags.grace === undefined ? {} : { graceMs: flags.grace }),
    trustClock: flags.trustClock === true,
  });
}

/** An archive that is not there yet, or cannot be asked, has nothing: what belongs there stays here. */
async function readArchive(tier: ArchiveTier | null, vault: Vault): Promise<ArchiveFacts | null> {
  if (tier === null) return null;
  const afterMs = tier.afterDays * DAY_MS;
  const catalog = await readCatalog(vault);
  const holds = (archive: Vault): Promise<Set<string>> => archivedBackups(catalog, archive);
  try {
    return { afterMs, holds: await withVault(tier.storage, { create: false }, holds) };
  } catch (error) {
    if (!isBackupError(error, 'vault_unreachable', 'vault_refused')) throw error;
    return { afterMs, holds: new Set() };
  }
}

function header({ flags, target, vault }: Run): Record<string, unknown> {
  return { vault: vault.address, region: target.region, rule: target.rule, applied: flags.apply === true };
}

function headLines({ context, target, vault }: Run): string[] {
  const { paint } = context.output;
  const region = target.region === null ? '' : ` (${printable(target.region)})`;
  return [paint('strong', `Retention in ${printable(vault.address)}${region}: ${describeRule(target.rule)}`)];
}

function endLines(plan: PrunePlan): string[] {
  const gone = describeGone(plan);
  if (gone === null) return ['', 'Nothing is to be removed.'];
  return ['', `Would remove ${gone}.`, 'Nothing was changed: pass --apply to do it.'];
}
