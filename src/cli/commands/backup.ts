import type { Command } from 'commander';
import { BackupError } from '../../core/errors.ts';
import { chooseParallel, parallelOption, rateLimitOption, wholeNumber } from '../arguments.ts';
import {
  COMPRESSION,
  chooseFormat,
  FORMAT,
  type FormatFlags,
  levelHelp,
  readLevel,
} from '../backup/format.ts';
import { backUpFully } from '../backup/full.ts';
import { chooseSource, type SourceFlags, sourceOptions } from '../backup/source.ts';
import { requireAddress } from '../config/config.ts';
import { type CommandContext, chooseLimit, type Start, withStore, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { addKeyOptions, type KeyFlags, loadKeys } from '../keys/keys.ts';
import { withHands } from '../queue/queue-hands.ts';
import { addQueueOptions, namesQueue, type QueueFlags } from '../queue/settings.ts';
import { type Attempt, describeLeft, notingId, reportBackup } from '../render/backup-report.ts';
import { prepareRanges } from '../threads/parallel-work.ts';
import { systemClock } from '../wire.ts';
import { backUpFromChain } from './backup-from-chain.ts';
import { addIncrementalCommand } from './backup-incremental.ts';

interface BackupFlags extends FormatFlags, SourceFlags, KeyFlags, QueueFlags {
  readonly fromChain?: string | true;
  readonly parallel?: number;
  readonly rateLimit?: number;
  readonly verify: boolean;
  readonly partSize?: number;
  readonly resume?: string | false;
}

const DEFAULT_PART_MIB = 256;

export function addBackupCommand(program: Command, start: Start): void {
  const backup = program
    .command('backup')
    .description('back up a store into a vault')
    .addHelpText('after', helpEnd(['eventcore backup full'], [0, 2]));
  const full = backup
    .command('full')
    .description('back up all events of a store, and what belongs to them')
    .option(
      '--from-chain [backup]',
      'make it out of a chain in the vault, without the store: up to this backup (default: the newest)',
    )
    .addOption(FORMAT)
    .addOption(COMPRESSION)
    .option('--level <n>', levelHelp(), readLevel)
    .option(parallelOption.flags, parallelOption.description, parallelOption.parse)
    .option(rateLimitOption.flags, rateLimitOption.description, rateLimitOption.parse)
    .option(
      '--part-size <MiB>',
      `about how much of a table goes into one file: what is lost when a backup dies (default: ${DEFAULT_PART_MIB})`,
      wholeNumber(2, 65_536),
    )
    .option('--resume <id>', 'go on with this attempt, though another machine or container wrote it')
    .option('--no-resume', 'begin anew, though there is an attempt to go on with')
    .option('--no-verify', 'do not read back what was written before it counts as a backup')
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore backup full',
          'eventcore backup full --store postgres://backup_login@db.example/shop --vault file:/mnt/backups',
          'eventcore backup full --format jsonl        # chunks that zstdcat and jq can read',
          'eventcore backup full --recipient age1… --sign-key host.pem   # sealed: only the recipient can open it',
          'eventcore backup full --rate-limit 50MB/s     # leave some of the line to others',
          'eventcore backup full --from-chain           # full and incremental backups become one full backup',
          'eventcore backup full --queue postgres://queue_login@db.example/jobs --queue-key file:queue.key   # by workers',
          'eventcore backup full --json | jq -r .backupId',
        ],
        [0, 1, 2, 3, 4, 5, 6, 8, 11, 130],
      ),
    )
    .action((flags: BackupFlags) => {
      const attempt: Attempt = { kind: 'full', vault: null, backupId: null };
      const { fromChain } = flags;
      return start(
        (context) =>
          fromChain === undefined
            ? backUp(context, flags, attempt)
            : backUpFromChain(context, { ...flags, fromChain }, attempt),
        () => describeLeft(attempt),
      );
    });
  for (const option of sourceOptions()) full.addOption(option);
  addQueueOptions(addKeyOptions(full));
  addIncrementalCommand(backup, start, backUp);
}

/** `instead`: why it is a full backup, where another one was asked for. */
async function backUp(
  context: CommandContext,
  flags: BackupFlags,
  attempt: Attempt,
  instead: string | null = null,
): Promise<number> {
  const settings = await context.settings();
  const choice = chooseFormat(flags, settings.backup);
  const threads = chooseParallel(flags.parallel, settings);
  const keys = await loadKeys(settings, flags, context);
  const storeAddress = await chooseSource(context, flags, settings);
  const vaultAddress = requireAddress(settings, 'vault');
  // Workers have threads of their own.
  if (!namesQueue(context, flags, settings)) prepareRanges(storeAddress, threads);
  await withStore(storeAddress, async (store) => {
    const { state } = await store.inspect();
    if (state === 'missing') throw nothingThere(store.address);
    const limit = chooseLimit(flags, settings, context.signal);
    await withVault(vaultAddress, { create: true, limit }, async (vault) => {
      attempt.vault = vault.address;
      const startedAtMs = systemClock.now();
      const asked = {
        purpose: 'backup',
        what: `backup of ${store.address}`,
        parallel: flags.parallel,
      } as const;
      const report = await withHands(context, { flags, settings }, asked, (hands) =>
        backUpFully(
          context,
          { storeAddress, store, vault, keys, hands, verify: flags.verify },
          {
            ...{ ...choice, onBegin: notingId(attempt) },
            rangeBytes: (flags.partSize ?? DEFAULT_PART_MIB) * 2 ** 20,
            ...(flags.resume === undefined ? {} : { resume: flags.resume }),
          },
        ),
      );
      context.progress.end();
      const elapsedMs = systemClock.now() - startedAtMs;
      reportBackup(context, report, { store: store.address, vault: vault.address, elapsedMs, instead });
    });
  });
  return 0;
}

function nothingThere(address: string): BackupError {
  return new BackupError('not_an_event_store', `there is no event store at ${address}`, {
    hint: 'check the address; `eventcore init --create-store` makes an empty store there',
  });
}
