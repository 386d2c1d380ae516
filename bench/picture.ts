import type { Work } from './contenders/contender.ts';
import { baselineOf, type Outcome, type Result } from './results.ts';

/** A group of bars: one figure of the contenders of one work. */
interface Panel {
  readonly title: string;
  readonly work: Work;
  readonly figure: 'wallSeconds' | 'bytes';
}

const PANELS: readonly Panel[] = [
  { title: 'Full backup: seconds', work: 'full backup', figure: 'wallSeconds' },
  { title: 'Full backup: MB', work: 'full backup', figure: 'bytes' },
  { title: 'Incremental backup: seconds', work: 'incremental backup', figure: 'wallSeconds' },
  { title: 'Restore: seconds', work: 'restore', figure: 'wallSeconds' },
  { title: 'Verify: seconds', work: 'verify', figure: 'wallSeconds' },
  { title: 'SQLite, full backup: seconds', work: 'SQLite: full backup', figure: 'wallSeconds' },
  { title: 'SQLite, restore: seconds', work: 'SQLite: restore', figure: 'wallSeconds' },
];

const WIDTH = 860;
const LABEL_WIDTH = 240;
const BAR_WIDTH = 440;
const BAR_HEIGHT = 16;
const ROW_HEIGHT = 22;
const TITLE_HEIGHT = 34;
const MARGIN = 20;

/** Colours that can be read on white and, where the reader prefers it dark, on near black. */
const STYLE = `
    text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
    .title { font-weight: 600; font-size: 15px }
    .note { fill: #59636e; font-size: 12px }
    .page { fill: #ffffff }
    .ours { fill: #1a7f64 }
    .peer { fill: #b3bcc6 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .note { fill: #9198a1 }
      .page { fill: #0d1117 }
      .ours { fill: #3fb68f }
      .peer { fill: #525c68 }
    }`;

/** Horizontal bars as an SVG: ours coloured, and behind each bar its value and its ratio to the baseline. */
export function drawPicture(outcome: Outcome): string {
  let top = MARGIN;
  const parts: string[] = [];
  for (const panel of PANELS) {
    const bars = barsOf(outcome, panel);
    if (bars.length === 0) continue;
    parts.push(drawPanel(outcome, panel, bars, top));
    top += TITLE_HEIGHT + bars.length * ROW_HEIGHT + MARGIN;
  }
  const { cores, processor } = outcome.machine;
  const note = `${outcome.events.toLocaleString('en')} events; ${cores} cores, ${processor}; green: EventCore Backup; ratios to ×1.00`;
  parts.push(text(MARGIN, top, note, 'note'));
  const height = top + MARGIN;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="Benchmarks as bars">
  <style>${STYLE}
  </style>
  <rect class="page" width="${WIDTH}" height="${height}" rx="8"/>
${parts.join('\n')}
</svg>
`;
}

/** Options that are not the defaults would hide what matters: they are in the tables. The smallest stands first. */
function barsOf(outcome: Outcome, { work, figure }: Panel): Result[] {
  return outcome.results
    .filter((result) => result.work === work && result.role !== 'variant' && result.summary[figure] !== null)
    .filter(({ name }) => figure === 'wallSeconds' || !name.endsWith(', verified'))
    .toSorted((a, b) => (a.summary[figure] ?? 0) - (b.summary[figure] ?? 0));
}

function drawPanel(
  outcome: Outcome,
  { title, work, figure }: Panel,
  bars: readonly Result[],
  top: number,
): string {
  const longest = Math.max(...bars.map(({ summary }) => summary[figure] ?? 0));
  const baseline = baselineOf(outcome, work)?.summary[figure];
  const rows = bars.map((result, i) => {
    const value = result.summary[figure] ?? 0;
    const y = top + TITLE_HEIGHT + i * ROW_HEIGHT;
    const width = Math.max(1, (value / longest) * BAR_WIDTH);
    const shown = figure === 'bytes' ? (value / 1e6).toFixed(0) : value.toFixed(1);
    const ratio = typeof baseline === 'number' ? `  ×${(value / baseline).toFixed(2)}` : '';
    const kind = result.role === 'ours' ? 'ours' : 'peer';
    return [
      text(LABEL_WIDTH - 8, y + 13, result.name, null, 'end'),
      `  <rect class="${kind}" x="${LABEL_WIDTH}" y="${y}" width="${width.toFixed(1)}" height="${BAR_HEIGHT}" rx="2"/>`,
      text(LABEL_WIDTH + width + 8, y + 13, `${shown}${ratio}`),
    ].join('\n');
  });
  return [text(MARGIN, top + 14, title, 'title'), ...rows].join('\n');
}

function text(x: number, y: number, content: string, kind: string | null = null, anchor = 'start'): string {
  const style = kind === null ? '' : ` class="${kind}"`;
  return `  <text${style} x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}" xml:space="preserve">${escapeText(content)}</text>`;
}

function escapeText(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
