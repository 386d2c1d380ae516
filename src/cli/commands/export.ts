import { type Command, Option } from 'commander';
import { BackupError, throwIfAborted } from '../../core/errors.ts';
import type { EventStore } from '../../core/event-store.ts';
import type { Manifest, ManifestFile } from '../../core/manifest.ts';
import type { Progress } from '../../core/report.ts';
import { formatBytes, formatCount, formatDuration, printable } from '../../core/units.ts';
import type { Vault } from '../../core/vault.ts';
import { naming } from '../../format/bundle-damage.ts';
import { storedForm } from '../../format/bundle-keys.ts';
import { findBackup, readCatalog } from '../../format/catalog.ts';
import { type Chain, type ChainMember, requireChain } from '../../format/chain.ts';
import { chunkCodec } from '../../format/chunk-codec.ts';
import { fetchChunks, readIndex, withPlain } from '../../format/data-file-reader.ts';
import { openChain } from '../../format/open-bundle.ts';
import { rateLimitOption } from '../arguments.ts';
import { requireAddress } from '../config/config.ts';
import { type CommandContext, chooseLimit, type Start, withStore, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { type ExportSink, openExportFile, openExportStream } from '../export-sink.ts';
import { addIdentityOptions, type KeyFlags, loadKeys } from '../keys/keys.ts';
import { renderPairs } from '../render/table.ts';
import { systemClock } from '../wire.ts';

interface ExportFlags extends KeyFlags {
  readonly to: string;
  readonly as: 'jsonl';
  readonly force?: true;
  readonly rateLimit?: number;
}

export function addExportCommand(program: Command, start: Start): void {
  const command = program
    .command('export')
    .description(
      'write the events that a backup brings back, or those of the store named with --store, for other tools',
    )
    .argument('[backup]', 'id of the backup, or its first characters')
    .requiredOption('--to <file>', 'file to write, or - for stdout')
    .addOption(new Option('--as <format>', 'one JSON object a line').choices(['jsonl']).default('jsonl'))
    .option('--force', 'overwrite the file')
    .option(rateLimitOption.flags, rateLimitOption.description, rateLimitOption.parse)
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore export 3f2a9c1e --to events.jsonl',
          'eventcore export 3f2a9c1e --to - | jq -c \'select(.type == "OrderPlaced")\'',
          'eventcore export --store sqlite:./events.db --to - | wc -l',
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
    const name = await source(sink, done);
    context.progress.end();
    await sink.commit();
    report(context, flags, { ...done, ...name, durationMs: systemClock.now() - startedAtMs });
  } catch (error) {
    await sink.abort();
    throw error;
  }
  return 0;
}

interface SourceName {
  readonly backupId: string | null;
  readonly store: string | null;
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
  if (wanted === undefined) {
    return (sink, done) => withStore(flags.store!, (store) => exportStore(context, store, sink, done));
  }
  return async (sink, done) => {
    const settings = await context.settings();
    const keys = await loadKeys(settings, exportFlags, { ...context, signs: false });
    const limit = chooseLimit(exportFlags, settings, context.signal);
    return withVault(requireAddress(settings, 'vault'), { create: false, limit }, async (vault) => {
      const catalog = await readCatalog(vault);
      const chain = requireChain(catalog, findBackup(catalog, wanted));
      return exportChain(context, vault, await openChain(vault, chain, keys, 'all'), { sink, done });
    });
  };
}

interface Goal {
  readonly sink: ExportSink;
  readonly done: Exported;
}

/** All events that a backup brings back: those of its chain, link by link. */
async function exportChain(
  context: CommandContext,
  vault: Vault,
  chain: Chain,
  goal: Goal,
): Promise<SourceName> {
  const { backupId } = chain.at(-1)!.manifest;
  const sum = (of: (manifest: Manifest) => number): number =>
    chain.reduce((total, { manifest }) => total + of(manifest), 0);
  const totals = {
    totalEvents: sum(({ totalEvents }) => totalEvents),
    totalBytes: sum(({ plainBytes }) => plainBytes),
  };
  context.progress.step('exporting');
  for (const link of chain) {
    for (const file of link.manifest.files.filter(({ role }) => role === 'events')) {
      const work = () => exportFile(context, vault, { link, file, totals }, goal);
      if (!(await naming(link.folder, work))) return { backupId, store: null };
    }
  }
  return { backupId, store: null };
}

interface EventFile {
  readonly link: ChainMember;
  readonly file: ManifestFile;
  readonly totals: Pick<Progress, 'totalEvents' | 'totalBytes'>;
}

/** Chunks that are JSON Lines already are copied; others are recoded, batch by batch. False when nobody reads on. */
async function exportFile(
  context: CommandContext,
  vault: Vault,
  { link, file, totals }: EventFile,
  { sink, done }: Goal,
): Promise<boolean> {
  const { folder, manifest } = link;
  const from = chunkCodec(manifest.format);
  const lines = chunkCodec('jsonl');
  const form = storedForm(link, file);
  const entries = await readIndex(vault, folder, file, form.seal);
  for await (const chunk of fetchChunks(vault, folder + file.name, entries, { signal: context.signal })) {
    const goesOn = await withPlain(chunk, form, (plain) => {
      const text = manifest.format === 'jsonl' ? plain : lines.encode(from.decode(plain));
      count(done, chunk.entry.records, text.length);
      return sink.write(text);
    });
    if (!goesOn) return false;
    context.progress.update({ ...done, ...totals });
  }
  return true;
}

const BATCH_BYTES = 2 << 20;

async function exportStore(
  context: CommandContext,
  store: EventStore,
  sink: ExportSink,
  done: Exported,
): Promise<SourceName> {
  const { signal } = context;
  const lines = chunkCodec('jsonl');
  const snapshot = await store.openSnapshot();
  try {
    const { events, bytes } = await snapshot.estimate();
    context.progress.step('exporting');
    for (const range of await snapshot.planRanges(1)) {
      for await (const batch of snapshot.readRange(range, { batchBytes: BATCH_BYTES, signal })) {
        throwIfAborted(signal);
        if (batch.count === 0) continue;
        const text = lines.encode(batch);
        if (!(await sink.write(text))) return { backupId: null, store: store.address };
        count(done, batch.count, text.length);
        context.progress.update({ ...done, totalEvents: events, totalBytes: bytes });
      }
    }
    return { backupId: null, store: store.address };
  } finally {
    await snapshot.close();
  }
}

function count(done: Exported, events: number, bytes: number): void {
  done.events += events;
  done.bytes += bytes;
}

function report(
  { output }: CommandContext,
  flags: ExportFlags,
  result: Exported & SourceName & { durationMs: number },
): void {
  const { backupId, store, events, bytes, durationMs } = result;
  if (flags.to === '-') return;
  output.document({ backupId, store, file: flags.to, as: flags.as, events, sizeBytes: bytes, durationMs });
  output.account([
    `${output.paint('good', 'Exported')} ${printable(backupId ?? store ?? '')}`,
    ...renderPairs([
      ['file', printable(flags.to)],
      ['events', formatCount(events)],
      ['size', formatBytes(bytes)],
      ['time', formatDuration(durationMs)],
    ]),
  ]);
}
