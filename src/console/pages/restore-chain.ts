import { html } from 'hono/html';
import type { StatusBackup } from '../../core/status.ts';
import { formatBytes, formatCount } from '../../core/units.ts';
import { storeLink } from '../links.ts';
import { badge } from '../parts/badge.ts';
import { table } from '../parts/table.ts';
import { instant } from '../parts/times.ts';
import type { ConsoleStore } from '../ports.ts';
import type { Html } from '../route.ts';

/** More links than this are folded away. */
const MOST_OPEN = 8;

/** The backups that a restore loads, oldest first. */
export function chainTable({ name, status }: ConsoleStore, chain: readonly string[]): Html {
  const known = new Map((status?.backups ?? []).map((backup) => [backup.backupId, backup]));
  const body = table({
    caption: 'Backups that are loaded, in this order',
    isCaptionShown: true,
    columns: [
      ...[{ title: 'Backup' }, { title: 'Kind' }, { title: 'State of' }],
      ...[{ title: 'Events', numeric: true }, { title: 'Size', numeric: true }, { title: 'Verified' }],
    ],
    rows: chain.map((backupId) => chainRow(name, backupId, known.get(backupId))),
    empty: 'None.',
  });
  if (chain.length <= MOST_OPEN) return body;
  return html`<details><summary>The chain: ${formatCount(chain.length)} backups, from <code>${chain[0]!.slice(0, 8)}</code> to <code>${chain.at(-1)!.slice(0, 8)}</code></summary>${body}</details>`;
}

function chainRow(store: string, backupId: string, backup: StatusBackup | undefined): (Html | string)[] {
  const link = backupLink(store, backupId);
  if (backup === undefined)
    return [link, '', html`<span class="muted">its page says more</span>`, '', '', ''];
  const { kind, stateAt, events, sizeBytes } = backup;
  return [link, kind, instant(stateAt), formatCount(events), formatBytes(sizeBytes), verifiedBadge(backup)];
}

export function backupLink(store: string, backupId: string): Html {
  return html`<a href="${storeLink(store, 'backups', backupId)}"><code>${backupId.slice(0, 8)}</code></a>`;
}

function verifiedBadge({ verifiedAt, isSound }: StatusBackup): Html {
  if (verifiedAt === null) return badge('faint', 'not yet');
  return isSound === false ? badge('bad', 'unsound') : html`${badge('good', 'sound')} ${instant(verifiedAt)}`;
}
