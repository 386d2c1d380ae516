/**
 * Fortnights of a daemon, and pairs of daemons, under a simulated clock with all that can go wrong:
 * `npm run soak:fortnight [-- --seeds N --days D --pairs P --from SEED]`.
 */
import { parseArgs } from 'node:util';
import { live } from '../daemon/fortnight/life.ts';
import { type Problem, problemsOf, timelineOf } from '../daemon/fortnight/oracle.ts';
import { liveAsPair, pairProblems } from '../daemon/fortnight/pair.ts';
import type { World } from '../daemon/fortnight/world.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    days: { type: 'string', default: '14' },
    pairs: { type: 'string', default: '500' },
    from: { type: 'string', default: '0' },
  },
});
const [seeds, days, pairs, from] = [values.seeds, values.days, values.pairs, values.from].map(Number) as [
  number,
  number,
  number,
  number,
];
const HOURS = 2;
const totals = { runs: 0, backups: 0, told: 0, failed: 0 };

function judge(what: string, world: World, problems: readonly Problem[]): void {
  totals.runs += world.runs.length;
  totals.backups += world.points.size;
  totals.told += world.told.length;
  if (problems.length === 0) return;
  totals.failed += 1;
  console.log(`${what} ${world.seed}: ${problems.length} problems`);
  for (const { text } of problems.slice(0, 10)) console.log(`  ${text}`);
  console.log(timelineOf(world, problems.slice(0, 1)));
}

for (let seed = from; seed < from + seeds; seed += 1) {
  const world = await live(seed, days);
  judge('fortnight', world, await problemsOf(world));
  if (seed % 10 === 9) console.log(`seed ${seed}: ${JSON.stringify(totals)}`);
}
for (let seed = from; seed < from + pairs; seed += 1) {
  const world = await liveAsPair(seed, HOURS);
  judge('pair', world, pairProblems(world, HOURS));
}
console.log(`${seeds} fortnights of ${days} days and ${pairs} pairs: ${JSON.stringify(totals)}`);
process.exitCode = totals.failed === 0 ? 0 : 1;
