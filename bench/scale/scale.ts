/** What a backup, its verification and a restore will take, and of what most: `npm run bench:scale`. docs/operating/scale.md is made of it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { closeGround, openGround, requireDisk } from '../ground.ts';
import { describeMachine, machineText } from '../machine.ts';
import { parseSize } from '../sizes.ts';
import { compareAll, comparisonTable, isFar, type Judged } from './compare.ts';
import { type Calibration, costsOf, type Observation } from './costs.ts';
import { measureSizes } from './measure.ts';

const USAGE = `usage: npm run bench:scale -- [options]
  --calibrate        measure what the model is made of, and write docs/operating/scale.json
  --check            measure other sizes, and compare with what the model says; ends with 1 when one is off by more than 15 %
  --events A,B,…     other sizes than those
  --runs N           how often each is measured; the quickest of each step counts (default: 3)
  --by time|cpu      what is judged: seconds (default), or processors' time, on a machine that others use
  --json FILE        write what --check measured there`;

export const CALIBRATION = join(import.meta.dirname, '../../docs/operating/scale.json');
const CALIBRATED_WITH = [50_000, 200_000, 700_000];
const CHECKED_WITH = [100_000, 300_000, 1_000_000, 2_000_000];

const options = readOptionsOrExit();
if (options.calibrate) await calibrate();
if (options.check) await check();

function readOptionsOrExit() {
  try {
    const { values } = parseArgs({
      options: {
        ...{ calibrate: { type: 'boolean', default: false }, check: { type: 'boolean', default: false } },
        ...{ events: { type: 'string' }, runs: { type: 'string', default: '3' }, json: { type: 'string' } },
        by: { type: 'string', default: 'time' },
      },
    });
    const sizes = values.events?.split(',').map(parseSize);
    const runs = parseSize(values.runs);
    if (sizes?.includes(null) || runs === null) throw new Error('sizes are numbers, as 100k or 2M');
    if (values.by !== 'time' && values.by !== 'cpu') throw new Error(`--by ${values.by}: time or cpu`);
    if (!values.calibrate && !values.check) throw new Error('nothing to do');
    return { ...values, by: values.by as Judged, sizes: sizes as number[] | undefined, runs };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    process.exit(2);
  }
}

async function measure(sizes: readonly number[]) {
  const ground = await openGround();
  try {
    await requireDisk(ground, Math.max(...sizes));
    const measured = await measureSizes(ground, sizes, options.runs, console.log);
    return { ...measured, machine: describeMachine(ground.postgres.binDir) };
  } finally {
    await closeGround(ground);
  }
}

async function calibrate(): Promise<void> {
  const events = options.sizes ?? CALIBRATED_WITH;
  const { machine, bytes, observations } = await measure(events);
  const date = new Date().toISOString().slice(0, 10);
  const calibration: Calibration = { date, machine, events, runs: options.runs, bytes, observations };
  writeFileSync(CALIBRATION, `${JSON.stringify(calibration, rounded, 1)}\n`);
}

/** No figure is known better than to a ten-thousandth. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toFixed(4)) : value;
}

async function check(): Promise<void> {
  const calibration = JSON.parse(readFileSync(CALIBRATION, 'utf8')) as Calibration;
  const sizes = options.sizes ?? CHECKED_WITH;
  const known = sizes.filter((size) => calibration.events.includes(size));
  if (known.length > 0) throw new Error(`${known.join(', ')}: the model was made of these sizes`);
  const { observations, machine } = await measure(sizes);
  if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(observations));
  report(calibration, observations, machine.cores);
  console.log(`calibrated on ${calibration.date}: ${machineText(calibration.machine)}`);
}

function report(calibration: Calibration, observations: readonly Observation[], cores: number): void {
  const compared = compareAll(costsOf(calibration), observations, cores);
  console.log(`\n${comparisonTable(compared, options.by)}\n`);
  const far = compared.filter((one) => isFar(one, options.by));
  console.log(
    far.length === 0 ? 'all within 15 %' : `${far.length} of ${compared.length} are further off than 15 %`,
  );
  if (far.length > 0) process.exitCode = 1;
}
