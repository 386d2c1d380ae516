/**
 * npm run bench:serve -- [--events 2000000] [--rounds 6] [--viewers 1000] [--idle-seconds 180] [--json FILE]
 *
 * What the daemon costs. At rest with three stores: memory of its process, and processor time of it and all that it starts. Beside a full
 * backup of a store in PostgreSQL, with that many people looking at the console: the backup's time against the same with nobody there, in turn.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openPostgresStore } from '../src/stores/postgres/store.ts';
import { generateBatches } from '../src/testing/event-generator.ts';
import { freePort } from '../test/harness/free-port.ts';
import { startPostgres, type TestPostgres } from '../test/harness/postgres.ts';
import { readTree } from './process-tree.ts';
import { startViewers } from './viewers.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '2000000' },
    rounds: { type: 'string', default: '6' },
    viewers: { type: 'string', default: '1000' },
    'idle-seconds': { type: 'string', default: '180' },
    json: { type: 'string' },
  },
});
const [EVENTS, ROUNDS, VIEWERS, IDLE_SECONDS] = [
  values.events,
  values.rounds,
  values.viewers,
  values['idle-seconds'],
].map(Number) as [number, number, number, number];
/** As it is published: the sources would be translated at each start. */
const MAIN = path.join(import.meta.dirname, '../dist/cli/main.js');
const BATCH_BYTES = 4 << 20;
const STORES = ['shop', 'orders', 'payments'];
/** What a start brings with it is over by then. */
const SETTLE_MS = 20_000;
/** A round begins when what the one before has left is written. */
const BETWEEN_MS = 4000;
/** The daemon has told those who came when to come again, and they do: as many each second as it lets them. */
const SETTLED_MS = 60_000;

async function main(): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'eventcore-serve-cost-'));
  const server = await startPostgres({
    settings: { shared_buffers: '512MB', max_wal_size: '8GB', fsync: 'on', checkpoint_timeout: '1h' },
  });
  try {
    const configs = await prepare(server, folder);
    const daemon = await startDaemon(configs, folder);
    try {
      const idle = await measureIdle(daemon.child.pid!);
      console.log(
        `at rest, ${STORES.length} stores: ${idle.processMiB.toFixed(0)} MiB, ${idle.corePercent.toFixed(2)} % of a core`,
      );
      const rounds = await measureViewers(daemon, configs[0]!, folder);
      const ratio = ROUNDS === 0 ? null : report(rounds);
      const settings = { events: EVENTS, viewers: VIEWERS, processors: availableParallelism() };
      const document = { settings, idle, ratio, rounds };
      console.log(JSON.stringify(document));
      if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(document, null, 2)}\n`);
    } finally {
      daemon.child.kill('SIGTERM');
      await once(daemon.child, 'close');
    }
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true });
  }
}

/** One store with many events, and two small ones; a backup and a log of each. */
async function prepare(server: TestPostgres, folder: string): Promise<string[]> {
  const configs: string[] = [];
  for (const [i, name] of STORES.entries()) {
    await server.createDatabase(name);
    await fill(server.address(name), i === 0 ? EVENTS : 1000);
    await server.exec('VACUUM ANALYZE', name);
    mkdirSync(path.join(folder, name));
    const config = path.join(folder, `${name}.yaml`);
    writeFileSync(config, configOf(server.address(name), name));
    await finished(startEventcore(['backup', 'full', '--config', config, '--quiet'], folder));
    configs.push(config);
  }
  return configs;
}

function configOf(address: string, name: string): string {
  return [
    `store: '${address}'`,
    ...['primary:', '  region: home', `  storage: file:./${name}/vault`],
    ...['objectives:', '  rpo: 1h', '  verified_within: 30d'],
    ...['serve:', '  jobs:', '    incremental: { every: 1h }', '    verify: "0 5 * * *"', ''],
  ].join('\n');
}

async function fill(address: string, events: number): Promise<void> {
  const store = openPostgresStore(address);
  await store.initialise();
  const session = await store.openRestore({ attemptId: crypto.randomUUID(), replace: false });
  const writer = await session.openWriter({ alone: true });
  for (const batch of generateBatches({ seed: 1, events, batchBytes: BATCH_BYTES }))
    await writer.write(batch);
  await writer.end();
  await session.finishLoad();
  await session.publish();
  await store.close();
}

function startEventcore(words: readonly string[], cwd: string): ChildProcess {
  return spawn(process.execPath, [MAIN, ...words], { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
}

async function finished(child: ChildProcess): Promise<void> {
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`eventcore ended with ${code}`);
}

interface Daemon {
  readonly child: ChildProcess;
  readonly base: string;
}

async function startDaemon(configs: readonly string[], cwd: string): Promise<Daemon> {
  const listen = `127.0.0.1:${await freePort()}`;
  const child = startEventcore(['serve', ...configs, '--listen', listen], cwd);
  const base = `http://${listen}`;
  for (let tries = 0; tries < 100; tries += 1) {
    await sleep(200);
    const answer = await fetch(`${base}/livez`).catch(() => null);
    if (answer?.status === 200) return { child, base };
  }
  throw new Error('the daemon does not answer');
}

/** Long enough that what runs now and then is in it as often as it comes. */
async function measureIdle(pid: number) {
  await sleep(SETTLE_MS);
  const cpuOf = (): number => {
    const [own] = readTree(pid);
    return (own?.cpuSeconds ?? 0) + (own?.endedChildrenCpuSeconds ?? 0);
  };
  const before = cpuOf();
  const begunMs = performance.now();
  await sleep(IDLE_SECONDS * 1000);
  const seconds = (performance.now() - begunMs) / 1000;
  const [own] = readTree(pid);
  return { processMiB: own?.residentMiB ?? 0, corePercent: ((cpuOf() - before) / seconds) * 100 };
}

interface Round {
  readonly viewed: boolean;
  readonly seconds: number;
  readonly answersPerSecond: number;
  readonly failures: number;
  readonly daemonCpuSeconds: number;
}

async function measureViewers({ child, base }: Daemon, config: string, cwd: string): Promise<Round[]> {
  const pages = ['/', '/stores/shop', '/stores/shop/backups'];
  const rounds: Round[] = [];
  for (let pair = 0; pair < ROUNDS; pair += 1) {
    // In turn which comes first: what the first leaves behind is the second's.
    for (const viewed of pair % 2 === 0 ? [false, true] : [true, false]) {
      const viewers = viewed ? await startViewers(base, VIEWERS, pages) : null;
      await sleep(viewed ? SETTLED_MS : BETWEEN_MS);
      viewers?.takeCounts();
      const cpuBefore = readTree(child.pid!)[0]?.cpuSeconds ?? 0;
      const begunMs = performance.now();
      await finished(startEventcore(['backup', 'full', '--config', config, '--quiet'], cwd));
      const seconds = (performance.now() - begunMs) / 1000;
      const { answers, failures } = viewers?.takeCounts() ?? { answers: 0, failures: 0 };
      const daemonCpuSeconds = (readTree(child.pid!)[0]?.cpuSeconds ?? 0) - cpuBefore;
      await viewers?.stop();
      rounds.push({ viewed, seconds, answersPerSecond: answers / seconds, failures, daemonCpuSeconds });
    }
  }
  return rounds;
}

/** Each pair of rounds beside one another gives a ratio: what drifts over the hour is in both. */
function report(rounds: readonly Round[]): number {
  console.log(`viewers  backup s  answers/s  no page  daemon CPU s`);
  for (const { viewed, seconds, answersPerSecond, failures, daemonCpuSeconds } of rounds) {
    const cells = [
      String(viewed ? VIEWERS : 0).padStart(7),
      seconds.toFixed(2).padStart(8),
      answersPerSecond.toFixed(1).padStart(9),
      String(failures).padStart(7),
      daemonCpuSeconds.toFixed(2).padStart(12),
    ];
    console.log(cells.join('  '));
  }
  const ratios = Array.from({ length: rounds.length / 2 }, (_, i) => {
    const pair = rounds.slice(2 * i, 2 * i + 2);
    return pair.find(({ viewed }) => viewed)!.seconds / pair.find(({ viewed }) => !viewed)!.seconds;
  }).sort((a, b) => a - b);
  const middle = ratios.length >> 1;
  const ratio = ratios.length % 2 === 1 ? ratios[middle]! : (ratios[middle - 1]! + ratios[middle]!) / 2;
  console.log(
    `a backup beside ${VIEWERS} viewers takes ${ratio.toFixed(3)} of its time (${ratios.length} pairs, ${ratios[0]!.toFixed(3)} to ${ratios.at(-1)!.toFixed(3)})`,
  );
  return ratio;
}

await main();
