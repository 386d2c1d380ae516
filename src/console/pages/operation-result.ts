import { html } from 'hono/html';
import { formatCount, formatDuration, plural } from '../../core/units.ts';
import { commandLine } from '../command-line.ts';
import { type RestoreReportDocument, restoreReport } from '../documents/restore.ts';
import { type VerifyReportDocument, verifyReport } from '../documents/verify.ts';
import { notice } from '../parts/answer.ts';
import { commandBox } from '../parts/command-box.ts';
import { facts } from '../parts/facts.ts';
import { sentence } from '../parts/prose.ts';
import { table } from '../parts/table.ts';
import { instant } from '../parts/times.ts';
import type { ConsoleStore, Operation } from '../ports.ts';
import type { Html } from '../route.ts';

/** What an operation has done, and what is to be done with it. `store`: null where it is not served any more. */
export function operationResult(store: ConsoleStore | null, operation: Operation): Html {
  const { state, trouble, document, title } = operation;
  if (state === 'waits' || state === 'runs') return html`<p class="empty">It is not over yet.</p>`;
  const failure =
    trouble === null ? html`` : notice(state === 'cancelled' ? 'warning' : 'bad', sentence(trouble));
  const restored = restoreReport.safeParse(document);
  if (restored.success) return html`${failure}${restoredBody(store, restored.data)}`;
  const verified = verifyReport.safeParse(document);
  if (verified.success) return html`${failure}${verifiedBody(verified.data)}`;
  if (state === 'succeeded') return html`${failure}<p>It ended well.</p>`;
  if (!title.startsWith('restore')) return failure;
  return html`${failure}<p>Nothing was published by it: a restore shows what it restored only when all of it was proven.</p>`;
}

function restoredBody(store: ConsoleStore | null, report: RestoreReportDocument): Html {
  const { eventsRestored, streamsRestored, dataIntegrityVerified } = report;
  const text = `${plural(eventsRestored, 'event')} in ${plural(streamsRestored, 'stream')} were restored${dataIntegrityVerified ? ', and held against what the vault says of each stream before anybody could see them' : ''}.`;
  return html`${notice('good', text)}
${facts(restoredFacts(report))}
${report.notes.map((note) => notice('faint', sentence(note)))}
${checkpointsPart(report)}
${openingPart(store, report)}`;
}

function restoredFacts(report: RestoreReportDocument): (readonly [string, Html | string])[] {
  const { target, durationMs, eventsRestored, recoveryTime, backupId, chain, epoch } = report;
  const rate = durationMs < 1 ? '' : `, ${formatCount((eventsRestored * 1000) / durationMs)} events/s`;
  const time = target.reachedTime ?? target.time;
  return [
    ...(time === undefined ? [] : [['State of', instant(time)] as const]),
    ...(target.reachedLsn == null ? [] : [['Position', html`<code>${target.reachedLsn}</code>`] as const]),
    [
      'From',
      html`backup <code>${backupId.slice(0, 8)}</code>${chain.length === 1 ? '' : `, a chain of ${chain.length}`}${logText(report)}`,
    ],
    ['Time', `${formatDuration(durationMs)}${rate}`],
    ...(recoveryTime === null ? [] : [['Visible since', instant(recoveryTime)] as const]),
    ...(epoch == null ? [] : [['Epoch', html`<code>${epoch}</code>`] as const]),
    ...recordFacts(report),
    ...leftFacts(report),
  ];
}

function logText({ eventsReplayed }: RestoreReportDocument): string {
  return eventsReplayed === undefined ? '' : `, and ${plural(eventsReplayed, 'event')} from the log`;
}

function recordFacts({ epochRecord }: RestoreReportDocument): (readonly [string, Html | string])[] {
  if (epochRecord === undefined) return [];
  const { record, problem, vanished } = epochRecord;
  const events =
    vanished === null ? '' : `, which lists ${plural(vanished.events, 'event')} behind this point`;
  return [
    [
      'Epoch record',
      record === null
        ? `could not be written: ${problem ?? 'not said why'}`
        : html`<code>${record}</code>${events}`,
    ],
  ];
}

function leftFacts({
  leftOut,
  snapshotsDropped,
  versionsSkipped,
}: RestoreReportDocument): (readonly [string, string])[] {
  return [
    ...(leftOut.length === 0
      ? []
      : [['Left out', `${leftOut.join(', ')}: the new store has no place for them`] as const]),
    ...(snapshotsDropped.length === 0
      ? []
      : [
          [
            'Dropped',
            `${plural(snapshotsDropped.length, 'command snapshot')} of events that are not restored`,
          ] as const,
        ]),
    ...((versionsSkipped ?? 0) === 0
      ? []
      : [
          [
            'Look at it',
            `${plural(versionsSkipped!, 'version')} missing inside streams that the log carries on`,
          ] as const,
        ]),
  ];
}

/** More consumers than this are counted, not named. */
const MOST_NAMED = 100;

function checkpointsPart({ checkpoints, store: place }: RestoreReportDocument): Html {
  if (checkpoints.length === 0) return html``;
  const ahead = checkpoints.filter((one) => one.ahead && one.action === 'kept');
  if (ahead.length === 0)
    return html`<h3>Consumers</h3><p>${plural(checkpoints.length, 'checkpoint')} came back with the events, and none lies ahead of them.</p>`;
  return html`<h3>Consumers</h3>
${notice('warning', `${plural(ahead.length, 'consumer')} of ${formatCount(checkpoints.length)} had seen events that are not in this store: their checkpoints lie ahead of its last event, and they would skip events to come.`)}
${table({
  caption: 'Checkpoints that lie ahead',
  columns: [{ title: 'Consumer' }, { title: 'Its position' }],
  rows: ahead
    .slice(0, MOST_NAMED)
    .map(({ name, position }) => [html`<code>${name}</code>`, html`<code>${position ?? ''}</code>`]),
  empty: '',
})}
${ahead.length <= MOST_NAMED ? '' : html`<p class="muted">and ${formatCount(ahead.length - MOST_NAMED)} more</p>`}
<p>Before consumers run on <code>${place}</code>: have them moved back to the last restored event by restoring with <code>--checkpoints clamp</code>, or begin anew with <code>--checkpoints reset</code>, or move them by hand. What they did because of events that are no more, nobody takes back for them.</p>`;
}

function openingPart(store: ConsoleStore | null, { store: place }: RestoreReportDocument): Html {
  const look = (...words: string[]): Html =>
    store === null ? commandBox(`eventcore ${words.join(' ')}`) : commandBox(commandLine(store, ...words));
  return html`<h3>How to open it</h3>
<p>The new store is at <code>${place}</code>. Addresses here have no password: put in yours where it needs one.</p>
<p>What differs from the newest backup, event by event:</p>${look('diff', '--store', place)}
<p>Whether it is sound in itself:</p>${look('monitor', '--once', '--store', place)}
<p>Applications are pointed at it by their own configuration. Before they are, give it backups of its own: it is another store than the one before, and begins a new chain.</p>`;
}

function verifiedBody({ overallValid, backups }: VerifyReportDocument): Html {
  return html`${overallValid ? notice('good', 'It is sound.') : notice('bad', 'It is not sound.')}
${table({
  caption: 'What was found',
  columns: [{ title: 'Backup' }, { title: 'Problem' }, { title: 'Where' }],
  rows: backups.flatMap(({ backupId, problems }) =>
    problems
      .slice(0, MOST_NAMED)
      .map(({ code, message, file }) => [
        html`<code>${backupId.slice(0, 8)}</code>`,
        html`<code>${code}</code> ${message}`,
        html`<code>${file ?? ''}</code>`,
      ]),
  ),
  empty: 'No problem was found.',
})}`;
}
