import type { Command } from 'commander';
import { BackupError, throwIfAborted } from '../../core/errors.ts';
import type { ChangeMethod, Manifest, Oddities } from '../../core/manifest.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatInstant,
  plural,
  printable,
} from '../../core/units.ts';
import type { Vault } from '../../core/vault.ts';
import { type CatalogEntry, findBackup, readCatalog } from '../../format/catalog.ts';
import {
  type Chain,
  type ChainBreak,
  followChain,
  isBroken,
  newestRestorePoint,
  requireChain,
} from '../../format/chain.ts';
import { readChainHeads } from '../../format/chain-heads.ts';
import { listHeads } from '../../format/find-heads.ts';
import type { HeadLine } from '../../format/heads.ts';
import { openChain } from '../../format/open-bundle.ts';
import { stateOfBackup, type VerifiedState } from '../../policy/verified-memory.ts';
import { wholeNumber } from '../arguments.ts';
import { backupDocument, formatName } from '../backup/names.ts';
import { type CommandContext, type Start, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { addIdentityOptions, type KeyFlags, loadKeys } from '../keys/keys.ts';
import { addRegionOption, type RegionFlags, vaultToRead } from '../regions.ts';
import { cutPairs } from '../render/cuts.ts';
import { renderPairs, renderTable } from '../render/table.ts';
import { verifiedDocument, verifiedText } from '../render/verified.ts';
import { refuseArchived } from '../restore/recalls.ts';
import { readMemory } from '../verify/verified.ts';
import { systemClock } from '../wire.ts';
import { HISTORY_BACKUPS, showStream } from './show-stream.ts';

export function addShowCommand(program: Command, start: Start): void {
  const command = program
    .command('show')
    .description('say what one backup holds, or what backups and store have of one stream')
    .argument(
      '[backup]',
      'id of the backup, or its first characters (at least four); --streams and --stream do without',
    )
    .option(
      '--streams',
      'list its streams too (of an incremental one: of all its chain), in the byte order of their names',
    )
    .option('--prefix <text>', 'with --streams: only those whose names begin so')
    .option(
      '--stream <id>',
      'what each backup has of this stream, and the store; base64:… for a name that is no UTF-8',
    )
    .option(
      '--limit <n>',
      `streams to list, or backups to look into (default: all, and ${HISTORY_BACKUPS})`,
      wholeNumber(LIMIT.least, LIMIT.most),
    )
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore show 3f2a9c1e',
          'eventcore show 3f2a9c1e --streams',
          'eventcore show 3f2a9c1e --json | jq .eventRange',
          'eventcore show --streams --prefix order- --limit 20',
          'eventcore show --stream order-17',
        ],
        [0, 2, 3, 4, 6, 8, 10],
      ),
    )
    .action((wanted: string | undefined, flags: ShowFlags) =>
      start((context) => show(context, wanted, flags)),
    );
  addIdentityOptions(addRegionOption(command));
}

interface ShowFlags extends KeyFlags, RegionFlags {
  readonly streams?: true;
  readonly stream?: string;
  readonly prefix?: string;
  readonly limit?: number;
}

const LIMIT = { least: 1, most: 10_000 } as const;

async function show(context: CommandContext, wanted: string | undefined, flags: ShowFlags): Promise<number> {
  assertFlags(wanted, flags);
  const settings = await context.settings();
  return withVault(vaultToRead(context, settings, flags), { create: false }, async (vault) => {
    await refuseArchived(context, vault, 'manifests', {});
    const { stream } = flags;
    if (stream !== undefined) return showStream(context, vault, wanted, { ...flags, stream });
    return showBackup(context, vault, wanted, flags);
  });
}

function assertFlags(wanted: string | undefined, { streams, stream, prefix, limit }: ShowFlags): void {
  const wrong =
    stream !== undefined && (streams || prefix !== undefined)
      ? '--stream shows one stream, --streams lists them'
      : prefix !== undefined && !streams
        ? '--prefix says which of --streams are listed'
        : limit !== undefined && !streams && stream === undefined
          ? '--limit goes with --streams or --stream'
          : wanted === undefined && stream === undefined && !streams
            ? 'no backup is named'
            : null;
  if (wrong === null) return;
  throw new BackupError('usage', wrong, {
    hint: 'name a backup (`eventcore list` shows them), a stream with --stream ID, or --streams with --prefix TEXT',
  });
}

async function showBackup(
  context: CommandContext,
  vault: Vault,
  wanted: string | undefined,
  flags: ShowFlags,
): Promise<number> {
  const { output } = context;
  const catalog = await readCatalog(vault);
  const newest = (): string => newestRestorePoint(catalog, vault.address).chain.at(-1)!.manifest.backupId;
  const entry = findBackup(catalog, wanted ?? newest());
  const chain = followChain(catalog, entry);
  const streams = flags.streams ? await streamsOf(context, vault, requireChain(catalog, entry), flags) : null;
  const verified = stateOfBackup(await readMemory(vault, systemClock.now()), entry);
  const document = {
    ...{ vault: vault.address, folder: entry.folder, ...showDocument(entry, chain) },
    ...verifiedDocument(verified),
    ...(streams === null ? {} : { hasMoreStreams: streams.hasMore }),
  };
  if (streams === null) output.document(document);
  output.answer(showLines(entry.manifest, chain, { vault: vault.address, verified, paint: output.paint }));
  if (streams === null) return 0;
  await writeStreams(context, streams.heads, document);
  if (streams.hasMore) output.answer(['  and more: see --limit']);
  return 0;
}

interface ShownStreams {
  readonly heads: AsyncIterable<HeadLine> | Iterable<HeadLine>;
  /** There are more than these. */
  readonly hasMore: boolean;
}

/** All streams of a chain; or of those whose names begin so, the first ones: few chunks are read for that. */
async function streamsOf(
  context: CommandContext,
  vault: Vault,
  found: Chain,
  flags: ShowFlags,
): Promise<ShownStreams> {
  const settings = await context.settings();
  const chain = await openChain(vault, found, await loadKeys(settings, flags, context), 'heads');
  const { prefix, limit } = flags;
  if (prefix === undefined && limit === undefined)
    return { heads: readChainHeads(vault, chain), hasMore: false };
  return listHeads(vault, chain, { prefix: Buffer.from(prefix ?? ''), limit: limit ?? LIMIT.most });
}

function showDocument(
  { manifest, manifestBytes }: CatalogEntry,
  chain: Chain | ChainBreak,
): Record<string, unknown> {
  return {
    ...backupDocument(manifest),
    links: isBroken(chain) ? null : chain.map((link) => link.manifest.backupId),
    chainBroken: isBroken(chain) ? chain : null,
    headsDigest: manifest.headsDigest,
    manifestBytes,
    files: manifest.files,
  };
}

function showLines(
  manifest: Manifest,
  chain: Chain | ChainBreak,
  {
    vault,
    verified,
    paint,
  }: { vault: string; verified: VerifiedState; paint: CommandContext['output']['paint'] },
): string[] {
  const { store, eventRange, durationMs, cursor } = manifest;
  const range = eventRange === null ? [] : [['recorded', rangeText(eventRange)] as const];
  const levelText = manifest.level === null ? '' : ` at level ${manifest.level}`;
  return [
    paint('strong', `${manifest.kind} backup ${manifest.backupId}`),
    ...renderPairs([
      ['vault', printable(vault)],
      [
        'taken',
        `${formatInstant(manifest.createdAt)}, in ${formatDuration(durationMs)}, by ${manifest.software}`,
      ],
      [
        'from',
        `${store.kind} ${store.serverVersion}, layout ${store.layout}, first version ${store.versionBase}`,
      ],
      [
        manifest.kind === 'full' ? 'events' : 'new events',
        `${formatCount(manifest.totalEvents)} in ${plural(manifest.totalStreams, 'stream')}`,
      ],
      ...chainPairs(manifest, chain, paint),
      ...range,
      ...cutPairs(cursor),
      ['size', `${formatBytes(manifest.sizeBytes)}, ${formatBytes(manifest.plainBytes)} before compression`],
      ['format', `${formatName({ ...manifest, sealed: false })}${levelText}`],
      ['sealed', manifest.sealing === undefined ? 'no' : `yes, with key ${manifest.sealing.keyId}`],
      ['verified', verifiedText(verified, paint) || 'no verification is remembered'],
      ['signed', manifest.signature === undefined ? 'no' : `by ${manifest.signature.signer}`],
      [
        'cursor',
        printable(
          Object.entries(cursor)
            .map(([name, value]) => `${name} ${value}`)
            .join(', '),
        ),
      ],
      ['checksum', manifest.checksum],
      ...oddityPairs(manifest.oddities),
    ]),
    '',
    ...renderTable(
      [
        { title: 'FILE' },
        { title: 'RECORDS', align: 'right' },
        { title: 'CHUNKS', align: 'right' },
        { title: 'SIZE', align: 'right' },
      ],
      manifest.files.map((file) => [
        file.name,
        formatCount(file.records),
        formatCount(file.chunks),
        formatBytes(file.sizeBytes),
      ]),
    ),
  ];
}

const METHOD_WORDS: Readonly<Record<ChangeMethod, string>> = {
  transactions: 'by transaction numbers',
  rows: 'by row numbers',
  heads: 'stream by stream',
};

/** What an incremental backup adds to, and what the two bring back together. */
function chainPairs(
  { parentId, chain: link }: Manifest,
  chain: Chain | ChainBreak,
  paint: CommandContext['output']['paint'],
): [string, string][] {
  if (link === undefined) return [];
  const { baseId, length, totalEvents, totalStreams, method } = link;
  const inAll = `${plural(totalEvents, 'event')} in ${plural(totalStreams, 'stream')}`;
  return [
    ['added to', `${parentId}, found ${METHOD_WORDS[method] ?? method}`],
    ['chain', `${plural(length, 'backup')}, from the full backup ${baseId} on: ${inAll}`],
    ...(isBroken(chain)
      ? [['', paint('bad', `broken: ${printable(chain.message)}`)] as [string, string]]
      : []),
  ];
}

function rangeText(range: NonNullable<Manifest['eventRange']>): string {
  const { earliestEvent, latestEvent, earliestVersion, latestVersion } = range;
  const times = `${formatInstant(earliestEvent)} to ${formatInstant(latestEvent)}`;
  return `${times}, versions ${earliestVersion} to ${latestVersion}`;
}

const ODDITY_WORDS: Record<keyof Oddities, string> = {
  missingVersions: 'versions missing inside streams',
  duplicateVersions: 'doubled versions',
  oddFirstVersions: 'streams that do not start at the first version',
  emptyFields: 'events with an empty id, stream or type',
  belowBase: 'events below the first version',
  futureTimes: 'events recorded in the future',
};

function oddityPairs(oddities: Oddities): [string, string][] {
  const found = (Object.keys(ODDITY_WORDS) as (keyof Oddities)[]).filter((key) => oddities[key] > 0);
  return found.map((key, i) => [
    i === 0 ? 'oddities' : '',
    `${formatCount(oddities[key])} ${ODDITY_WORDS[key]}, as in the store itself`,
  ]);
}

/** Written line by line: there may be millions of streams. */
async function writeStreams(
  { output, signal }: CommandContext,
  streams: ShownStreams['heads'],
  document: Record<string, unknown>,
): Promise<void> {
  const title = `\n  ${'EVENTS'.padStart(12)}  ${'VERSIONS'.padEnd(24)}  STREAM\n`;
  const opening = output.isJson ? `${JSON.stringify(document).slice(0, -1)},"streams":[` : title;
  let parts = [opening];
  let written = 0;
  for await (const head of streams) {
    if (output.isJson) parts.push(written === 0 ? '' : ',', JSON.stringify(head));
    else {
      const versions = `${head.firstVersion}–${head.lastVersion}`;
      parts.push(
        `  ${formatCount(head.events).padStart(12)}  ${versions.padEnd(24)}  ${printable(head.streamId)}\n`,
      );
    }
    written += 1;
    if (written % LINES_AT_ONCE !== 0) continue;
    throwIfAborted(signal);
    if (!(await output.write(parts.join('')))) return;
    parts = [];
  }
  await output.write(parts.join('') + (output.isJson ? ']}\n' : ''));
}

const LINES_AT_ONCE = 1000;
