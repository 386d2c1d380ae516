import { html } from 'hono/html';
import { formatBytes, formatCount, formatDuration, plural } from '../../core/units.ts';
import { commandLine } from '../command-line.ts';
import { type ShowDocument, showDocument } from '../documents/backups.ts';
import { readAnswer } from '../documents/read-answer.ts';
import { storeLink, withQuery } from '../links.ts';
import { actionForm } from '../parts/action-form.ts';
import { notice, unanswered } from '../parts/answer.ts';
import { badge } from '../parts/badge.ts';
import { commandBox } from '../parts/command-box.ts';
import { facts } from '../parts/facts.ts';
import { section } from '../parts/section.ts';
import { table } from '../parts/table.ts';
import { instant, instantAgo } from '../parts/times.ts';
import type { ConsoleStore } from '../ports.ts';
import type { Html, Reply, Route, Visit } from '../route.ts';
import { storePage } from '../store-page.ts';
import { verification } from './chains.ts';

export const backupRoutes: readonly Route[] = [
  { method: 'GET', path: '/stores/:store/backups/:id', role: 'viewer', handle: backupPage },
  { method: 'POST', path: '/stores/:store/backups/:id/verify', role: 'operator', handle: verifyBackup },
];

/** A backup never changes; when it was verified does. */
const MAX_AGE_MS = 60_000;
/** The beginning of an id, as people type it. */
const ID = /^[0-9a-f-]{4,36}$/;

function backupPage(visit: Visit): Promise<Reply> {
  const id = visit.param('id');
  return storePage(visit, async (store) => {
    if (!ID.test(id))
      return {
        title: 'No such backup',
        section: 'backups',
        status: 404,
        body: html`<p class="lead">That is no id of a backup.</p>`,
      };
    const answer = readAnswer(
      await visit.ports.ask({ store: store.name, words: ['show', id], maxAgeMs: MAX_AGE_MS }),
      showDocument,
    );
    const title = `Backup ${id.slice(0, 8)}`;
    if (answer.state === 'read')
      return { title, section: 'backups', body: backupBody(visit, store, answer.document) };
    const isMissing = answer.state === 'failed' && answer.code === 'backup_not_found';
    return {
      title,
      section: 'backups',
      status: isMissing ? 404 : 200,
      body: html`<div id="backup" data-live>${unanswered(answer)}</div>`,
    };
  });
}

function backupBody(visit: Visit, store: ConsoleStore, backup: ShowDocument): Html {
  const nowMs = visit.ports.now();
  return html`<div class="hero" id="backup" data-live>
<p class="headline">${headline(backup)}</p>
<p class="more">Taken in ${formatDuration(backup.durationMs)} by ${backup.software}, from ${backup.source.kind} ${backup.source.serverVersion}, layout ${backup.source.layout}.</p>
${backup.chainBroken === null ? '' : notice('bad', `It cannot be used: ${backup.chainBroken.message}`)}
</div>
${buttons(visit, store.name, backup)}
${section('What is known of it', facts(factsOf(backup, nowMs)), { id: 'facts', live: true })}
${section('Chain', chain(store.name, backup))}
${section('Files', files(backup))}
${section('By hand', byHand(store, backup))}`;
}

function headline({ kind, createdAt, totalEvents, totalStreams, chain }: ShowDocument): Html {
  const inAll = `${plural(chain.totalEvents, 'event')} in ${plural(chain.totalStreams, 'stream')}`;
  return kind === 'full'
    ? html`It brings back the state of ${instant(createdAt)}: ${inAll}.`
    : html`It adds ${plural(totalEvents, 'event')} in ${plural(totalStreams, 'stream')} and, with what it builds on, brings back the state of ${instant(createdAt)}: ${inAll}.`;
}

function buttons(visit: Visit, store: string, { backupId }: ShowDocument): Html {
  const restore = withQuery(storeLink(store, 'restore'), { backup: backupId });
  const verify =
    visit.who.role === 'operator'
      ? actionForm({ visit, button: 'Verify it', action: `${storeLink(store, 'backups', backupId)}/verify` })
      : '';
  return html`<div class="buttons">${verify}<a class="button" href="${restore}">Restore this…</a></div>`;
}

function factsOf(backup: ShowDocument, nowMs: number): (readonly [string, Html | string])[] {
  const { eventRange, sizeBytes, plainBytes, sealed, signer } = backup;
  const { format, compression } = backup;
  return [
    ['Id', html`<code>${backup.backupId}</code>`],
    ['State of', instantAgo(backup.createdAt, nowMs)],
    ['Verified', verification(backup, nowMs)],
    ...(eventRange === null
      ? []
      : [
          [
            'Recorded',
            html`${instant(eventRange.earliestEvent)} to ${instant(eventRange.latestEvent)}`,
          ] as const,
          ['Versions', `${eventRange.earliestVersion} to ${eventRange.latestVersion}`] as const,
        ]),
    ['Size', `${formatBytes(sizeBytes)}, ${formatBytes(plainBytes)} before compression`],
    ['Format', compression === 'none' ? format : `${format}, ${compression}`],
    ['Sealed', sealed ? badge('good', 'sealed') : badge('faint', 'not sealed')],
    ['Signed', signer === null ? 'no' : html`by <code>${signer}</code>`],
    ['Checksum', html`<code>${backup.checksum}</code>`],
    ...Object.entries(backup.oddities)
      .filter(([, count]) => count > 0)
      .map(
        ([oddity, count]) => ['As in the store itself', `${formatCount(count)} ${words(oddity)}`] as const,
      ),
  ];
}

/** `missingVersions` as `missing versions`. */
function words(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function chain(store: string, { links, backupId, chain: { length } }: ShowDocument): Html {
  if (links === null) return html`<p>It is broken: see above.</p>`;
  return html`<p>${length === 1 ? 'It stands alone.' : `${plural(length, 'backup')} bring it back, this one included, in this order:`}</p>
<ol class="links">${links.map((id) => (id === backupId ? html`<li><code aria-current="true">${id.slice(0, 8)}</code></li>` : html`<li><a href="${storeLink(store, 'backups', id)}"><code>${id.slice(0, 8)}</code></a></li>`))}</ol>`;
}

const ROLES: Readonly<Record<string, string>> = {
  events: 'events',
  heads: 'heads of streams',
  companions: 'rows beside the events',
  memory: 'heads for the host that wrote it',
};

function files({ files: all, folder }: ShowDocument): Html {
  return html`${table({
    caption: `Files in ${folder}`,
    isCaptionShown: true,
    columns: [
      { title: 'File' },
      { title: 'Holds' },
      { title: 'Records', numeric: true },
      { title: 'Chunks', numeric: true },
      { title: 'Size', numeric: true },
    ],
    rows: all.map(({ name, role, records, chunks, sizeBytes }) => [
      html`<code>${name}</code>`,
      ...[ROLES[role] ?? role, formatCount(records), formatCount(chunks), formatBytes(sizeBytes)],
    ]),
    empty: 'It holds no file.',
  })}`;
}

/** The second one needs nothing of this program. */
function byHand(store: ConsoleStore, { backupId, sealed }: ShowDocument): Html {
  const identity = sealed ? ' --identity KEY-FILE' : '';
  return html`<p>All of it, and its streams:</p>${commandBox(commandLine(store, 'show', backupId, '--streams'))}
<p>Its events as JSON Lines with nothing but Node and the four files of <code>rescue/</code>, where the vault is a directory:</p>${commandBox(`node rescue/rescue.mjs VAULT --backup ${backupId}${identity} --out events.jsonl`)}`;
}

function verifyBackup(visit: Visit): Promise<Reply> | Reply {
  const { ports, param, who } = visit;
  const [store, id] = [param('store'), param('id')];
  if (!ID.test(id)) return backupPage(visit);
  const start = ports.actions.verify(store, id, who.name);
  if (start.state === 'started')
    return { kind: 'redirect', to: `/operations/${encodeURIComponent(start.operationId)}` };
  return storePage(visit, ({ name }) => ({
    ...{ title: 'Not verified', section: 'backups', status: 409 },
    body: html`${notice('warning', html`${start.message} ${start.hint}`)}<p><a href="${storeLink(name, 'backups', id)}">Back to the backup</a></p>`,
  }));
}
