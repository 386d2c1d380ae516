import type { Command } from 'commander';
import { BackupError } from '../../core/errors.ts';
import type { EventStore } from '../../core/event-store.ts';
import { selectStreams } from '../../core/stream-selection.ts';
import { plural, printable } from '../../core/units.ts';
import type { Vault } from '../../core/vault.ts';
import { findBackup, readCatalog } from '../../format/catalog.ts';
import { chainTotals, newestRestorePoint } from '../../format/chain.ts';
import { openChain } from '../../format/open-bundle.ts';
import { diffStore, type StoreDiff } from '../../integrity/diff/diff.ts';
import { isDiverged, isEqual } from '../../integrity/diff/report.ts';
import { openPast } from '../../recovery/past.ts';
import { rateLimitOption, wholeNumber } from '../arguments.ts';
import { requireAddress } from '../config/config.ts';
import { beginStep, type CommandContext, chooseLimit, type Start, withStore, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { addIdentityOptions, collect, type KeyFlags, loadKeys } from '../keys/keys.ts';
import { addRegionOption, type RegionFlags, vaultToRead } from '../regions.ts';
import { diffLines } from '../render/diff.ts';
import { pointPairs, stateOf } from '../render/recovery-report.ts';
import { addRecallOption, type RecallFlags, refuseArchived } from '../restore/recalls.ts';
import {
  addPointOptions,
  type ChosenPoint,
  choosePoint,
  type PointFlags,
  pointOf,
  targetDocument,
  warnOfPassedOver,
} from '../restore/recovery-target.ts';

interface DiffFlags extends Omit<PointFlags, 'backup'>, KeyFlags, RegionFlags, RecallFlags {
  readonly stream?: readonly string[];
  readonly limit: number;
  readonly events?: true;
  readonly payloads?: true;
  readonly rateLimit?: number;
}

const LIMIT = { least: 0, most: 10_000, default: 20 } as const;

export function addDiffCommand(program: Command, start: Start): void {
  const command = program
    .command('diff')
    .description('show how the live store differs from a backup, or from an instant')
    .argument('[backup]', 'id of the backup, or its first characters (default: the newest)');
  addPointOptions(command)
    .option(
      '--stream <id>',
      'only this stream; may be repeated; base64:… for a name that is no UTF-8',
      collect,
    )
    .option(
      '--limit <n>',
      'streams to list; the others are counted',
      wholeNumber(LIMIT.least, LIMIT.most),
      LIMIT.default,
    )
    .option('--events', 'list their events too: id, type and time on both sides, and where payloads part')
    .option('--payloads', 'with --events: show some of the payloads, around where they part')
    .option(rateLimitOption.flags, rateLimitOption.description, rateLimitOption.parse)
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore diff',
          'eventcore diff 3f2a9c1e --events',
          'eventcore diff --at 2026-11-23T04:05:06Z',
          'eventcore diff --stream order-17 --events --payloads',
          "eventcore diff --json | jq '.streams[] | select(.missing)'",
        ],
        [0, 1, 2, 3, 4, 5, 6, 8, 130],
      ),
    )
    .action((wanted: string | undefined, flags: DiffFlags) =>
      start((context) => diff(context, wanted, flags)),
    );
  addIdentityOptions(addRecallOption(addRegionOption(command)));
}

async function diff(context: CommandContext, wanted: string | undefined, flags: DiffFlags): Promise<number> {
  assertFlags(wanted, flags);
  const settings = await context.settings();
  const keys = await loadKeys(settings, flags, { ...context, signs: false });
  const storeAddress = requireAddress(settings, 'store');
  const limit = chooseLimit(flags, settings, context.signal);
  return withVault(vaultToRead(context, settings, flags), { create: false, limit }, async (vault) => {
    await refuseArchived(context, vault, 'manifests', flags);
    const found = await choosePast(context, vault, wanted, flags, keys);
    const folders = found.chain.map(({ folder }) => folder);
    await refuseArchived(context, vault, folders, flags);
    const point = { ...found, chain: await openChain(vault, found.chain, keys, 'all') };
    return withStore(storeAddress, (store) => compare(context, flags, { vault, store, point }));
  });
}

function assertFlags(wanted: string | undefined, flags: DiffFlags): void {
  if (wanted !== undefined && pointOf(flags) !== null) {
    throw new BackupError('usage', 'a backup and an instant are both named', {
      hint: 'name a backup, or an instant with --at, --lsn, --before-event or --to-transaction',
    });
  }
  if (flags.payloads && !flags.events) {
    throw new BackupError('usage', '--payloads shows more of what --events lists', {
      hint: 'pass --events too',
    });
  }
}

/** The newest backup unless another one, or an instant, is named: the log goes on to now, and says nothing of what is lost. */
async function choosePast(
  context: CommandContext,
  vault: Vault,
  wanted: string | undefined,
  flags: DiffFlags,
  keys: Parameters<typeof choosePoint>[4],
): Promise<ChosenPoint> {
  const catalog = await readCatalog(vault);
  if (pointOf(flags) !== null) return choosePoint(context, vault, catalog, flags, keys);
  if (wanted !== undefined) {
    return choosePoint(
      context,
      vault,
      catalog,
      { backup: findBackup(catalog, wanted).manifest.backupId },
      keys,
    );
  }
  warnOfPassedOver(context, vault, catalog);
  const { chain } = newestRestorePoint(catalog, vault.address);
  return { chain, recovery: null };
}

interface Work {
  readonly vault: Vault;
  readonly store: EventStore;
  readonly point: ChosenPoint;
}

const DIVERGED = new BackupError('store_diverged', '').exitCode;

async function compare(context: CommandContext, flags: DiffFlags, work: Work): Promise<number> {
  const { vault, store, point } = work;
  const { output, progress, signal } = context;
  const streamIds = flags.stream ?? null;
  beginStep(context, 'reading what there was');
  const past = await openPast(
    vault,
    { chain: point.chain, log: point.recovery?.log ?? null },
    { streamIds, signal },
  );
  const found = await diffStore(store, past, {
    selection: streamIds === null ? null : selectStreams(streamIds),
    totalEvents: chainTotals(point.chain.at(-1)!.manifest).totalEvents,
    limit: flags.limit,
    events: flags.events ? { payloads: flags.payloads === true } : null,
    onStep: (step) => beginStep(context, step),
    onProgress: progress.update,
    signal,
  });
  progress.end();
  const notes = await notesOn(work);
  output.document(diffDocument(found, work, notes));
  const isBad = isDiverged(found.totals);
  if (output.isQuiet && isBad) throw diverged(found, store);
  output.account([
    `${output.paint('strong', 'Compared')} ${printable(store.address)} with what it was`,
    ...diffLines(found, pairsOf(work, notes), output.paint),
  ]);
  return isBad ? DIVERGED : 0;
}

/** What makes a store look other than it was without an event that is. */
async function notesOn({ store, point }: Work): Promise<string[]> {
  const { store: source } = point.chain.at(-1)!.manifest;
  const here = await store.inspect();
  return [
    ...(source.kind === here.kind
      ? []
      : [`from ${source.kind} to ${here.kind}: payloads may be spaced otherwise, which shows as changed`]),
    ...(source.versionBase === here.versionBase
      ? []
      : [`streams began at version ${source.versionBase}, and begin at ${here.versionBase} here`]),
  ];
}

function diffDocument(found: StoreDiff, { vault, store, point }: Work, notes: readonly string[]): unknown {
  const { chain } = point;
  const { totals, streams, omitted, past, liveEvents } = found;
  const { missing, replaced, changed, newer, between } = totals;
  return {
    ...{ store: store.address, vault: vault.address },
    ...{ backupId: chain.at(-1)!.manifest.backupId, chain: chain.map(({ manifest }) => manifest.backupId) },
    target: targetDocument(point, null),
    ...{ equal: isEqual(totals), diverged: isDiverged(totals), past, liveEvents },
    totals: { missing, replaced, changed, unknown: { newer, between } },
    streams: streams.map(({ newer: behind, between: below, events, eventsOmitted, ...stream }) => ({
      ...{ ...stream, unknown: { newer: behind, between: below } },
      ...(events === null ? {} : { events, eventsOmitted }),
    })),
    ...{ omitted, notes },
  };
}

function pairsOf({ vault, point }: Work, notes: readonly string[]): [string, string][] {
  return [
    ['vault', printable(vault.address)],
    ['backup', point.chain.at(-1)!.manifest.backupId],
    ['state of', stateOf(point)],
    ...pointPairs(point),
    ...notes.map((note): [string, string] => ['note', note]),
  ];
}

function diverged({ totals: { missing, replaced, changed } }: StoreDiff, store: EventStore): BackupError {
  const events = missing.events + replaced.events + changed.events;
  return new BackupError(
    'store_diverged',
    `${plural(events, 'event')} of what there was ${events === 1 ? 'is' : 'are'} missing or different in ${store.address}`,
    { hint: 'run `eventcore diff` without --quiet to see which' },
  );
}
