import { type Command, Option } from 'commander';
import { BackupError } from '../../core/errors.ts';
import { formatBytes, formatCount, formatDuration, plural, printable } from '../../core/units.ts';
import { findBackup, readCatalog } from '../../format/catalog.ts';
import { type Chain, requireChain } from '../../format/chain.ts';
import { openChain } from '../../format/open-bundle.ts';
import { rateLimitOption } from '../arguments.ts';
import { requireAddress } from '../config/config.ts';
import { type CommandContext, chooseLimit, type Start, withStore, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { type EventGoal, type EventWriter, exportChain, exportStore } from '../export/events.ts';
import { type ExportSink, openExportFile, openExportStream } from '../export/sink.ts';
import { addIdentityOptions, type KeyFlags, loadKeys } from '../keys/keys.ts';
import { renderPairs } from '../render/table.ts';
import { systemClock } from '../wire.ts';

const FORMATS = ['jsonl', 'parquet', 'bundle'] as const;
type ExportFormat = (typeof FORMATS)[number];

interface ExportFlags extends KeyFlags {
  readonly to: string;
  readonly as: ExportFormat;
  readonly force?: true;
  readonly rateLimit?: number;
}

export function addExportCommand(program: Command, start: Start): void {
  const command = program
    .command('export')
    .description(
      'write the events that a backup brings back, or those of the store named with --store, for other tools; or a backup as one file',
    )
    .argument('[backup]', 'id of the backup, or its first characters')
    .requiredOption('--to <file>', 'file to write, or - for stdout')
    .addOption(
      new Option(
        '--as <format>',
        'jsonl: a JSON object a line; parquet: Apache Parquet, a row an event; bundle: the backup with all that it builds on, as it lies in the vault, in a tar',
      )
        .choices(FORMATS)
        .default('jsonl'),
    )
    .option('--force', 'overwrite the file')
    .option(rateLimitOption.flags, rateLimitOption.description, rateLimitOption.parse)
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore export 3f2a9c1e --to events.jsonl',
          'eventcore export 3f2a9c1e --to - | jq -c \'select(.type == "OrderPlaced")\'',
          'eventcore export --store sqlite:./events.db --to - | wc -l',
          'eventcore export 3f2a9c1e --as parquet --to events.parquet',
          'eventcore export 3f2a9c1e --as bundle --to backup.tar   # tar -xf backup.tar in a new folder: a vault',
        ],
        [0, 1, 2, 3, 4, 5, 6, 8, 9, 130],
      ),
    )
    .action((wanted: string | undefined, flags: ExportFlags) =>
      start((context) => exportEvents(context, wanted, flags), leftOf(flags)),
    );
  addIdentityOptions(command);
}

function leftOf({ to }: ExportFlags): string {
  return to === '-' ? 'what was written to stdout ends before its end' : `${to} was not written`;
}

interface Exported {
  events: number;
  bytes: number;
}

async function exportEvents(
  context: CommandContext,
  wanted: string | undefined,
  flags: ExportFlags,
): Promise<number> {
  const source = chooseSource(context, wanted, flags);
  if (flags.to === '-' && context.output.isJson) {
    throw new BackupError('usage', '--to - and --json both want stdout', { hint: 'leave one of them out' });
  }
  const startedAtMs = systemClock.now();
  const done: Exported = { events: 0, bytes: 0 };
  const sink =
    flags.to === '-'
      ? openExportStream(context.output)
      : await openExportFile(flags.to, flags.force === true);
  try {
    const name = await source(counting(sink, done), done);
    context.progress.end();
    await sink.commit();
    report(context, flags, { ...done, ...name, durationMs: systemClock.now() - startedAtMs });
  } catch (error) {
    await sink.abort();
    throw error;
  }
  return 0;
}

function counting(sink: ExportSink, done: Exported): ExportSink {
  const write = (part: Uint8Array): Promise<boolean> => {
    done.bytes += part.length;
    return sink.write(part);
  };
  return { ...sink, write };
}

interface SourceName {
  readonly backupId: string | null;
  readonly store: string | null;
  /** Of a bundle: ids of the backups in it, the full one first. */
  readonly chain?: readonly string[];
}

type Source = (sink: ExportSink, done: Exported) => Promise<SourceName>;

function chooseSource(context: CommandContext, wanted: string | undefined, exportFlags: ExportFlags): Source {
  const { flags } = context;
  if ((wanted === undefined) === (flags.store === undefined)) {
    throw new BackupError(
      'usage',
      wanted === undefined ? 'nothing to export is named' : 'a backup and a store are named',
      {
        hint: 'name a backup, or a store with --store ADDRESS',
      },
    );
  }
  if (wanted !== undefined) return (sink, done) => fromVault(context, wanted, exportFlags, { sink, done });
  const { as } = exportFlags;
  if (as === 'bundle') {
    throw new BackupError('usage', '--as bundle is of a backup, and a store is named', {
      hint: 'make one with `eventcore backup full`, and name it',
    });
  }
  return (sink, done) =>
    withStore(flags.store!, async (store) => {
      const writer = await openWriter(context, as, sink);
      await exportStore(context, store, goalOf(context, writer, done));
      return { backupId: null, store: store.address };
    });
}

interface Place {
  readonly sink: ExportSink;
  readonly done: Exported;
}

async function fromVault(
  context: CommandContext,
  wanted: string,
  flags: ExportFlags,
  { sink, done }: Place,
): Promise<SourceName> {
  const settings = await context.settings();
  const keys = await loadKeys(settings, flags, { ...context, signs: false });
  const limit = chooseLimit(flags, settings, context.signal);
  return withVault(requireAddress(settings, 'vault'), { create: false, limit }, async (vault) => {
    const catalog = await readCatalog(vault);
    const chain = requireChain(catalog, findBackup(catalog, wanted));
    const { backupId } = chain.at(-1)!.manifest;
    if (flags.as === 'bundle') {
      const { writeBundle } = await import('../export/bundle.ts');
      const onBytes = bundleProgress(context, chain);
      await writeBundle(vault, chain, sink, { trust: keys.trust, signal: context.signal, onBytes });
      done.events = chain.reduce((sum, { manifest }) => sum + manifest.totalEvents, 0);
      return { backupId, store: null, chain: chain.map(({ manifest }) => manifest.backupId) };
    }
    const opened = await openChain(vault, chain, keys, 'all');
    const writer = await openWriter(context, flags.as, sink);
    await exportChain(context, vault, opened, goalOf(context, writer, done));
    return { backupId, store: null };
  });
}

function bundleProgress({ progress }: CommandContext, chain: Chain): (bytes: number) => void {
  const totalBytes = chain.reduce((sum, { manifest }) => sum + manifest.sizeBytes, 0);
  let bytes = 0;
  progress.step('exporting');
  return (more) => {
    bytes += more;
    progress.update({ events: 0, bytes, totalEvents: null, totalBytes });
  };
}

/** Loads what writes the format, and nothing else. */
async function openWriter(
  { software }: CommandContext,
  as: Exclude<ExportFormat, 'bundle'>,
  sink: ExportSink,
): Promise<EventWriter> {
  if (as === 'parquet') return (await import('../export/parquet.ts')).parquetWriter(sink, software);
  return (await import('../export/json-lines.ts')).jsonLinesWriter(sink);
}

function goalOf({ progress }: CommandContext, writer: EventWriter, done: Exported): EventGoal {
  return {
    writer,
    onEvents: (events, totals) => {
      done.events += events;
      progress.update({ ...done, ...totals });
    },
  };
}

function report(
  { output }: CommandContext,
  flags: ExportFlags,
  result: Exported & SourceName & { durationMs: number },
): void {
  const { backupId, store, chain, events, bytes, durationMs } = result;
  if (flags.to === '-') return;
  output.document({
    ...{ backupId, store, ...(chain === undefined ? {} : { chain }) },
    ...{ file: flags.to, as: flags.as, events, sizeBytes: bytes, durationMs },
  });
  output.account([
    `${output.paint('good', 'Exported')} ${printable(backupId ?? store ?? '')}`,
    ...renderPairs([
      ['file', printable(flags.to)],
      ...(chain === undefined ? [] : [['holds', plural(chain.length, 'backup')] as [string, string]]),
      ['events', formatCount(events)],
      ['size', formatBytes(bytes)],
      ['time', formatDuration(durationMs)],
    ]),
  ]);
}
