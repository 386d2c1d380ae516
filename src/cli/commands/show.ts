import type { Command } from 'commander';
import { throwIfAborted } from '../../core/errors.ts';
import type { Manifest, Oddities } from '../../core/manifest.ts';
import type { Vault } from '../../core/vault.ts';
import { type CatalogEntry, findBackup, readCatalog } from '../../format/catalog.ts';
import { readHeads } from '../../format/line-files.ts';
import { backupDocument, formatName } from '../backup-names.ts';
import { requireAddress } from '../config.ts';
import { type CommandContext, type Start, withVault } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { renderPairs, renderTable } from '../table.ts';
import { formatBytes, formatCount, formatDuration, formatInstant, plural, printable } from '../units.ts';

export function addShowCommand(program: Command, start: Start): void {
  program
    .command('show')
    .description('say what one backup holds')
    .argument('<backup>', 'id of the backup, or its first characters (at least four)')
    .option('--streams', 'list its streams too, in the byte order of their names')
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore show 3f2a9c1e',
          'eventcore show 3f2a9c1e --streams',
          'eventcore show 3f2a9c1e --json | jq .eventRange',
        ],
        [0, 2, 3, 4, 6],
      ),
    )
    .action((wanted: string, options: { streams?: true }) =>
      start((context) => show(context, wanted, options.streams === true)),
    );
}

async function show(context: CommandContext, wanted: string, withStreams: boolean): Promise<number> {
  const { output } = context;
  await withVault(requireAddress(await context.settings(), 'vault'), { create: false }, async (vault) => {
    const entry = findBackup(await readCatalog(vault), wanted);
    const document = { vault: vault.address, folder: entry.folder, ...showDocument(entry) };
    if (!withStreams) output.document(document);
    output.answer(showLines(entry.manifest, vault.address, output.paint));
    if (withStreams) await writeStreams(context, vault, entry, document);
  });
  return 0;
}

function showDocument({ manifest, manifestBytes }: CatalogEntry): Record<string, unknown> {
  return {
    ...backupDocument(manifest),
    headsDigest: manifest.headsDigest,
    manifestBytes,
    files: manifest.files,
  };
}

function showLines(manifest: Manifest, vault: string, paint: CommandContext['output']['paint']): string[] {
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
      ['events', `${formatCount(manifest.totalEvents)} in ${plural(manifest.totalStreams, 'stream')}`],
      ...range,
      ['size', `${formatBytes(manifest.sizeBytes)}, ${formatBytes(manifest.plainBytes)} before compression`],
      ['format', `${formatName(manifest)}${levelText}, ${manifest.sealed ? 'sealed' : 'not sealed'}`],
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
  vault: Vault,
  { folder, manifest }: CatalogEntry,
  document: Record<string, unknown>,
): Promise<void> {
  const title = `\n  ${'EVENTS'.padStart(12)}  ${'VERSIONS'.padEnd(24)}  STREAM\n`;
  const opening = output.isJson ? `${JSON.stringify(document).slice(0, -1)},"streams":[` : title;
  let parts = [opening];
  let written = 0;
  for await (const head of readHeads(vault, folder, manifest)) {
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
