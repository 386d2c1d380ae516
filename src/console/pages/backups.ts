import { html } from 'hono/html';
import { formatBytes, plural } from '../../core/units.ts';
import { commandLine } from '../command-line.ts';
import {
  freezeDocument,
  type HoldsDocument,
  holdsDocument,
  type KeysDocument,
  keysDocument,
  type ListDocument,
  listDocument,
} from '../documents/backups.ts';
import { type ReadAnswer, readAnswer } from '../documents/read-answer.ts';
import { notice, unanswered } from '../parts/answer.ts';
import { badge } from '../parts/badge.ts';
import { commandBox } from '../parts/command-box.ts';
import { facts } from '../parts/facts.ts';
import { section } from '../parts/section.ts';
import { table } from '../parts/table.ts';
import { ago, instant, instantAgo } from '../parts/times.ts';
import type { ConsoleStore } from '../ports.ts';
import type { Html, Reply, Route, Visit } from '../route.ts';
import { storePage } from '../store-page.ts';
import { backupRoutes } from './backup.ts';
import { chainCards } from './chains.ts';

export const backupsRoutes: readonly Route[] = [
  { method: 'GET', path: '/stores/:store/backups', role: 'viewer', handle: backupsPage },
  ...backupRoutes,
];

/**
 * What this daemon's jobs change is asked anew at once, whatever this says; it is for what others do to the vault. Each answer is a command, and
 * a thousand who look are not to be felt by a backup.
 */
const MAX_AGE_MS = 180_000;
const MOST_REGIONS = 6;

function backupsPage(visit: Visit): Promise<Reply> {
  const nowMs = visit.ports.now();
  return storePage(visit, async (store) => {
    const ask = (words: readonly string[]): ReturnType<typeof visit.ports.ask> =>
      visit.ports.ask({ store: store.name, words, maxAgeMs: MAX_AGE_MS });
    const regions = otherRegions(store);
    const [list, keys, holds, freeze, ...elsewhere] = await Promise.all([
      ask(['list']),
      ask(['keys', 'list']),
      ask(['hold', 'list']),
      ask(['freeze', 'status']),
      ...regions.map((region) => ask(['list', `--region=${region}`])),
    ]);
    const listed = readAnswer(list, listDocument);
    const copies = new Map(regions.map((region, i) => [region, readAnswer(elsewhere[i]!, listDocument)]));
    const held = readAnswer(holds, holdsDocument);
    const chains =
      listed.state === 'read'
        ? chainCards({ store: store.name, backups: listed.document.backups, copies, held, nowMs })
        : html`<p class="muted">Not known.</p>`;
    return {
      ...{ title: 'Backups', section: 'backups' },
      body: html`<div id="vault" data-live>${summary(store, listed, nowMs)}${frozen(readAnswer(freeze, freezeDocument))}${listed.state === 'read' ? html`${attempts(listed.document)}${holdsSection(held)}` : ''}</div>
${section('Chains', chains, { id: 'chains', live: true })}
${section('Who can decrypt', recipients(readAnswer(keys, keysDocument)), { id: 'recipients', live: true })}
${section('By hand', commandBox(commandLine(store, 'list')))}`,
    };
  });
}

function otherRegions({ status }: ConsoleStore): string[] {
  const others = (status?.regions ?? []).filter(({ kind }) => kind !== 'primary');
  return others.slice(0, MOST_REGIONS).map(({ region }) => region);
}

function summary({ vault }: ConsoleStore, listed: ReadAnswer<ListDocument>, nowMs: number): Html {
  if (listed.state !== 'read') return unanswered(listed);
  const { backups } = listed.document;
  const newest = backups.at(-1);
  if (newest === undefined) return html`<p class="lead">There is no backup in <code>${vault}</code> yet.</p>`;
  const chains = new Set(backups.map(({ chain }) => chain.baseId)).size;
  const bytes = backups.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const unverified = backups.filter(({ verifiedAt }) => verifiedAt === null).length;
  return facts([
    [
      'In the vault',
      `${plural(backups.length, 'backup')} in ${plural(chains, 'chain')}, ${formatBytes(bytes)}`,
    ],
    ['Newest', instantAgo(newest.createdAt, nowMs)],
    ['Oldest', instantAgo(backups[0]!.createdAt, nowMs)],
    ['Never verified', unverified === 0 ? 'none' : plural(unverified, 'backup')],
    ['Asked', ago(nowMs - listed.atMs)],
  ]);
}

function frozen(
  answer: ReadAnswer<{ frozen: boolean; freezes: { reason: string; createdAt: string }[] }>,
): Html {
  if (answer.state !== 'read' || !answer.document.frozen) return html``;
  return html`${answer.document.freezes.map(({ reason, createdAt }) =>
    notice(
      'warning',
      html`The vault is frozen since ${instant(createdAt)}: nothing is removed by any rule. Reason: ${reason}`,
    ),
  )}`;
}

/** What is there and is no backup. */
function attempts({ damaged, unfinished }: ListDocument): Html {
  return html`${damaged.map(({ backupId, kind, message }) =>
    notice(
      'bad',
      html`The ${kind} backup <code>${backupId}</code> cannot be trusted: ${message}. Take it from another copy of this vault.`,
    ),
  )}${unfinished.map(({ backupId, kind, objects, sizeBytes, modifiedAt, canBeTakenUp }) =>
    notice(
      'faint',
      html`An attempt at the ${kind} backup <code>${backupId}</code> is no backup: ${plural(objects, 'file')}, ${formatBytes(sizeBytes)}, last written ${instant(modifiedAt)}${canBeTakenUp ? '; a full backup goes on with it' : ''}.`,
    ),
  )}`;
}

function holdsSection(held: ReadAnswer<HoldsDocument>): Html {
  if (held.state !== 'read') return html``;
  const holds = held.document.holds.filter(({ ended }) => !ended);
  if (holds.length === 0) return html``;
  return section(
    'Held',
    table({
      caption: 'Backups that stay whatever the rules of retention say',
      columns: [
        { title: 'Backup' },
        { title: 'Reason' },
        { title: 'Covers', numeric: true },
        { title: 'Until' },
      ],
      rows: holds.map(({ backupId, reason, covers, until }) => [
        html`<code>${backupId.slice(0, 8)}</code>`,
        ...[reason, plural(covers.length, 'backup'), until === null ? 'it is taken off' : instant(until)],
      ]),
      empty: '',
    }),
  );
}

/** Names of keys, which open nothing by themselves. */
function recipients(keys: ReadAnswer<KeysDocument>): Html {
  if (keys.state !== 'read') return unanswered(keys);
  const all = keys.document.keys;
  if (all.length === 0)
    return html`<p>${badge('faint', 'not sealed')} Whoever can read the vault can read the events in it.</p>`;
  const counts = new Map<string, { kind: string; recipient: string; count: number }>();
  for (const { records } of all) {
    for (const { kind, recipient } of records
      .filter(({ superseded }) => !superseded)
      .flatMap((one) => one.recipients)) {
      const key = `${kind} ${recipient}`;
      counts.set(key, { kind, recipient, count: (counts.get(key)?.count ?? 0) + 1 });
    }
  }
  return table({
    caption: 'For whom the vault is sealed',
    columns: [{ title: 'Recipient' }, { title: 'Kind' }, { title: 'Opens', numeric: true }],
    rows: [...counts.values()].map(({ kind, recipient, count }) => [
      html`<code>${recipient}</code>`,
      ...[kind, `${count} of ${plural(all.length, 'key')}`],
    ]),
    empty: 'No recipient is named.',
  });
}
