/**
 * Backups and restores by workers, while coordinators, workers and the server of the queue are killed, halted and cut off at random:
 * `npm run soak:workers [-- --rounds N --seed S --lanes L --events E]`. Each backup that is committed is whole and restores to equality, or it fails.
 * The seed draws what is done to whom; when it meets them is up to the machine. Ctrl-C begins no further round.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { awaitedLater } from '../../src/core/concurrency.ts';
import { formatDuration } from '../../src/core/units.ts';
import { makeRandom, type Random } from '../../src/testing/random.ts';
import { makeFolder } from '../harness/command.ts';
import { startPostgres } from '../harness/postgres.ts';
import {
  backUpRound,
  type Lane,
  lookAgainAtBackups,
  lookAgainAtRestored,
  prepareLane,
  type Round,
  restoreRound,
  wantsCalm,
} from '../harness/worker-rounds.ts';
import { startWorkerWorld, type WorkerWorld } from '../harness/worker-world.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '140' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    lanes: { type: 'string', default: '3' },
    events: { type: 'string', default: '50000' },
    keep: { type: 'boolean', default: false },
  },
});
const [rounds, seed, lanes] = [Number(values.rounds), Number(values.seed), Number(values.lanes)];

const WORKERS = 3;
/** Jobs take a while, so that faults meet them. */
const SLOWLY = ['--concurrency', '2', '--rate-limit', '400kB/s', '--per-store', '4'];
/** Longer than a worker is waited for: what it had is done by another, and then it goes on. */
const HALT_MS = 26_000;

/** What is done to all of it, again and again; in the second column how often, of all. */
const FAULTS: readonly (readonly [(world: WorkerWorld, random: Random) => void | Promise<void>, number])[] = [
  [(world, random) => world.killWorker(random.below(WORKERS)), 10],
  [(world, random) => world.haltWorker(random.below(WORKERS), HALT_MS), 3],
  [(world, random) => world.crashQueue(random.below(6000)), 3],
  [(world) => world.cutQueue(false), 3],
  [(world) => world.cutQueue(true), 2],
];

const state = { isOver: false, begun: 0 };
const done: Round[] = [];
const { path, remove } = await makeFolder();
const store = await startPostgres({ settings: { max_prepared_transactions: '60', max_connections: '200' } });
const world = await startWorkerWorld({ folder: path, workers: WORKERS, words: SLOWLY });
const begunMs = Date.now();
process.once('SIGINT', () => {
  state.begun = rounds;
});
console.log(`seed ${seed}, ${rounds} rounds in ${lanes} lanes, in ${path}`);

async function doHarm(random: Random, all: readonly Lane[]): Promise<void> {
  const lots = FAULTS.flatMap(([fault, share]) => Array.from({ length: share }, () => fault));
  const under: Promise<void>[] = [];
  while (!state.isOver) {
    await sleep(1000 + random.below(7000));
    const fault = lots[random.below(lots.length)]!;
    if (!state.isOver && !all.some(wantsCalm))
      under.push(awaitedLater(Promise.resolve(fault(world, random))));
  }
  await Promise.all(under);
}

async function work(lane: Lane): Promise<void> {
  for (let own = 1; !state.isOver && state.begun < rounds; own += 1) {
    state.begun += 1;
    const number = state.begun;
    const round = await (own % 4 === 0 ? restoreRound(lane) : backUpRound(lane));
    done.push(round);
    console.log(lineOf(number, lane, round));
    await lookAgainAtRestored(lane);
  }
}

function lineOf(number: number, { name }: Lane, round: Round): string {
  const { kind, events, kills, failures, committed, filesKept, ms, warnings } = round;
  const facts = [
    `${events} events`,
    formatDuration(ms),
    ...(kills === 0 ? [] : [`coordinator killed ${kills}×`]),
    ...(failures.length === 0 ? [] : [`gave up ${failures.length}×: ${failures.at(-1)}`]),
    ...(committed < 2 ? [] : [`${committed} backups`]),
    ...(filesKept === 0 ? [] : [`${filesKept} files kept`]),
    ...new Set(warnings),
  ];
  return `${String(number).padStart(4)} ${name} ${kind}: ${facts.join(', ')}`;
}

function table(checked: readonly { readonly backups: number; readonly strays: number }[]): string[] {
  const sum = (of: (round: Round) => number, kind?: Round['kind']) =>
    done
      .filter((round) => kind === undefined || round.kind === kind)
      .reduce((all, round) => all + of(round), 0);
  return [
    `backups committed       ${sum(({ committed }) => committed)}`,
    `  of those taken up     ${sum(({ filesKept }) => (filesKept > 0 ? 1 : 0))}, with ${sum(({ filesKept }) => filesKept)} files kept`,
    `restores done           ${sum(() => 1, 'restore')}`,
    `coordinators killed     ${sum(({ kills }) => kills)}`,
    `  that gave up          ${sum(({ failures }) => failures.length)}`,
    ...[...world.faults].sort().map(([what, times]) => `${what.padEnd(24)}${times}`),
    `events backed up        ${sum(({ events }) => events, 'backup')}`,
    `looked at again         ${checked.reduce((all, { backups }) => all + backups, 0)} backups with those on top of them`,
    `strays, in no manifest  ${checked.reduce((all, { strays }) => all + strays, 0)} objects`,
    `time                    ${formatDuration(Date.now() - begunMs)}`,
  ];
}

try {
  const random = makeRandom(seed);
  const all: Lane[] = [];
  for (let at = 0; at < lanes; at += 1) {
    const own = makeRandom(random.bits());
    all.push(await prepareLane(`lane-${at}`, { world, store, events: Number(values.events), random: own }));
  }
  const harm = doHarm(random, all);
  await Promise.all(all.map(work)).finally(() => {
    state.isOver = true;
  });
  await harm;
  for (const lane of all) await lookAgainAtRestored(lane, true);
  const checked = [];
  for (const lane of all) checked.push(await lookAgainAtBackups(lane));
  for (const line of table(checked)) console.log(line);
  console.log('no range is missing or doubled, and each restore is its backup');
} catch (error) {
  console.log(`VIOLATION (seed ${seed}): ${error instanceof Error ? error.stack : error}`);
  console.log(await world.describe());
  process.exitCode = 1;
} finally {
  state.isOver = true;
  await world.stop();
  await store.stop();
  if (!values.keep) await remove();
}
