/** Lives of random runs in three regions against a model: `npm run soak:regions [-- STEPS [SEED]]`. */
import { liveThrough } from '../harness/regions/run.ts';

const [steps = 20_000, firstSeed = 1000] = process.argv.slice(2).map(Number);
/** A store that grew for longer would only make each step slower. */
const STEPS_OF_A_LIFE = 500;

const totals = new Map<string, number>();
for (let done = 0, seed = firstSeed; done < steps; done += STEPS_OF_A_LIFE, seed += 1) {
  const counts = await liveThrough(seed, Math.min(STEPS_OF_A_LIFE, steps - done));
  for (const [what, count] of counts) totals.set(what, (totals.get(what) ?? 0) + count);
}
console.log(`${steps} steps: every restore point that the rules keep was there and came back whole`);
for (const [what, count] of [...totals].sort()) console.log(`${String(count).padStart(7)}  ${what}`);
