import { html } from 'hono/html';
import { formatCount, plural } from '../../core/units.ts';
import { commandLine } from '../command-line.ts';
import type { STANDINGS, StreamHistoryDocument, StreamPointDocument } from '../documents/streams.ts';
import { pointLink } from '../links.ts';
import { notice } from '../parts/answer.ts';
import { badge, type Tone } from '../parts/badge.ts';
import { commandBox } from '../parts/command-box.ts';
import { facts } from '../parts/facts.ts';
import { table } from '../parts/table.ts';
import { instant, instantAgo } from '../parts/times.ts';
import type { ConsoleStore } from '../ports.ts';
import { optionWords } from '../restore-form.ts';
import type { Html, Visit } from '../route.ts';
import { backupLink } from './restore-chain.ts';

type Standing = (typeof STANDINGS)[number];

const STANDING_WORDS: Readonly<Record<Standing, readonly [Tone, string]>> = {
  same: ['good', 'The store has what the newest backup has.'],
  ahead: ['good', 'The store has all that the newest backup has, and went on since.'],
  new: ['good', 'The store has it; no backup has it yet.'],
  behind: ['bad', 'The store ends before the newest backup does: events of it are missing at its end.'],
  gone: ['bad', 'The store has it no more.'],
  differs: ['bad', 'The store has other events than the newest backup, or misses some in between.'],
  absent: ['faint', 'Neither the store nor the newest backup has it.'],
  unknown: ['warning', 'How the store stands to it is not known.'],
};

/** One stream, backup by backup. No event of it is shown: how to see them is. */
export function historyBody(visit: Visit, store: ConsoleStore, found: StreamHistoryDocument): Html {
  const { streamId, history, omitted, standing } = found;
  const unknown = history.filter(({ state }) => state === 'unknown');
  return html`${notice(...STANDING_WORDS[standing])}
${onlyInBackups(store, found)}
${facts(liveFacts(visit, found))}
${unknown.length === 0 ? '' : notice('warning', unknownText(unknown))}
${historyTable(store, found)}
${omitted === 0 ? '' : html`<p class="muted">and ${plural(omitted, 'older backup')} that were not looked into</p>`}
${standing === 'differs' || standing === 'behind' || standing === 'gone' ? comparing(store, streamId) : ''}
${restoring(store, streamId)}`;
}

function onlyInBackups(
  { name }: ConsoleStore,
  { onlyInBackups: only, streamId }: StreamHistoryDocument,
): Html {
  if (only === null) return html``;
  const { fromVersion, toVersion, backupId } = only;
  const link = pointLink(name, { kind: 'backup', value: backupId, streams: [streamId] });
  return notice(
    'warning',
    html`Only backups have ${fromVersion === toVersion ? `version ${fromVersion}` : `versions ${fromVersion} to ${toVersion}`}: all of them are in backup ${backupLink(name, backupId)}. <a href="${link}">What it takes to restore them</a>`,
  );
}

function liveFacts(visit: Visit, { store }: StreamHistoryDocument): (readonly [string, Html | string])[] {
  if (store === null) return [['In the store', 'the configuration names none']];
  if (store.state === 'absent') return [['In the store', 'no such stream']];
  if (store.state === 'unknown') return [['In the store', store.problem?.message ?? 'not known']];
  return [
    ['In the store', `${plural(store.events ?? 0, 'event')}, versions ${versionsText(store)}`],
    ['Its last event', lastCell(store)],
    ...(store.lastEventMadeAt == null
      ? []
      : [['Made', madeText(store.lastEventMadeAt, visit.ports.now())] as const]),
  ];
}

/** What an id says need not be a time of any calendar. */
function madeText(time: string, nowMs: number): Html {
  return Number.isNaN(Date.parse(time)) ? instant(time) : instantAgo(time, nowMs);
}

function historyTable({ name }: ConsoleStore, { history, streamId }: StreamHistoryDocument): Html {
  return table({
    caption: 'What each backup has of it, the newest first',
    isCaptionShown: true,
    columns: [
      { title: 'State of' },
      { title: 'Events', numeric: true },
      { title: 'Versions', numeric: true },
      { title: 'Last event, and when its id was made' },
      { title: 'Backup' },
      { title: 'Restore' },
    ],
    rows: history.map((point) => [
      instant(point.createdAt),
      ...headCells(point),
      html`${backupLink(name, point.backupId)} <span class="muted">${point.kind}</span>`,
      point.state === 'held'
        ? html`<a href="${pointLink(name, { kind: 'backup', value: point.backupId, streams: [streamId] })}">as of then<span class="unseen">, ${point.createdAt}</span></a>`
        : '',
    ]),
    empty: 'There is no backup yet.',
  });
}

function headCells(point: StreamPointDocument): (Html | string)[] {
  if (point.state === 'absent') return ['', html`<span class="muted">not there</span>`, ''];
  if (point.state === 'unknown') return ['', badge('warning', 'not known'), ''];
  const { events, isChanged, lastEventMadeAt, gaps, duplicates } = point;
  const odd = (gaps?.length ?? 0) + (duplicates ?? 0) > 0;
  const made = lastEventMadeAt == null ? '' : html`<p class="muted">${instant(lastEventMadeAt)}</p>`;
  return [
    formatCount(events ?? 0),
    html`${versionsText(point)}${odd ? html` ${badge('warning', 'with gaps or doubles, as the store had')}` : ''}`,
    isChanged ? html`${lastCell(point)}${made}` : html`<span class="muted">nothing new in this backup</span>`,
  ];
}

interface Head {
  readonly firstVersion?: number | undefined;
  readonly lastVersion?: number | undefined;
  readonly lastEventId?: string | undefined;
}

function versionsText({ firstVersion, lastVersion }: Head): string {
  return firstVersion === lastVersion ? `${firstVersion}` : `${firstVersion}–${lastVersion}`;
}

function lastCell({ lastEventId }: Head): Html {
  return html`<code class="event-id">${lastEventId ?? ''}</code>`;
}

/** What is wrong with many of them is mostly the same. */
function unknownText(unknown: readonly StreamPointDocument[]): string {
  const [first] = unknown;
  const why = first?.problem?.message ?? '';
  const hint = first?.problem?.hint ?? null;
  return `${plural(unknown.length, 'backup')} could not be looked into: ${why}${unknown.length === 1 ? '' : ', and the like'}.${hint === null ? '' : ` To see them: ${hint}.`}`;
}

function comparing(store: ConsoleStore, streamId: string): Html {
  return html`<h3>Which events differ</h3><p>Ids, types and times of the events on both sides; <code>--payloads</code> shows where payloads part:</p>
${commandBox(commandLine(store, 'diff', ...optionWords('--stream', streamId), '--events'))}`;
}

/** Stands in a command for what only its reader knows. */
const PLACE = 'STORE';

function restoring(store: ConsoleStore, streamId: string): Html {
  const words = optionWords('--stream', streamId);
  const link = pointLink(store.name, { kind: 'newest', value: '', streams: [streamId] });
  return html`<h3>Bring it back</h3>
<p><a href="${link}">Choose a point, and see what it takes</a>, or by hand: into a new store,</p>
${commandBox(commandLine(store, 'restore', '--to', PLACE, ...words))}
<p>or only what a store in use lacks of it; first what that would add:</p>
${commandBox(commandLine(store, 'restore', '--to', PLACE, ...words, '--merge', '--dry-run'))}`;
}
