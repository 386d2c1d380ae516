import type { Command } from 'commander';
import type { Salvage } from '../../core/disaster-ports.ts';
import { BackupError, isBackupError } from '../../core/errors.ts';
import type { Vault } from '../../core/vault.ts';
import { openSalvageSeal, readSalvagedStreams } from '../../disaster/salvage-files.ts';
import type { SalvagedStream } from '../../disaster/salvage-table.ts';
import { runFolder } from '../../format/disaster-journal.ts';
import { readNewestPrimary } from '../../format/disaster-primary.ts';
import { listSalvages, type SalvageRecord, salvageFileNames } from '../../format/disaster-salvage.ts';
import type { ReadKeys } from '../../format/open-bundle.ts';
import type { CommandContext, Start } from '../context.ts';
import { findCurrentPlan, findPlan } from '../disaster-runs.ts';
import { type DisasterWork, withDisasterWork } from '../disaster-work.ts';
import { drVault } from '../dr-places.ts';
import { drSalvager } from '../dr-salvager.ts';
import { helpEnd } from '../exit-codes.ts';
import { addKeyOptions, type KeyFlags } from '../keys.ts';
import { type SalvageView, salvageLines } from '../render-salvage.ts';
import { formatCount, plural } from '../units.ts';

interface SalvageFlags extends KeyFlags {
  readonly from?: string;
  readonly into?: string;
  readonly merge?: true;
}

export function addDrSalvageCommand(dr: Command, start: Start): void {
  const command = dr
    .command('salvage')
    .description(
      'show what a recovery salvaged, stream by stream; with --from, find what an old store alone has',
    )
    .argument(
      '[plan]',
      'id of a plan, or its first characters (default: the one that is under way, else the newest)',
    )
    .option(
      '--from <store>',
      'the old store: behind its fence, an isolated copy of its files, or a file of SQLite',
    )
    .option('--into <store>', 'the store that is gone on with (default: the primary that the recovery made)')
    .option('--merge', 'with --from: add what conflicts with nothing to the new store')
    .addHelpText('after', helpEnd(EXAMPLES, [0, 2, 3, 4, 5, 6, 8, 10, 130]))
    .action((plan: string | undefined, flags: SalvageFlags) =>
      start(
        (context) => salvage(context, plan, flags),
        'what was found so far is in the vault, or nothing is: the same command finds all of it again',
      ),
    );
  addKeyOptions(command);
}

const EXAMPLES = [
  'eventcore dr salvage                                        # what the newest recovery salvaged',
  'eventcore dr salvage --from postgres://postgres@127.0.0.1:5499/events      # a copy of the dead server, started apart',
  'eventcore dr salvage 8f3a2c1e --from sqlite:./old.db --into sqlite:./events.db --merge',
];

/** As of a recovery that came to an end in part: something is left to people. */
const IN_PART = new BackupError('partial', '').exitCode;

function salvage(context: CommandContext, id: string | undefined, flags: SalvageFlags): Promise<number> {
  assertFlags(flags);
  return withDisasterWork(context, flags, { writes: flags.from !== undefined }, async (work) => {
    const { plan } =
      id === undefined ? await findCurrentPlan(work.vaults, 'any') : await findPlan(work.vaults, id);
    const vault = await drVault(work, plan.journalVault);
    const found = await carryOut(work, plan, vault, flags);
    const views = await readViews(vault, plan.planId, work.keys);
    const { output } = context;
    output.document({
      ...{ planId: plan.planId, vault: vault.address, found },
      salvages: views.map(({ record: { files: _, ...record }, ...view }) => ({ ...record, ...view })),
    });
    output.answer([
      ...views.flatMap((view) => [...salvageLines(view, output.paint), '']),
      ...(found === null ? [] : [foundLine(found)]),
      ...(found === null && views.length === 0 ? ['Nothing was salvaged in this recovery.'] : []),
    ]);
    return found !== null && found.conflicts > 0 ? IN_PART : 0;
  });
}

function assertFlags({ from, into, merge }: SalvageFlags): void {
  if (from !== undefined || (into === undefined && merge === undefined)) return;
  throw new BackupError('usage', '--into and --merge need the old store', {
    hint: 'name it with --from STORE',
  });
}

async function carryOut(
  work: DisasterWork,
  { planId, journalVault }: { readonly planId: string; readonly journalVault: string },
  vault: Vault,
  { from, into, merge }: SalvageFlags,
): Promise<Salvage | null> {
  if (from === undefined) return null;
  const request = { planId, from, into: into ?? (await newPrimary(vault, planId)), vault: journalVault };
  const { signal } = work.context;
  return drSalvager(work).salvage({ ...request, merge: merge === true }, { signal });
}

async function newPrimary(vault: Vault, planId: string): Promise<string> {
  const { record } = await readNewestPrimary(vault);
  if (record !== null && record.planId === planId) return record.server;
  throw new BackupError('usage', 'it is not known which store is gone on with', {
    hint: 'name it with --into STORE',
  });
}

async function readViews(vault: Vault, planId: string, keys: ReadKeys): Promise<SalvageView[]> {
  const views: SalvageView[] = [];
  for (const record of await listSalvages(vault, planId)) {
    const object = runFolder(planId) + salvageFileNames(record.number, record.sealing !== null).events;
    views.push({ record, object, streams: await readStreams(vault, record, keys) });
  }
  return views;
}

/** Null where no key opens them: how many there are is told all the same. */
async function readStreams(
  vault: Vault,
  record: SalvageRecord,
  keys: ReadKeys,
): Promise<SalvagedStream[] | null> {
  const streams: SalvagedStream[] = [];
  try {
    const seal = await openSalvageSeal(vault, record, keys);
    for await (const stream of readSalvagedStreams(vault, record, seal)) streams.push(stream);
  } catch (error) {
    if (!isBackupError(error, 'key_missing', 'key_wrong')) throw error;
    return null;
  }
  return streams;
}

const CONSUMERS_NOTE = 'Consumers whose position lies behind them will not see them: their ids are old.';

function foundLine({ events, merged }: Salvage): string {
  if (events === 0) return 'The new store has all that the old one has.';
  if (merged === 0)
    return `${plural(events, 'event')} only the old store has; none was added to the new one.`;
  return `${formatCount(merged)} of ${plural(events, 'event')} are in the new store now. ${CONSUMERS_NOTE}`;
}
