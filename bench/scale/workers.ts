/**
 * Four workers against one, each as slow as the other, and a queue against none: `npm run bench:workers`. Ends with 1 where four are less than
 * 3.6 times as quick, or where the queue costs more than 5 %.
 */
import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadHistory } from '../dataset.ts';
import { closeGround, type Ground, openGround, requireDisk } from '../ground.ts';
import { describeMachine, machineText } from '../machine.ts';
import { median } from '../results.ts';
import { parseSize, sizeText } from '../sizes.ts';
import { formatTable } from '../tables.ts';
import { WORKS, type Work } from './costs.ts';
import { observe } from './observe.ts';
import { startWorkers } from './worker-processes.ts';

const USAGE = `usage: npm run bench:workers -- [options]
  --events SIZE    of the store (default: 1M)
  --rate RATE      of each worker, where four are held against one (default: 250kB/s: two processors carry all of them, and
                   what only the coordinator does is little beside it)
  --rounds N       pairs of a run without a queue and one with it (default: 5)
  --only NAME      speed or queue (default: both)`;

/** As many parts as there are workers are as large as each other. */
const WORKERS = 4;
const LEAST_SPEED = 3.6;
const MOST_OVERHEAD = 0.05;
/** Of one worker, and of the threads that it is held against. */
const THREADS = 2;
/** It takes a second, of which anything else on the machine takes a part. */
const VERIFICATIONS = 3;
const [SOURCE, TARGET, QUEUE] = ['source', 'target', 'jobs'];

const options = readOptionsOrExit();
const ground = await openGround();
try {
  await requireDisk(ground, options.events);
  await ground.postgres.createDatabase(SOURCE);
  await loadHistory(ground.postgres.address(SOURCE), options.events);
  await ground.postgres.exec('VACUUM ANALYZE eventcore_events', SOURCE);
  await ground.postgres.createDatabase(QUEUE);
  writeFileSync(keyFile(ground), randomBytes(32).toString('base64'), { mode: 0o600 });
  console.log(`${sizeText(options.events)} events; ${machineText(describeMachine(ground.postgres.binDir))}`);
  if (options.only !== 'queue') await compareSpeed();
  if (options.only !== 'speed') await compareQueue();
} finally {
  await closeGround(ground);
}

function readOptionsOrExit() {
  try {
    const { values } = parseArgs({
      options: {
        ...{ events: { type: 'string', default: '1M' }, rate: { type: 'string', default: '250kB/s' } },
        ...{ rounds: { type: 'string', default: '5' }, only: { type: 'string' } },
      },
    });
    const [events, rounds] = [parseSize(values.events), parseSize(values.rounds)];
    if (events === null || rounds === null) throw new Error('sizes are numbers, as 300k or 1M');
    if (values.only !== undefined && !['speed', 'queue'].includes(values.only))
      throw new Error(`--only ${values.only}?`);
    return { ...values, events, rounds };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    process.exit(2);
  }
}

function keyFile({ folder }: Ground): string {
  return join(folder, 'queue.key');
}

function queueFlags(): string[] {
  return ['--queue', ground.postgres.address(QUEUE), '--queue-key', `file:${keyFile(ground)}`];
}

/** Seconds of each work, by workers that all have the same rate. */
async function compareSpeed(): Promise<void> {
  const seconds = new Map<number, Readonly<Record<Work, number>>>();
  for (const count of [1, WORKERS]) {
    const flags = [...queueFlags(), '--concurrency', '1', '--rate-limit', options.rate];
    const workers = await startWorkers(count, flags);
    try {
      seconds.set(count, await runWorks([...queueFlags(), '--parallel', String(WORKERS)], 1));
    } finally {
      await workers.stop();
    }
  }
  const [one, four] = [seconds.get(1)!, seconds.get(WORKERS)!];
  const rows = WORKS.map((work) => [
    work,
    ...[one[work].toFixed(1), four[work].toFixed(1), (one[work] / four[work]).toFixed(2)],
    verdict(one[work] / four[work] >= LEAST_SPEED),
  ]);
  const head = [
    `${options.rate} each`,
    'one worker s',
    `${WORKERS} workers s`,
    'times as quick',
    `${LEAST_SPEED} or more`,
  ];
  console.log(`\n${formatTable(head, rows)}`);
}

/** The same by threads of one process and by a worker with as many, in turns. */
async function compareQueue(): Promise<void> {
  const ratios: Record<Work, number[]> = { backup: [], verify: [], restore: [] };
  const plain: Record<Work, number[]> = { backup: [], verify: [], restore: [] };
  const workers = await startWorkers(1, [...queueFlags(), '--concurrency', String(THREADS)]);
  try {
    for (let round = 0; round < options.rounds; round += 1) {
      const parallel = ['--parallel', String(THREADS)];
      const without = await runWorks([...parallel, '--no-queue'], VERIFICATIONS);
      const withIt = await runWorks([...parallel, ...queueFlags()], VERIFICATIONS);
      for (const work of WORKS) {
        ratios[work].push(withIt[work] / without[work]);
        plain[work].push(without[work]);
      }
    }
  } finally {
    await workers.stop();
  }
  const rows = WORKS.map((work) => {
    const overhead = median(ratios[work]) - 1;
    const [least, most] = [Math.min(...ratios[work]) - 1, Math.max(...ratios[work]) - 1];
    const figures = [
      median(plain[work]).toFixed(2),
      percent(overhead),
      `${percent(least)} to ${percent(most)}`,
    ];
    return [work, ...figures, verdict(overhead <= MOST_OVERHEAD)];
  });
  console.log(`\n${formatTable(['', 'in process s', 'with the queue', 'from, to', '5 % or less'], rows)}`);
}

function percent(part: number): string {
  return `${part >= 0 ? '+' : ''}${(part * 100).toFixed(1)} %`;
}

function verdict(isReached: boolean): string {
  if (!isReached) process.exitCode = 1;
  return isReached ? 'reached' : 'NOT REACHED';
}

/** A backup that is not read back, its verification (so many times, of which the middle one counts), and a restore of it into an empty database. */
async function runWorks(
  flags: readonly string[],
  verifications: number,
): Promise<Readonly<Record<Work, number>>> {
  const { postgres, folder } = ground;
  const vault = join(folder, 'workers-vault');
  const parallel = Number(flags[flags.indexOf('--parallel') + 1]);
  // `verify` has no such option: its parts are files.
  const config = join(folder, 'workers.yaml');
  writeFileSync(config, `backup:\n  parallel: ${parallel}\n`);
  const queue = flags.filter(
    (_, i) => i !== flags.indexOf('--parallel') && i !== flags.indexOf('--parallel') + 1,
  );
  const run = async (args: readonly string[]): Promise<number> => {
    await postgres.exec('CHECKPOINT');
    const { wallSeconds } = await observe([...args, '--vault', vault, '--config', config], {
      serverPid: null,
    });
    return wallSeconds;
  };
  try {
    const source = postgres.address(SOURCE);
    const backup = await run(['backup', 'full', '--store', source, '--no-verify', ...flags]);
    const verified: number[] = [];
    for (let i = 0; i < verifications; i += 1) verified.push(await run(['verify', ...queue]));
    const verify = median(verified);
    await postgres.createDatabase(TARGET);
    const restore = await run(['restore', '--to', postgres.address(TARGET), ...flags]);
    return { backup, verify, restore };
  } finally {
    await postgres.exec(`DROP DATABASE IF EXISTS ${TARGET} WITH (FORCE)`);
    rmSync(vault, { recursive: true, force: true });
  }
}
