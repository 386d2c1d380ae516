import { html } from 'hono/html';
import { formatCount, plural } from '../../core/units.ts';
import { commandLine } from '../command-line.ts';
import { readAnswer } from '../documents/read-answer.ts';
import { type StoreDiffDocument, storeDiff } from '../documents/streams.ts';
import { storeLink } from '../links.ts';
import { notice, unanswered } from '../parts/answer.ts';
import { badge, type Tone } from '../parts/badge.ts';
import { commandBox } from '../parts/command-box.ts';
import { facts } from '../parts/facts.ts';
import { sentence } from '../parts/prose.ts';
import { section } from '../parts/section.ts';
import { table } from '../parts/table.ts';
import { instant, instantAgo } from '../parts/times.ts';
import type { ConsoleStore } from '../ports.ts';
import type { Html, Visit } from '../route.ts';
import { backupLink } from './restore-chain.ts';
import { streamNameLink } from './restore-plan.ts';

/** Streams that are listed; all are counted. */
const MOST_LISTED = 200;
/** It is asked for by who wants to see it: an answer that was given does for a while. */
const DIFF_AGE_MS = 600_000;

const WORDS = ['diff', '--limit', String(MOST_LISTED)];

/** How the store differs from the newest backup: only where it is asked for, since it reads much. */
export async function diffSection(visit: Visit, store: ConsoleStore): Promise<Html> {
  const isAsked = visit.query('diff') === '1';
  return section('Against the newest backup', isAsked ? await asked(visit, store) : offer(store), {
    ...{ id: 'diff', live: isAsked },
  });
}

function offer(store: ConsoleStore): Html {
  return html`<p>Holds the store against its newest backup, stream by stream: what is missing, replaced or changed, and what came since.</p>
<p class="muted">It reads much: on PostgreSQL what was written since the backup, and after a failover all of the store and of the backup; on SQLite all of both. It is read with less of the machine than backups get, and the answer is kept for ten minutes.</p>
<form class="action" method="get" action="${storeLink(store.name, 'streams')}"><input type="hidden" name="diff" value="1" /><button type="submit">Compare now</button></form>
<p class="muted">By hand, with the events and where their payloads part:</p>${commandBox(commandLine(store, 'diff', '--events'))}`;
}

async function asked(visit: Visit, store: ConsoleStore): Promise<Html> {
  const answer = readAnswer(
    await visit.ports.ask({ store: store.name, words: WORDS, maxAgeMs: DIFF_AGE_MS }),
    storeDiff,
  );
  if (answer.state !== 'read') return unanswered(answer);
  const { document, atMs } = answer;
  return html`${verdict(document)}
${facts([
  ['Compared', instantAgo(new Date(atMs).toISOString(), visit.ports.now())],
  ['With', html`backup ${backupLink(store.name, document.backupId)}${backupTime(document)}`],
  ['Held then', `${plural(document.past.events, 'event')} in ${plural(document.past.streams, 'stream')}`],
  ...(document.liveEvents === null ? [] : [['Holds now', plural(document.liveEvents, 'event')] as const]),
])}
${document.notes.map((note) => notice('faint', sentence(note)))}
${totalsTable(document)}
${streamsTable(store, document)}
<p class="muted">Which events, with ids, types and times, and on demand where payloads part:</p>
${commandBox(commandLine(store, 'diff', '--events'))}`;
}

function backupTime({ target }: StoreDiffDocument): Html {
  return target.time === undefined ? html`` : html` of ${instant(target.time)}`;
}

function verdict({ equal, diverged, totals }: StoreDiffDocument): Html {
  if (diverged)
    return notice('bad', 'The store is not what it was: events of the backup are missing or different.');
  if (equal) return notice('good', 'The store is what it was.');
  if (totals.unknown.between.events > 0)
    return notice(
      'warning',
      'The store has all that it had, and events where nothing should have come since.',
    );
  return notice('good', 'The store has all that it had, and went on.');
}

type Kind = 'missing' | 'replaced' | 'changed' | 'between' | 'newer';

/** In the order in which they are told. */
const KINDS: readonly (readonly [Kind, string, Tone, string])[] = [
  ['missing', 'missing', 'bad', 'not in the store any more'],
  ['replaced', 'replaced', 'bad', 'the store has another event in its place'],
  ['changed', 'changed', 'bad', 'the same event with other content'],
  ['between', 'unknown, between', 'warning', 'only in the store, below the last version that was known'],
  ['newer', 'newer', 'faint', 'only in the store, behind the last version that was known: expected'],
];

function ofKind<Value>(
  parts: {
    readonly missing: Value;
    readonly replaced: Value;
    readonly changed: Value;
    readonly unknown: { readonly newer: Value; readonly between: Value };
  },
  kind: Kind,
): Value {
  return kind === 'between' || kind === 'newer' ? parts.unknown[kind] : parts[kind];
}

function totalsTable({ totals }: StoreDiffDocument): Html {
  return table({
    caption: 'In all',
    isCaptionShown: true,
    columns: [
      ...[{ title: 'What' }, { title: 'Events', numeric: true }],
      ...[{ title: 'Streams', numeric: true }, { title: 'Means' }],
    ],
    rows: KINDS.filter(([kind]) => ofKind(totals, kind).events > 0).map(([kind, word, tone, what]) => {
      const { events, streams } = ofKind(totals, kind);
      return [badge(tone, word), formatCount(events), formatCount(streams), what];
    }),
    empty: 'No event differs.',
  });
}

function streamsTable({ name }: ConsoleStore, { streams, omitted }: StoreDiffDocument): Html {
  const rows = streams.slice(0, MOST_LISTED).flatMap((stream) =>
    KINDS.flatMap(([kind, word, tone]) => {
      const extent = ofKind(stream, kind);
      if (extent === null) return [];
      const { events, firstVersion, lastVersion } = extent;
      const which = kind === 'changed' ? `: ${Object.keys(stream.changedFields).join(', ')}` : '';
      const versions = firstVersion === lastVersion ? `${firstVersion}` : `${firstVersion}–${lastVersion}`;
      return [
        [
          streamNameLink(name, stream.streamId),
          badge(tone, `${word}${which}`),
          formatCount(events),
          versions,
        ],
      ];
    }),
  );
  if (rows.length === 0) return html``;
  return html`${table({
    caption: 'By stream, those first that lost something',
    isCaptionShown: true,
    columns: [
      ...[{ title: 'Stream' }, { title: 'What' }],
      ...[
        { title: 'Events', numeric: true },
        { title: 'Versions', numeric: true },
      ],
    ],
    rows,
    empty: '',
  })}${omitted === 0 ? '' : html`<p class="muted">and ${plural(omitted, 'stream')} more: the command lists them with <code>--limit</code></p>`}`;
}
