import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Command, Option } from 'commander';
import { type ArchiveNote, archive, type Outage } from '../../capture/archiver.ts';

import type { ArchiveStatus } from '../../capture/status.ts';
import { BackupError } from '../../core/errors.ts';
import type { StoreKind } from '../../core/event-store.ts';
import { formatTime } from '../../core/time.ts';
import { formatBytes, formatDuration, formatInstant, plural, printable } from '../../core/units.ts';
import type { Vault } from '../../core/vault.ts';
import { positionText } from '../../format/log-name.ts';
import { formatPosition } from '../../recovery/position.ts';
import { vaultScheme } from '../address.ts';
import {
  FLUSH_MS,
  IDLE_MS,
  OUTAGE_POLICIES,
  type OutagePolicy,
  rateLimitOption,
  readSize,
  wholeNumber,
} from '../arguments.ts';
import {
  COMPRESSION,
  chooseFormat,
  FORMAT,
  type FormatFlags,
  levelHelp,
  readLevel,
} from '../backup/format.ts';
import { requireAddress } from '../config/config.ts';
import type { ChangeLogSettings } from '../config/file.ts';
import { beginStep, type CommandContext, chooseLimit, type Start, withStore, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { addKeyOptions, type KeyFlags, loadKeys } from '../keys/keys.ts';
import { underLease } from '../leases.ts';
import { renderPairs } from '../render/table.ts';
import { lacksBase } from '../status/log-base.ts';
import { openVault, systemClock } from '../wire.ts';

interface ArchiveFlags extends FormatFlags, KeyFlags {
  readonly once?: true;
  readonly flushMs?: number;
  readonly idleMs?: number;
  readonly onOutage?: OutagePolicy;
  readonly outageLimit?: number;
  readonly spool?: string;
  readonly rateLimit?: number;
  readonly base: boolean;
  readonly dropSlot?: true;
}

export function addArchiveCommand(program: Command, start: Start): void {
  const status: { last: ArchiveStatus | null } = { last: null };
  const command = program
    .command('archive')
    .description('capture what the store commits into the change log of the vault, until stopped')
    .option('--once', 'catch up, then end')
    .option(
      '--flush-ms <n>',
      `how long a commit may wait before it is written to the vault (default: ${FLUSH_MS.default})`,
      wholeNumber(FLUSH_MS.min, FLUSH_MS.max),
    )
    .option(
      '--idle-ms <n>',
      `how often the log says that nothing was committed (default: ${IDLE_MS.default})`,
      wholeNumber(IDLE_MS.min, IDLE_MS.max),
    )
    .addOption(new Option('--on-outage <policy>', OUTAGE_HELP).choices(OUTAGE_POLICIES))
    .option('--outage-limit <size>', 'for spool and drop (default: 10GB)', readSize)
    .option('--spool <vault>', 'where files are put aside, for --on-outage spool')
    .option(rateLimitOption.flags, rateLimitOption.description, rateLimitOption.parse)
    .option('--no-base', 'take no backup when the log begins, or begins anew behind a gap')
    .addOption(FORMAT)
    .addOption(COMPRESSION)
    .option('--level <n>', levelHelp(), readLevel)
    .option('--drop-slot', 'capture nothing: make the store forget the feed, so that it keeps no more for it')
    .addHelpText('after', helpEnd(EXAMPLES, [0, 1, 2, 4, 5, 6, 7, 8, 9, 130]))
    .action((flags: ArchiveFlags) =>
      start(
        (context) => (flags.dropSlot ? dropSlot(context) : runArchive(context, flags, status)),
        async () => describeLeft(status.last),
      ),
    );
  addKeyOptions(command);
}

const OUTAGE_HELP =
  'while the vault cannot be written: let the store hold what was not archived, spool it to a local vault, or let the store drop it beyond the limit and mark a gap (default: hold)';

const EXAMPLES = [
  'eventcore archive',
  'eventcore archive --once                          # catch up, for a schedule of its own',
  'eventcore archive --on-outage spool --spool /var/spool/eventcore --outage-limit 20GB',
  'eventcore archive --drop-slot                     # when the log is no longer wanted',
];

async function runArchive(
  context: CommandContext,
  flags: ArchiveFlags,
  latest: { last: ArchiveStatus | null },
): Promise<number> {
  const settings = await context.settings();
  const { format, compression, level } = chooseFormat(flags, settings.backup);
  const outage = chooseOutage(flags, settings.changeLog);
  const keys = await loadKeys(settings, flags, context);
  // Without the signal: once stopped, it still writes what it has.
  const limit = chooseLimit(flags, settings);
  await withStore(requireAddress(settings, 'store'), (store) =>
    withVault(requireAddress(settings, 'vault'), { create: true, limit }, async (vault) => {
      const { signal, progress } = context;
      const startedAtMs = systemClock.now();
      beginStep(context, 'capturing changes');
      const status = await archive(
        {
          ...{ store, vault, clock: systemClock, keys, underLease: underLease(vault, { signal }) },
          ...(flags.base
            ? { ensureBase: (reason: string) => ensureBase(context, vault, wordsOfBase(flags), reason) }
            : {}),
        },
        {
          ...{ format, compression, level, outage, signal, software: context.software },
          flushMs: flags.flushMs ?? settings.changeLog.flush_ms ?? FLUSH_MS.default,
          idleMs: flags.once ? ONCE_IDLE_MS : (flags.idleMs ?? settings.changeLog.idle_ms ?? IDLE_MS.default),
          once: flags.once === true,
          onNote: (note) => tell(context, note),
          onStatus: (now) => {
            latest.last = now;
            tellReach(context, now);
            const { events, sizeBytes: bytes } = now;
            progress.update({ events, bytes, totalEvents: null, totalBytes: null });
          },
        },
      );
      progress.end();
      const elapsedMs = systemClock.now() - startedAtMs;
      context.output.document({ store: store.address, vault: vault.address, ...statusDocument(status) });
      const kind = store.address.startsWith('postgres:') ? 'postgres' : 'sqlite';
      context.output.account(statusLines(status, { elapsedMs, kind }, context));
    }),
  );
  return latest.last !== null && latest.last.gaps > 0 ? GAP_EXIT_CODE : 0;
}

/** A quiet moment is soon enough noticed. */
const ONCE_IDLE_MS = 100;
/** As of damage: there is something that cannot be recovered. */
const GAP_EXIT_CODE = 4;

const DEFAULT_LIMIT = '10GB';

function chooseOutage(flags: ArchiveFlags, inFile: ChangeLogSettings): Outage {
  const policy = flags.onOutage ?? inFile.on_outage ?? 'hold';
  const limitBytes = flags.outageLimit ?? readSize(inFile.outage_limit ?? DEFAULT_LIMIT);
  if (policy === 'hold') return { policy };
  if (policy === 'drop') return { policy, limitBytes };
  const spool = flags.spool ?? inFile.spool;
  if (spool !== undefined && vaultScheme(spool) === 'file') {
    return { policy, vault: openVault(spool), limitBytes };
  }
  throw new BackupError('usage', '--on-outage spool needs a place for the files', {
    hint: 'pass --spool DIRECTORY, on a disk of this machine',
  });
}

/** While files wait aside, or something fails, the vault does not have what the archiver has. */
function tellReach(
  { parent }: CommandContext,
  { log, asOf, gaps, spooledFiles, trouble }: ArchiveStatus,
): void {
  if (parent === null || log === null || asOf === null || spooledFiles > 0 || trouble !== null) return;
  parent.tell({ kind: 'log', log: `${log} ${gaps}`, until: formatTime(asOf) });
}

function tell({ log, progress }: CommandContext, { message, isGrave, facts }: ArchiveNote): void {
  progress.end();
  if (isGrave) log.warn(message, facts);
  else log.info(message, facts);
}

/** The newest run of the log must carry on a backup, or come to one that is ahead of it. */
async function ensureBase(
  context: CommandContext,
  vault: Vault,
  baseWords: readonly string[],
  reason: string,
): Promise<void> {
  if (await lacksBase(vault)) await takeBase(context, baseWords, reason);
}

/** In a process of its own: its memory is not this one's, and neither are its failures. */
function takeBase(
  { flags, env, cwd, log, signal }: CommandContext,
  baseWords: readonly string[],
  reason: string,
): Promise<void> {
  log.info(`taking a backup for the log to go on from: ${reason}`);
  const main = fileURLToPath(
    new URL(import.meta.url.endsWith('.ts') ? '../main.ts' : '../main.js', import.meta.url),
  );
  const words = ['backup', 'incremental', '--quiet', '--no-progress'];
  for (const name of ['config', 'store', 'vault'] as const) {
    if (flags[name] !== undefined) words.push(`--${name}`, flags[name]);
  }
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...process.execArgv, main, ...words, ...baseWords], {
      ...{ env: { ...env }, cwd, stdio: ['ignore', 'ignore', 'pipe'] },
      ...{ signal, killSignal: 'SIGINT' },
    });
    let said = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2000)));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) return resolve();
      reject(new Error(`backup incremental ended with exit code ${code}: ${said.trim()}`));
    });
  });
}

/** The same limit for the backup, which has it for itself, and the same keys: where they are, not what they are. */
function wordsOfBase({
  recipient = [],
  identity = [],
  passphraseFile,
  signKey,
  rateLimit,
}: ArchiveFlags): string[] {
  return [
    ...(rateLimit === undefined ? [] : ['--rate-limit', `${rateLimit}B/s`]),
    ...recipient.flatMap((one) => ['--recipient', one]),
    ...identity.flatMap((file) => ['--identity', file]),
    ...(passphraseFile === undefined ? [] : ['--passphrase-file', passphraseFile]),
    ...(signKey === undefined ? [] : ['--sign-key', signKey]),
  ];
}

async function dropSlot(context: CommandContext): Promise<number> {
  const settings = await context.settings();
  await withStore(requireAddress(settings, 'store'), async (store) => {
    const kept = (await store.feedState())?.retainedBytes ?? null;
    await store.dropFeed();
    const { address } = store;
    context.output.document({ store: address, dropped: kept !== null, retainedBytes: kept ?? 0 });
    context.output.account([
      kept === null
        ? `${printable(address)} keeps nothing for a change log.`
        : `${printable(address)} keeps nothing for the change log any longer; ${formatBytes(kept)} are freed. The log in the vault stays.`,
    ]);
  });
  return 0;
}

function statusDocument({ position, asOf, ...status }: ArchiveStatus): Record<string, unknown> {
  return {
    ...status,
    position: position === null ? null : positionText(position),
    asOf: asOf === null ? null : formatTime(asOf),
  };
}

function statusLines(
  { events, transactions, files, sizeBytes, position, asOf, gaps }: ArchiveStatus,
  { elapsedMs, kind }: { readonly elapsedMs: number; readonly kind: StoreKind },
  { output: { paint } }: CommandContext,
): string[] {
  return [
    paint('strong', 'The change log has caught up'),
    ...renderPairs([
      ['captured', `${plural(events, 'event')} in ${plural(transactions, 'transaction')}`],
      ['written', `${formatBytes(sizeBytes)} in ${plural(files, 'file')}, ${formatDuration(elapsedMs)}`],
      ...(position === null ? [] : ([['up to', formatPosition(position, kind)]] as [string, string][])),
      ...(asOf === null ? [] : ([['as of', formatInstant(formatTime(asOf))]] as [string, string][])),
    ]),
    ...(gaps === 0 ? [] : [paint('bad', 'There is a gap in it: no recovery crosses that')]),
  ];
}

function describeLeft(status: ArchiveStatus | null): string {
  if (status?.position == null) return 'nothing was captured';
  return `everything that was committed before ${positionText(status.position)} is in the vault; \`eventcore archive\` goes on from there`;
}
