import { html } from 'hono/html';
import { formatBytes, formatCount, plural } from '../../core/units.ts';
import type { BackupDocument, HoldsDocument, ListDocument } from '../documents/backups.ts';
import type { ReadAnswer } from '../documents/read-answer.ts';
import { storeLink } from '../links.ts';
import { badge } from '../parts/badge.ts';
import { table } from '../parts/table.ts';
import { ago, instant, span } from '../parts/times.ts';
import type { Html } from '../route.ts';

export interface ChainsParts {
  readonly store: string;
  readonly backups: readonly BackupDocument[];
  /** What the other regions hold. */
  readonly copies: ReadonlyMap<string, ReadAnswer<ListDocument>>;
  readonly held: ReadAnswer<HoldsDocument>;
  readonly nowMs: number;
}

/** A chain of a page that is new stands open; of the others a line is enough until somebody looks. */
const OPEN_CHAINS = 1;

/** Each full backup with what builds on it, the newest chain first. */
export function chainCards(parts: ChainsParts): Html {
  if (parts.backups.length === 0) return html`<p class="empty">No backup is there yet.</p>`;
  const chains = [...Map.groupBy(parts.backups, ({ chain }) => chain.baseId)].toReversed();
  const places = placesOf(parts.copies);
  return html`<div class="chains">${chains.map(([baseId, members], i) => chainCard(parts, { baseId, members, places, isOpen: i < OPEN_CHAINS }))}</div>`;
}

interface ChainParts {
  readonly baseId: string;
  readonly members: readonly BackupDocument[];
  readonly places: Places;
  readonly isOpen: boolean;
}

function chainCard(parts: ChainsParts, { baseId, members, places, isOpen }: ChainParts): Html {
  const [first, last] = [members[0]!, members.at(-1)!];
  const bytes = members.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return html`<details class="chain" id="chain-${baseId}"${isOpen ? html` open` : ''}><summary><span class="chain-title">${instant(first.createdAt)} to ${last === first ? 'the same' : instant(last.createdAt)}</span><span class="chain-facts">${plural(members.length, 'backup')}, ${formatCount(last.chain.totalEvents)} events, ${formatBytes(bytes)}</span><span class="chain-state">${soundness(members)}</span></summary>
${chainTable(parts, members, places)}
</details>`;
}

function soundness(members: readonly BackupDocument[]): Html {
  const broken = members.filter(({ chainBroken }) => chainBroken !== null).length;
  if (broken > 0) return badge('bad', `${broken} cannot be used`);
  const unsound = members.filter(({ verifiedSound }) => verifiedSound === false).length;
  if (unsound > 0) return badge('bad', `${unsound} unsound`);
  const never = members.filter(({ verifiedAt }) => verifiedAt === null).length;
  if (never === members.length) return badge('faint', 'not verified yet');
  return never === 0 ? badge('good', 'verified') : badge('good', `verified, ${never} new`);
}

function chainTable(
  { store, held, nowMs }: ChainsParts,
  members: readonly BackupDocument[],
  places: Places,
): Html {
  const holds =
    held.state === 'read'
      ? new Set(held.document.holds.filter(({ ended }) => !ended).flatMap(({ covers }) => covers))
      : new Set();
  return table({
    caption: `Chain of the full backup ${members[0]!.chain.baseId}, the newest first`,
    columns: [
      ...[
        { title: 'Backup' },
        { title: 'State of' },
        { title: 'Events', numeric: true },
        { title: 'Size', numeric: true },
      ],
      ...[
        { title: 'Took', numeric: true },
        { title: 'Verified' },
        ...(places.size === 0 ? [] : [{ title: 'Also in' }]),
      ],
    ],
    rows: members
      .toReversed()
      .map((backup) => [
        html`<span class="link-name">${backup.kind === 'full' ? html`<span class="knot full"></span>` : html`<span class="knot"></span>`}<a href="${storeLink(store, 'backups', backup.backupId)}"><code>${backup.backupId.slice(0, 8)}</code></a> <span class="muted">${backup.kind === 'full' ? 'full' : 'incr.'}</span>${holds.has(backup.backupId) ? html` ${badge('faint', 'held')}` : ''}</span>`,
        instant(backup.createdAt),
        ...[
          (backup.kind === 'full' ? '' : '+') + formatCount(backup.totalEvents),
          formatBytes(backup.sizeBytes),
          span(backup.durationMs),
        ],
        verification(backup, nowMs),
        ...(places.size === 0 ? [] : [placeWords(places, backup.backupId)]),
      ]),
    empty: '',
  });
}

/** Whether a backup is sound, as far as anybody looked. */
export function verification(
  { chainBroken, verifiedAt, verifiedSound }: BackupDocument,
  nowMs: number,
): Html {
  if (chainBroken !== null)
    return html`${badge('bad', 'cannot be used')} <span class="muted">${chainBroken.message}</span>`;
  const when = verifiedAt === null ? '' : ago(nowMs - Date.parse(verifiedAt));
  if (verifiedSound === false) return html`${badge('bad', 'unsound')} ${when}`;
  return verifiedAt === null ? badge('faint', 'not yet') : html`${badge('good', 'sound')} ${when}`;
}

/** Ids of what each region holds; null: it could not be asked. */
type Places = ReadonlyMap<string, ReadonlySet<string> | null>;

function placesOf(copies: ReadonlyMap<string, ReadAnswer<ListDocument>>): Places {
  return new Map(
    [...copies].map(([region, answer]) => [
      region,
      answer.state === 'read' ? new Set(answer.document.backups.map(({ backupId }) => backupId)) : null,
    ]),
  );
}

function placeWords(places: Places, backupId: string): string {
  const words = [...places].flatMap(([region, ids]) =>
    ids === null ? [`${region}?`] : ids.has(backupId) ? [region] : [],
  );
  return words.length === 0 ? 'nowhere yet' : words.join(', ');
}
