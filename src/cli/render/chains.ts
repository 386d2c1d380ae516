import { formatBytes, formatCount, formatInstant, plural, printable } from '../../core/units.ts';
import type { Catalog, CatalogEntry } from '../../format/catalog.ts';
import { type ChainBreak, followChain, isBroken } from '../../format/chain.ts';
import { stateOfBackup, type VerifiedMemory, type VerifiedState } from '../../policy/verified-memory.ts';
import { formatName, shortIds } from '../backup/names.ts';
import type { Paint } from '../output.ts';
import { type Column, renderTable } from './table.ts';
import { verifiedText } from './verified.ts';

/** A backup of a vault, and what keeps it from being used. */
export interface ListedBackup {
  readonly entry: CatalogEntry;
  readonly broken: ChainBreak | null;
  readonly verified: VerifiedState;
}

export function listBackups(catalog: Catalog, memory: VerifiedMemory): ListedBackup[] {
  return catalog.backups.map((entry) => {
    const chain = followChain(catalog, entry);
    return { entry, broken: isBroken(chain) ? chain : null, verified: stateOfBackup(memory, entry) };
  });
}

const COLUMNS: Column[] = [
  { title: 'BACKUP' },
  { title: 'KIND' },
  { title: 'TAKEN (UTC)' },
  { title: 'EVENTS', align: 'right' },
  { title: 'STREAMS', align: 'right' },
  { title: 'SIZE', align: 'right' },
  { title: 'FORMAT' },
];

function columnsFor(backups: readonly ListedBackup[]): Column[] {
  const isKnown = backups.some(({ verified }) => verified.verifiedAtMs !== null || verified.isSound !== null);
  return [...COLUMNS, { title: isKnown ? 'VERIFIED (UTC)' : '' }];
}

/** Each full backup, and under it, by time, what builds on it. What is broken is marked, and said below. */
export function chainLines(backups: readonly ListedBackup[], paint: Paint): string[] {
  const short = shortIds(backups.flatMap((backup) => [idOf(backup), baseOf(backup)]));
  const rows = [...Map.groupBy(backups, baseOf)].flatMap(([baseId, members]) => {
    const base = members.find((member) => idOf(member) === baseId);
    const others = members.filter((member) => member !== base);
    const top = base === undefined ? lostBase(short.get(baseId)!, paint) : row(base, short, paint);
    return [
      top,
      ...others.map((other, i) => branchRow(other, [baseId, ...others.map(idOf)], i, short, paint)),
    ];
  });
  return [...renderTable(columnsFor(backups), rows), ...brokenLines(backups, paint)];
}

const idOf = ({ entry }: ListedBackup): string => entry.manifest.backupId;
const baseOf = (backup: ListedBackup): string => backup.entry.manifest.chain?.baseId ?? idOf(backup);

type ShortIds = ReadonlyMap<string, string>;

function row(
  { entry: { manifest }, broken, verified }: ListedBackup,
  short: ShortIds,
  paint: Paint,
): string[] {
  const sign = manifest.kind === 'full' ? '' : '+';
  return [
    short.get(manifest.backupId)!,
    broken === null ? manifest.kind : paint('bad', `${manifest.kind}, broken`),
    formatInstant(manifest.createdAt).replace(' UTC', ''),
    sign + formatCount(manifest.totalEvents),
    formatCount(manifest.totalStreams),
    formatBytes(manifest.sizeBytes),
    formatName(manifest),
    verifiedText(verified, paint).replace(' UTC', ''),
  ];
}

/** `rows` has the ids of the chain's rows, the full backup first: what does not build on the row above says on what. */
function branchRow(
  backup: ListedBackup,
  rows: readonly string[],
  at: number,
  short: ShortIds,
  paint: Paint,
): string[] {
  const [id, kind, ...rest] = row(backup, short, paint) as [string, string, ...string[]];
  const { parentId } = backup.entry.manifest;
  const fork = parentId === rows[at] ? '' : ` on ${short.get(parentId!) ?? parentId}`;
  return [`${at + 2 === rows.length ? '└' : '├'} ${id}`, kind + fork, ...rest];
}

function lostBase(id: string, paint: Paint): string[] {
  return [id, paint('bad', 'full, not usable'), ...COLUMNS.slice(1).map(() => '')];
}

function brokenLines(backups: readonly ListedBackup[], paint: Paint): string[] {
  const broken = backups.filter((backup) => backup.broken !== null);
  if (broken.length === 0) return [];
  return [
    '',
    paint('bad', `${plural(broken.length, 'backup')} that cannot be used, because a chain is broken`),
    ...broken.map((backup) => `  ${idOf(backup)}  ${printable(backup.broken!.message)}`),
    '  Take the missing link from another copy of this vault; until then restore from another backup.',
  ];
}
