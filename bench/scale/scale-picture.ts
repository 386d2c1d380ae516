import type { Answer } from './answers.ts';

/** Time over workers, both by powers of ten, a panel for each fleet. */

const WIDTH = 860;
const PANEL = { width: 330, height: 220, left: 70, top: 50, gap: 90 } as const;
const WORKERS = { from: 1, to: 400 } as const;
const SECONDS = { from: 60, to: 60 * 86_400 } as const;
const MARKS: readonly (readonly [seconds: number, text: string])[] = [
  [60, '1 min'],
  [600, '10 min'],
  [3600, '1 h'],
  [36_000, '10 h'],
  [4 * 86_400, '4 days'],
  [40 * 86_400, '40 days'],
];
const WORKER_MARKS = [1, 4, 10, 50, 100, 400];

const STYLE = `
    text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
    .title { font-weight: 600; font-size: 15px }
    .note { fill: #59636e; font-size: 12px }
    .page { fill: #ffffff }
    .grid { stroke: #d1d9e0; stroke-width: 1 }
    .line { fill: none; stroke-width: 2.5 }
    .backup { stroke: #1a7f64 } .verify { stroke: #0969da } .restore { stroke: #9a6700 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .note { fill: #9198a1 }
      .page { fill: #0d1117 }
      .grid { stroke: #30363d }
      .backup { stroke: #3fb68f } .verify { stroke: #58a6ff } .restore { stroke: #d29922 }
    }`;

export function drawScale(answers: readonly Answer[]): string {
  const fleets = [...new Set(answers.map(({ fleet }) => fleet))];
  const panels = fleets.map((fleet, i) => {
    const left = PANEL.left + i * (PANEL.width + PANEL.gap);
    return drawPanel(
      fleet,
      answers.filter((one) => one.fleet === fleet),
      left,
    );
  });
  const height = PANEL.top + PANEL.height + 50;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="Time over the number of workers">
  <style>${STYLE}
  </style>
  <rect class="page" width="${WIDTH}" height="${height}" rx="8"/>
${panels.join('\n')}
</svg>
`;
}

function drawPanel(title: string, answers: readonly Answer[], left: number): string {
  const bottom = PANEL.top + PANEL.height;
  const x = (workers: number): string => (left + PANEL.width * part(workers, WORKERS)).toFixed(1);
  const y = (seconds: number): string => (bottom - PANEL.height * part(seconds, SECONDS)).toFixed(1);
  const grid = MARKS.flatMap(([seconds, words]) => [
    `  <path class="grid" d="M${left} ${y(seconds)}h${PANEL.width}"/>`,
    `  <text class="note" x="${left - 8}" y="${Number(y(seconds)) + 4}" text-anchor="end">${words}</text>`,
  ]);
  const marks = WORKER_MARKS.map(
    (workers) =>
      `  <text class="note" x="${x(workers)}" y="${bottom + 18}" text-anchor="middle">${workers}</text>`,
  );
  const works = [...new Set(answers.map(({ work }) => work))];
  const lines = works.flatMap((work) => {
    const own = answers.filter((one) => one.work === work);
    const points = own.map(({ workers, seconds }) => `${x(workers)} ${y(seconds)}`).join('L');
    const [first] = own;
    return [
      `  <path class="line ${work}" d="M${points}"/>`,
      `  <text class="note" x="${Number(x(first!.workers)) + 6}" y="${Number(y(first!.seconds)) - 5}">${work}</text>`,
    ];
  });
  return [
    `  <text class="title" x="${left}" y="${PANEL.top - 22}">${title}</text>`,
    ...grid,
    ...marks,
    `  <text class="note" x="${left + PANEL.width / 2}" y="${bottom + 36}" text-anchor="middle">workers</text>`,
    ...lines,
  ].join('\n');
}

/** Where a value stands between two others, by powers: 0 to 1. */
function part(value: number, { from, to }: { readonly from: number; readonly to: number }): number {
  return Math.min(1, Math.max(0, Math.log(value / from) / Math.log(to / from)));
}
