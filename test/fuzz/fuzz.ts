/**
 * npm run fuzz -- [--inputs N] [--seed S] [--target NAME] [--minutes M]
 *
 * Feeds every parser of the project with damaged and made-up input, N for each target (default 20,000), and fails where one
 * breaks its promises: it throws something else than it says, takes more than a second or more than 256 MiB, or
 * reads what it would not write. The same seed gives the same inputs. What was found is written to fuzz-findings/.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { renderTable } from '../../src/cli/render/table.ts';
import { runGuarded } from './engine/guarded-run.ts';
import { type Finding, LIMITS, type TargetResult } from './engine/run-target.ts';
import { TARGETS } from './targets.ts';

const FINDINGS = 'fuzz-findings';

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string', multiple: true },
    minutes: { type: 'string' },
  },
});
const inputs = Number(values.inputs);
const seed = Number(values.seed);
const names = TARGETS.map(({ name }) => name).filter((name) => values.target?.includes(name) ?? true);
if (names.length === 0 || !(inputs > 0) || !Number.isSafeInteger(seed)) {
  console.error(
    `usage: --inputs N --seed S --minutes M --target ${TARGETS.map(({ name }) => name).join('|')}`,
  );
  process.exit(2);
}
// The time is shared out evenly.
const shareMs = values.minutes === undefined ? null : (Number(values.minutes) * 60_000) / names.length;

const results: TargetResult[] = [];
for (const target of names) {
  const endAtMs = shareMs === null ? null : Date.now() + shareMs;
  const module = new URL('./targets.ts', import.meta.url).href;
  const result = await runGuarded({ module, target, inputs, seed, limits: LIMITS, endAtMs });
  results.push(result);
  console.error(`${target}: ${result.inputs} inputs${result.finding === null ? '' : ', a finding'}`);
}

console.log(table(results).join('\n'));
const findings = results.flatMap(({ finding }) => finding ?? []);
for (const finding of findings) report(finding);
process.exitCode = findings.length === 0 ? 0 : 1;

function table(rows: readonly TargetResult[]): string[] {
  const sum = (key: 'inputs' | 'accepted' | 'refused'): number =>
    rows.reduce((all, row) => all + row[key], 0);
  const most = (key: 'slowestMs' | 'peakBytes'): number => Math.max(...rows.map((row) => row[key]));
  const total = {
    ...{ target: 'all', inputs: sum('inputs'), accepted: sum('accepted'), refused: sum('refused') },
    ...{ slowestMs: most('slowestMs'), peakBytes: most('peakBytes') },
  };
  return renderTable(
    ['target', 'inputs', 'accepted', 'refused', 'slowest ms', 'peak MiB'].map((title, i) => ({
      title,
      align: i === 0 ? 'left' : 'right',
    })),
    [...rows, total].map((row) => [
      row.target,
      ...[row.inputs, row.accepted, row.refused].map((count) => count.toLocaleString('en-US')),
      row.slowestMs.toFixed(1),
      (row.peakBytes / (1 << 20)).toFixed(1),
    ]),
  );
}

function report({ target, number, what, inputHex }: Finding): void {
  mkdirSync(FINDINGS, { recursive: true });
  const path = join(FINDINGS, `${target}-${seed}-${number}.txt`);
  writeFileSync(path, `${what}\n\nseed ${seed}, input ${number}\n${inputHex}\n`);
  console.error(`\n${target}, input ${number} of seed ${seed}: ${what}\n  ${path}`);
}
