import { html } from 'hono/html';
import type { DrillFact } from '../../core/drill.ts';
import { formatBytes, formatCount, formatDuration } from '../../core/units.ts';
import { formatSpan } from '../../policy/duration.ts';
import { commandLine } from '../command-line.ts';
import { type LINK_STATES, type ShownDrill, shownDrill } from '../documents/drills.ts';
import { readAnswer } from '../documents/read-answer.ts';
import { storeLink } from '../links.ts';
import { notice, unanswered } from '../parts/answer.ts';
import { badge, type Tone } from '../parts/badge.ts';
import { commandBox } from '../parts/command-box.ts';
import { facts } from '../parts/facts.ts';
import { remark, stacked, word } from '../parts/prose.ts';
import { table } from '../parts/table.ts';
import { instant, instantAgo } from '../parts/times.ts';
import type { ConsoleStore } from '../ports.ts';
import type { Html, Visit } from '../route.ts';
import type { StorePage } from '../store-page.ts';
import { resultBadge, signatureBadge, stateBadge, TEST_WORDS } from './drill-words.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** One drill, with all that it proved and whether that can be believed. */
export async function shownDrillPage(visit: Visit, store: ConsoleStore): Promise<StorePage> {
  const id = visit.param('id');
  const page = { title: `Drill ${id.slice(0, 8)}`, section: 'drills' as const };
  if (!UUID.test(id)) return { ...page, title: 'No such drill', body: noSuchDrill(store), status: 404 };
  const answer = readAnswer(
    await visit.ports.ask({ store: store.name, words: ['drill', 'show', id], maxAgeMs: 3_600_000 }),
    shownDrill,
  );
  if (answer.state === 'failed' && answer.code === 'backup_not_found')
    return { ...page, body: noSuchDrill(store), status: 404 };
  if (answer.state !== 'read')
    return { ...page, body: stacked('Drill', unanswered(answer), { id: 'drill', live: true }) };
  return { ...page, body: drillBody(visit, store, answer.document) };
}

function noSuchDrill(store: ConsoleStore): Html {
  return html`<p class="empty">There is no such drill in the vault. <a href="${storeLink(store.name, 'drills')}">All drills</a></p>`;
}

function drillBody(visit: Visit, store: ConsoleStore, drill: ShownDrill): Html {
  return html`${stacked('Result', result(visit, drill))}
${stacked('Tests', tests(drill))}
${stacked('Measured', measured(store, drill))}
${drill.notes.length === 0 ? '' : stacked('Notes', html`<ul>${drill.notes.map((note) => html`<li>${note}</li>`)}</ul>`)}
${stacked('Evidence', evidence(store, drill))}`;
}

function result(visit: Visit, drill: ShownDrill): Html {
  const { overallSuccess, startedAt, durationMs, selection, vault, target, software, problems } = drill;
  return html`${problems.map((problem) => notice('bad', problem))}${facts([
    ['Result', resultBadge(overallSuccess)],
    ['Began', instantAgo(startedAt, visit.ports.now())],
    ['Took', formatDuration(durationMs)],
    ['Restored', selection],
    ['From', html`<code>${vault}</code>`],
    ['Into', target],
    ['By', software],
  ])}`;
}

function tests({ tests }: ShownDrill): Html {
  return html`${table({
    caption: 'Tests of this drill',
    columns: [
      ...[{ title: 'Test' }, { title: 'Result' }],
      ...[{ title: 'Took', numeric: true }, { title: 'Why' }],
    ],
    rows: tests.map(({ name, state, ms, reason, code }) => [
      html`<code>${name}</code><br /><span class="muted">${TEST_WORDS[name]}</span>`,
      stateBadge(state),
      formatDuration(ms),
      html`${reason ?? ''}${code === null ? '' : html` <code>${code}</code>`}`,
    ]),
    empty: 'None.',
  })}${tests.filter(({ steps }) => steps.length > 0).map(steps)}`;
}

function steps({ name, steps }: ShownDrill['tests'][number]): Html {
  return html`<details><summary>Steps of <code>${name}</code></summary>${table({
    caption: `Steps of ${name}`,
    columns: [{ title: 'Step' }, { title: 'Took', numeric: true }, { title: 'Found' }],
    rows: steps.map((step) => [step.name, formatDuration(step.ms), factsText(step.facts)]),
    empty: 'None.',
  })}</details>`;
}

function factsText(found: Readonly<Record<string, DrillFact>>): string {
  return Object.entries(found)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name} ${Number.isInteger(value) ? formatCount(Number(value)) : value}`)
    .join(', ');
}

function measured(store: ConsoleStore, { measurements, objectives }: ShownDrill): Html {
  const { restores, recoverableAgeMs, eventsAtRisk } = measurements;
  return html`${table({
    caption: 'Restores of this drill',
    columns: [
      ...[{ title: 'Test' }, { title: 'Region' }, { title: 'Backup' }, { title: 'Took', numeric: true }],
      ...[
        { title: 'Events', numeric: true },
        { title: 'Size', numeric: true },
        { title: 'Events a second', numeric: true },
      ],
    ],
    rows: restores.map(({ test, region, backupId, restoreMs, events, bytes, eventsPerSecond }) => [
      html`<code>${test}</code>`,
      word(region),
      html`<a href="${storeLink(store.name, 'backups', backupId)}"><code>${backupId.slice(0, 8)}</code></a>`,
      ...[formatDuration(restoreMs), formatCount(events), formatBytes(bytes), formatCount(eventsPerSecond)],
    ]),
    empty: 'Nothing was restored.',
  })}${facts([
    [
      'Newest instant',
      recoverableAgeMs === null ? 'none that can be brought back' : `${formatDuration(recoverableAgeMs)} old`,
    ],
    ['Events at risk', eventsAtRisk === null ? 'not known' : formatCount(eventsAtRisk)],
    ...objectives.map((objective) => ['Promised', objectiveText(objective)] as const),
  ])}`;
}

function objectiveText({ name, targetMs, measuredMs, met }: ShownDrill['objectives'][number]): Html {
  const is = measuredMs === null ? 'could not be told' : formatDuration(measuredMs);
  return html`${met ? badge('good', 'kept') : badge('bad', 'missed')} <code>${name}</code>: ${is}, promised ${formatSpan(targetMs)}`;
}

type LinkState = (typeof LINK_STATES)[number];

const LINKS: Readonly<Record<LinkState, readonly [Tone, string]>> = {
  first: ['good', 'it is the first one of this vault'],
  follows: ['good', 'unbroken: what it follows is there, and is what it was'],
  missing: ['bad', 'broken: what it follows is gone'],
  changed: ['bad', 'broken: what it follows is not what it was'],
};

function evidence(store: ConsoleStore, drill: ShownDrill): Html {
  const { name, sha256, signature, previous, previousState, report, reportWhole } = drill;
  return html`${facts([
    ['Object', html`<code>${name}</code>`],
    ['SHA-256', html`<code class="digest">${sha256}</code>`],
    [
      'Signature',
      html`${signatureBadge(signature)}${signature.signer === null ? '' : html` <code class="muted">${signature.signer}</code>`}`,
    ],
    [
      'Chain',
      html`${remark(...LINKS[previousState])}${previous === null ? '' : html` <code class="muted">${previous.name}</code>`}`,
    ],
    [
      'Report',
      html`${reportWhole ? badge('good', 'as it was written') : remark('bad', 'gone, or not as it was written')} <code class="muted">${report.name}</code>`,
    ],
  ])}
<p>Anybody who may read the vault can check it, on any host, without a key that opens backups: name those whose signatures count as <code>trusted_signers</code> in a configuration of their own (docs/drill.md).</p>
${commandBox(commandLine(store, 'drill', 'show', drill.drillId))}
<p class="muted">This page shows what that command said. Keep the digest, or the id, where nobody who may write to the vault can change it: then nobody can take this drill away unseen.</p>
<p>Written at ${instant(drill.finishedAt)}.</p>`;
}
