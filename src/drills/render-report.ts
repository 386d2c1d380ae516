import type { DrillResult, RestoreMeasurement } from '../core/drill.ts';
import type { DrillEvidence } from '../format/drill-evidence.ts';
import { formatSpan } from '../policy/duration.ts';
import type { FoundEvidence } from './evidence.ts';

/**
 * An evidence as a page for people: one file, without scripts and without anything from elsewhere. All text is escaped: what it shows
 * came from a vault and a configuration.
 */
export function renderReport(
  evidence: Omit<DrillEvidence, 'report'>,
  past: readonly FoundEvidence[],
): string {
  const { overallSuccess, startedAt, tests, notes } = evidence;
  const verdict = overallSuccess ? 'passed' : 'failed';
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Drill of ${escaped(startedAt)}: ${verdict}</title><style>${STYLE}</style></head><body>
<h1>Restore drill: <span class="${verdict}">${verdict}</span></h1>
${pairs(aboutOf(evidence))}
<h2>Tests</h2>
<table><tr><th>test</th><th>result</th><th>time</th><th>reason</th></tr>
${tests.map(testRow).join('\n')}</table>
<h2>Measured</h2>
${pairs(measuredOf(evidence))}
${restoreTable(evidence.measurements.restores)}
${trendOf(evidence, past)}
<h2>Steps</h2>
${tests.map(stepsOf).join('\n')}
${notes.length === 0 ? '' : `<h2>Notes</h2><ul>${notes.map((note) => `<li>${escaped(note)}</li>`).join('')}</ul>`}
</body></html>
`;
}

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:.5em 0 1em}td,th{padding:.2em .8em .2em 0;text-align:left;vertical-align:top;
border-bottom:1px solid #ddd}h2{margin:1.6em 0 .4em;font-size:1.15em}.passed{color:#067a3a}.failed{color:#b3261e}
.not_due,.skipped{color:#666}.number{text-align:right}details{margin:.3em 0}rect{fill:#4a7bb5}`;

function aboutOf(evidence: Omit<DrillEvidence, 'report'>): [string, string][] {
  const { drillId, startedAt, finishedAt, durationMs, software, store, vault, target, selection, previous } =
    evidence;
  return [
    ['drill', drillId],
    ['from – to', `${startedAt} – ${finishedAt} (${seconds(durationMs)})`],
    ['store', store ?? 'none was named'],
    ['vault', vault],
    ['restored', selection],
    ['into', target],
    ['by', software],
    ['follows', previous === null ? 'nothing: it is the first' : `${previous.name} (${previous.sha256})`],
  ];
}

function measuredOf({ measurements, objectives }: Omit<DrillEvidence, 'report'>): [string, string][] {
  const { recoverableAgeMs, eventsAtRisk } = measurements;
  return [
    [
      'newest recoverable instant',
      recoverableAgeMs === null ? 'not measured' : `${seconds(recoverableAgeMs)} old`,
    ],
    ['events at risk', eventsAtRisk === null ? 'not measured' : String(eventsAtRisk)],
    ...objectives.map(({ name, targetMs, measuredMs, met }): [string, string] => {
      const measured = measuredMs === null ? 'not known' : seconds(measuredMs);
      return [
        `objective ${name}`,
        `${met ? 'met' : 'missed'}: ${measured}, promised ${formatSpan(targetMs)}`,
      ];
    }),
  ];
}

function testRow({ name, state, reason, ms }: DrillResult): string {
  const shown = state.replace('_', ' ');
  return `<tr><td>${escaped(name)}</td><td class="${escaped(state)}">${escaped(shown)}</td><td class="number">${seconds(ms)}</td><td>${escaped(reason ?? '')}</td></tr>`;
}

function restoreTable(restores: readonly RestoreMeasurement[]): string {
  if (restores.length === 0) return '';
  const rows = restores.map(({ test, region, backupId, restoreMs, phases, events, eventsPerSecond }) => {
    const shown = phases.map(({ name, ms }) => `${name} ${seconds(ms)}`).join('; ');
    const cells = [
      test,
      region,
      backupId.slice(0, 8),
      String(events),
      seconds(restoreMs),
      String(eventsPerSecond),
    ];
    return `<tr>${[...cells, shown].map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`;
  });
  const head = ['test', 'region', 'backup', 'events', 'time to restore', 'events/s', 'phases'];
  return `<table><tr>${head.map((title) => `<th>${title}</th>`).join('')}</tr>${rows.join('')}</table>`;
}

const MOST_SHOWN = 20;

/** How long the whole store took to restore, drill by drill. */
function trendOf(
  { measurements, startedAt }: Omit<DrillEvidence, 'report'>,
  past: readonly FoundEvidence[],
): string {
  const points = [
    ...past
      .slice(0, MOST_SHOWN)
      .toReversed()
      .flatMap(({ evidence }) =>
        evidence === null ? [] : pointOf(evidence.measurements, evidence.startedAt),
      ),
    ...pointOf(measurements, startedAt),
  ];
  if (points.length < 2) return '';
  const most = points.reduce((max, { ms }) => Math.max(max, ms), 1);
  const bars = points.map(({ ms, at }, i) => {
    const height = Math.max(1, Math.round((ms / most) * 80));
    return `<rect x="${i * 24}" y="${80 - height}" width="18" height="${height}"><title>${escaped(at)}: ${seconds(ms)}</title></rect>`;
  });
  return `<h2>Time to restore, by drill</h2><svg width="${points.length * 24}" height="80" role="img">${bars.join('')}</svg>`;
}

function pointOf({ restores }: DrillEvidence['measurements'], at: string): { ms: number; at: string }[] {
  const full = restores.find(({ test }) => test === 'full_restore');
  return full === undefined ? [] : [{ ms: full.restoreMs, at }];
}

function stepsOf({ name, steps }: DrillResult): string {
  const rows = steps.map((step) => {
    const facts = Object.entries(step.facts).map(([key, value]) => `${key}: ${value}`);
    return `<tr><td>${escaped(step.name)}</td><td class="number">${seconds(step.ms)}</td><td>${escaped(facts.join(', '))}</td></tr>`;
  });
  return `<details><summary>${escaped(name)}</summary><table>${rows.join('')}</table></details>`;
}

function pairs(list: readonly (readonly [string, string])[]): string {
  return `<table>${list.map(([key, value]) => `<tr><th>${escaped(key)}</th><td>${escaped(value)}</td></tr>`).join('')}</table>`;
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (mark) => ENTITIES[mark]!);
}
