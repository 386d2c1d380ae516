import { html } from 'hono/html';
import { type DisasterTrigger, RECOVERY_RISKS } from '../../core/disaster.ts';
import { formatBytes, formatCount, formatDuration, formatInstant, plural } from '../../core/units.ts';
import { commandLine } from '../command-line.ts';
import type { Assessment } from '../documents/disaster.ts';
import { notice } from '../parts/answer.ts';
import { badge } from '../parts/badge.ts';
import { commandBox } from '../parts/command-box.ts';
import { facts } from '../parts/facts.ts';
import { inCode, remark, word } from '../parts/prose.ts';
import { table } from '../parts/table.ts';
import { instantAgo } from '../parts/times.ts';
import type { ConsoleStore } from '../ports.ts';
import type { Html, Visit } from '../route.ts';
import {
  lossText,
  PRIMARY_WORDS,
  PROBE_WORDS,
  placeText,
  strategyText,
  TRIGGER_WORDS,
} from './disaster-words.ts';

/** What was found, before anything is decided. */
export function assessmentBody(visit: Visit, found: Assessment): Html {
  const { primary, estimatedDataLoss, warnings, assessedAt, samples } = found;
  const [tone, words] = PRIMARY_WORDS[primary.state];
  const where =
    primary.server === null
      ? ''
      : `: ${primary.server}${primary.region === null ? '' : ` (${primary.region})`}`;
  return html`${notice(tone, `${words}${where}`)}${warnings.map((warning) => notice('warning', warning))}
${facts([
  ['Looked at', instantAgo(assessedAt, visit.ports.now())],
  ['Would be lost', lossText(estimatedDataLoss)],
  ['Samples of where it stood', formatCount(samples)],
  ...(primary.lastPosition === null
    ? []
    : [['Seen last at', html`<code>${primary.lastPosition}</code>`] as const]),
])}
<h3>Why</h3><ul>${primary.reasons.map((reason) => html`<li>${reason}</li>`)}</ul>
<h3>What each place sees</h3>${observations(found)}
<h3>Who could take over</h3>${candidates(found)}
<h3>What the vaults bring back</h3>${vaults(visit, found)}`;
}

function observations({ observations }: Assessment): Html {
  return table({
    caption: 'What each place sees of each server',
    columns: [
      ...[{ title: 'From' }, { title: 'Region' }, { title: 'Server' }, { title: 'Answer' }, { title: 'Is' }],
      ...[
        { title: 'Timeline', numeric: true },
        { title: 'Position', numeric: true },
        { title: 'Clients', numeric: true },
      ],
    ],
    rows: observations.map(({ vantage, region, server, outcome, ms, reason, state }) => [
      ...[placeText(vantage), region, placeText(server)].map(word),
      html`${badge(...PROBE_WORDS[outcome])} ${outcome === 'answered' ? `in ${formatDuration(ms)}` : (reason ?? '')}`,
      state === null ? '' : `${state.role}${state.isFenced ? ', fenced' : ''}`,
      state === null ? '' : String(state.timeline),
      state === null ? '' : state.position,
      state === null || state.clients === null ? '' : formatCount(state.clients),
    ]),
    empty: 'Nobody was asked.',
  });
}

function candidates({ candidates }: Assessment): Html {
  return table({
    caption: 'Standbys, and why one must not take over',
    columns: [{ title: 'Standby' }, { title: 'Region' }, { title: 'Lacks' }, { title: 'May it take over' }],
    rows: candidates.map(({ server, region, behindBytes, refusals }) => [
      ...[word(placeText(server)), word(region), behindText(behindBytes)],
      refusals.length === 0
        ? badge('good', 'yes')
        : html`${badge('bad', 'no')}<ul class="plain">${refusals.map((refusal) => html`<li>${refusal}</li>`)}</ul>`,
    ]),
    empty: 'No standby answered.',
  });
}

function behindText(bytes: string | null): string {
  if (bytes === null) return 'not known';
  return bytes === '0'
    ? 'nothing that the primary is known to have had'
    : `${formatBytes(Number(bytes))} of log`;
}

function vaults(visit: Visit, { vaults }: Assessment): Html {
  return table({
    caption: 'Vaults, and the newest point that each brings back',
    columns: [
      { title: 'Vault' },
      { title: 'Region' },
      { title: 'Newest point' },
      { title: 'Backups', numeric: true },
    ],
    rows: vaults.map(({ vault, region, isReadable, reason, newestPoint, backups, isArchive }) => [
      html`<code>${vault}</code>`,
      `${region}${isArchive ? ', archive' : ''}`,
      !isReadable
        ? remark('bad', reason ?? 'cannot be read')
        : newestPoint === null
          ? badge('warning', 'nothing')
          : instantAgo(newestPoint, visit.ports.now()),
      formatCount(backups),
    ]),
    empty: 'No vault is configured.',
  });
}

interface Wanted {
  readonly trigger: DisasterTrigger;
  readonly at: string | null;
}

/** What would be done about it. A plan is written into vaults, so it is made on the command line. */
export function plannedBody(store: ConsoleStore, found: Assessment, { trigger, at }: Wanted): Html {
  const runbook = html`<p>The runbook for it, for the one who is called at night: <code>docs/runbooks/${trigger}.md</code>.</p>`;
  const heading = html`<h3>What would be done: ${TRIGGER_WORDS[trigger]}</h3>`;
  const { strategy, refusal } = found;
  if (strategy === undefined || strategy === null) {
    const why = refusal === undefined || refusal === null ? 'nobody says why' : refusal.message;
    const hint = refusal?.hint ?? null;
    return html`${heading}${notice('bad', html`There is no way: ${why}${hint === null ? '' : html`<br />${inCode(hint)}`}`)}${runbook}`;
  }
  const { target, reasons = [], plannedDataLoss, risks = [], steps = [] } = found;
  const words = ['dr', 'plan', '--trigger', trigger, ...(at === null ? [] : ['--at', at])];
  return html`${heading}${facts([
    ['Strategy', strategyText(strategy)],
    ...(at === null ? [] : [['Back to', formatInstant(at)] as const]),
    ...(target === undefined
      ? []
      : [['Target', `${target.server ?? 'the most advanced standby'} (${target.region})`] as const]),
    ...(plannedDataLoss === undefined ? [] : [['Lost by it', lossText(plannedDataLoss)] as const]),
  ])}
<ul>${reasons.map((reason) => html`<li>${reason}</li>`)}</ul>
${risks.map(({ risk, text }) => notice('bad', html`${text} <code>${RECOVERY_RISKS[risk]}</code>`))}
${table({
  caption: 'Steps of the plan',
  columns: [{ title: 'Step' }, { title: 'What it does, or why it is left out' }],
  rows: steps.map(({ step, does, text }) => [
    html`<code>${step}</code>${does ? '' : html` ${badge('faint', 'left out')}`}`,
    text,
  ]),
  empty: 'None.',
})}
<p>Nothing was written: ${plural(steps.filter(({ does }) => does).length, 'step')} would be taken. This makes a plan of it, which is kept in the vaults and appears here. It still does nothing.</p>
${commandBox(commandLine(store, ...words))}${runbook}`;
}
