import type { Command } from 'commander';
import { isBackupError } from '../../core/errors.ts';
import type { Vault } from '../../core/vault.ts';
import { openSalvageSeal, readSalvagedEvents, readSalvagedStreams } from '../../disaster/salvage-files.ts';
import type { SalvagedStream } from '../../disaster/salvage-table.ts';
import { runFolder } from '../../format/disaster-journal.ts';
import { listSalvages, type SalvageRecord, salvageFileNames } from '../../format/disaster-salvage.ts';
import type { ReadKeys } from '../../format/open-bundle.ts';
import type { CommandContext, Start } from '../context.ts';
import { drVault } from '../disaster/restore-places.ts';
import { findCurrentPlan, findPlan } from '../disaster/runs.ts';
import { withDisasterWork } from '../disaster/work.ts';
import { helpEnd } from '../exit-codes.ts';
import { addIdentityOptions, type KeyFlags } from '../keys/keys.ts';
import { type SalvageView, salvageLines } from '../render/salvage.ts';

interface SalvagedFlags extends KeyFlags {
  readonly events?: true;
}

export function addDrSalvagedCommand(dr: Command, start: Start): void {
  const command = dr
    .command('salvaged')
    .description('show the events that only an old primary had, stream by stream, and what becomes of them')
    .argument(
      '[plan]',
      'id of a plan, or its first characters (default: the one that is under way, else the newest)',
    )
    .option('--events', 'print the events themselves as JSON lines, those of the newest salvage')
    .addHelpText('after', helpEnd(EXAMPLES, [0, 2, 3, 4, 6, 8]))
    .action((plan: string | undefined, flags: SalvagedFlags) =>
      start((context) => showSalvaged(context, plan, flags)),
    );
  addIdentityOptions(command);
}

const EXAMPLES = [
  'eventcore dr salvaged --events > lost.jsonl',
  'eventcore dr salvaged                     # streams that people have to decide about come first',
  'eventcore dr salvaged 8f3a2c1e --json | jq \'.salvages[].streams[] | select(.verdict == "conflict")\'',
];

function showSalvaged(
  context: CommandContext,
  id: string | undefined,
  flags: SalvagedFlags,
): Promise<number> {
  return withDisasterWork(context, flags, { writes: false }, async (work) => {
    const { plan } =
      id === undefined ? await findCurrentPlan(work.vaults, 'any') : await findPlan(work.vaults, id);
    const { planId, journalVault } = plan;
    const vault = await drVault(work, journalVault);
    if (flags.events) return printEvents(context, vault, planId, work.keys);
    const views = await readViews(vault, planId, work.keys);
    const { output } = context;
    output.document({
      ...{ planId, vault: vault.address },
      salvages: views.map(({ record: { files: _, ...record }, ...view }) => ({ ...record, ...view })),
    });
    output.answer(
      views.length === 0
        ? [`Nothing was salvaged by recovery ${planId}.`]
        : views.flatMap((view) => salvageLines(view, output.paint)),
    );
    return 0;
  });
}

/** All of them: what has to be decided event by event is read elsewhere. Throws `key_missing` where it is sealed. */
async function printEvents(
  { output }: CommandContext,
  vault: Vault,
  planId: string,
  keys: ReadKeys,
): Promise<number> {
  const record = (await listSalvages(vault, planId)).at(-1);
  if (record === undefined) return 0;
  const seal = await openSalvageSeal(vault, record, keys);
  for await (const lines of readSalvagedEvents(vault, record, seal)) {
    if (!(await output.write(lines))) break;
  }
  return 0;
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
