/** What a backup, its verification and a restore will take, and of what most: `npm run bench:scale`. docs/operating/scale.md is made of it. */
import { parseArgs } from 'node:util';
import { closeGround, openGround, requireDisk } from '../ground.ts';
import { describeMachine, machineText } from '../machine.ts';
import { parseSize } from '../sizes.ts';
import { answerAll } from './answer-all.ts';
import { compareAll, comparisonTable, isFar, type Judged } from './compare.ts';
import { type Calibration, costsOf } from './costs.ts';
import { measureSizes } from './measure.ts';
import { readSaved, save } from './page.ts';
import { predict } from './predict.ts';

const USAGE = `usage: npm run bench:scale -- [options]
  --calibrate        measure what the model is made of; writes docs/operating/scale.json, the page and the picture
  --check            measure other sizes, and compare with what the model says; ends with 1 when one is off by more than 15 %
  --events A,B,…     other sizes than those; with both of the above, to compare with
  --runs N           how often each is measured; the quickest of each step counts (default: 3)
  --by time|cpu      what is judged: seconds (default), or processors' time, on a machine that others use
  --publish          write what --check found into the page
  --again            simulate anew what is asked of the numbers that are there, and write the page`;

/** Of a step that two parts share, two sizes at least have two parts. */
const CALIBRATED_WITH = [50_000, 200_000, 500_000, 1_500_000];
const CHECKED_WITH = [100_000, 300_000, 1_000_000, 2_000_000];

const options = readOptionsOrExit();
if (options.calibrate || options.check) await run();
if (options.again) again();

function readOptionsOrExit() {
  try {
    const { values } = parseArgs({
      options: {
        ...{ calibrate: { type: 'boolean', default: false }, check: { type: 'boolean', default: false } },
        ...{ events: { type: 'string' }, runs: { type: 'string', default: '3' } },
        ...{ publish: { type: 'boolean', default: false }, again: { type: 'boolean', default: false } },
        by: { type: 'string', default: 'time' },
      },
    });
    const sizes = values.events?.split(',').map(parseSize);
    const runs = parseSize(values.runs);
    if (sizes?.includes(null) || runs === null) throw new Error('sizes are numbers, as 100k or 2M');
    if (values.by !== 'time' && values.by !== 'cpu') throw new Error(`--by ${values.by}: time or cpu`);
    if (!values.calibrate && !values.check && !values.again) throw new Error('nothing to do');
    return { ...values, by: values.by as Judged, sizes: sizes as number[] | undefined, runs };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    process.exit(2);
  }
}

async function measure(sizes: readonly number[]) {
  const ground = await openGround();
  try {
    await requireDisk(
      ground,
      sizes.reduce((sum, size) => sum + 2 * size, Math.max(...sizes)),
    );
    const measured = await measureSizes(ground, sizes, options.runs, console.log);
    return { ...measured, machine: describeMachine(ground.postgres.binDir) };
  } finally {
    await closeGround(ground);
  }
}

type Measured = Awaited<ReturnType<typeof measure>>;

/** Measures all that is wanted in turns, so that what the model is made of and what it is held against had the same machine. */
async function run(): Promise<void> {
  const [model, held] = sizesOf();
  const measured = await measure([...model, ...held].toSorted((a, b) => a - b));
  if (options.calibrate) calibrate(ofSizes(measured, model));
  if (options.check) check(ofSizes(measured, held));
}

/** What a model is made of now, and what one is held against. */
function sizesOf(): readonly [readonly number[], readonly number[]] {
  const { calibrate, check, sizes } = options;
  const model = calibrate ? (check ? CALIBRATED_WITH : (sizes ?? CALIBRATED_WITH)) : [];
  const held = check ? (sizes ?? CHECKED_WITH) : [];
  const made = calibrate ? model : readSaved().calibration.events;
  const known = held.filter((size) => made.includes(size));
  if (known.length > 0) throw new Error(`${known.join(', ')}: the model is made of these sizes`);
  return [model, held];
}

function ofSizes(measured: Measured, sizes: readonly number[]): Measured {
  return { ...measured, observations: measured.observations.filter(({ events }) => sizes.includes(events)) };
}

function calibrate({ machine, bytes, observations }: Measured): void {
  const events = [...new Set(observations.map((one) => one.events))];
  const date = new Date().toISOString().slice(0, 10);
  const calibration: Calibration = { date, machine, events, runs: options.runs, bytes, observations };
  save({ calibration, answers: answerAll(calibration), compared: null });
}

function check({ observations, machine }: Measured): void {
  const saved = readSaved();
  const { calibration } = saved;
  const compared = compareAll(costsOf(calibration), observations, machine.cores);
  console.log(`\n${comparisonTable(compared, options.by)}\n`);
  console.log(`calibrated on ${calibration.date}: ${machineText(calibration.machine)}`);
  const far = compared.filter((one) => isFar(one, options.by));
  console.log(
    far.length === 0 ? 'all within 15 %' : `${far.length} of ${compared.length} are further off than 15 %`,
  );
  if (options.publish) save({ ...saved, compared });
  if (far.length > 0) process.exitCode = 1;
}

/** What was measured is as it was; what the model makes of it may be other than it was. */
function again(): void {
  const { calibration, compared } = readSaved();
  const [costs, { cores }] = [costsOf(calibration), calibration.machine];
  save({
    ...{ calibration, answers: answerAll(calibration) },
    compared: compared?.map((one) => ({ ...one, predicted: predict(costs, { ...one, cores }) })) ?? null,
  });
}
