/**
 * npm run bench:drill [events] [sqlite|postgres]
 *
 * A drill with all its tests, the full and the cross-region restore among them, of a store of a million events: how long it takes in all,
 * each test, and each phase of each restore.
 */
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DrillReport } from '../src/drills/drill.ts';
import { startPostgres } from '../test/harness/postgres.ts';
import { loadHistory } from './dataset.ts';

const EVENTS = Number(process.argv[2] ?? 1_000_000);
const KIND = process.argv[3] ?? 'postgres';
const MAIN = path.join(import.meta.dirname, '../src/cli/main.ts');

const folder = await mkdtemp(path.join(tmpdir(), 'eventcore-drill-bench-'));
const server = KIND === 'postgres' ? await startPostgres({ settings: { max_wal_size: '8GB' } }) : null;
try {
  const store =
    server === null ? `sqlite:${folder}/events.db` : server.address(await server.createDatabase('shop'));
  const target = server === null ? `sqlite:${folder}` : server.address('postgres');
  const config = path.join(folder, 'eventcore.config.yaml');
  writeFileSync(config, configuration(store));
  await loadHistory(store, EVENTS);
  for (const words of [
    ['archive', '--once'],
    ['backup', 'full'],
    ['archive', '--once'],
    ['sync', '--region', 'near'],
  ])
    run(config, words);
  report(JSON.parse(run(config, ['drill', '--json', '--full', '--target', target])) as DrillReport);
} finally {
  await server?.stop();
  rmSync(folder, { recursive: true });
}

function configuration(store: string): string {
  return `store: "${store}"
primary: { region: here, storage: ./vault }
replicas: [{ region: near, storage: ./near }]
`;
}

function run(config: string, words: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...words, '--config', config], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (status === 0) return stdout;
  throw new Error(`${words.join(' ')} exited with ${status}: ${stdout}${stderr}`);
}

function report({ durationMs, tests, measurements, target }: DrillReport): void {
  console.log(`${EVENTS} events, into ${target}: ${seconds(durationMs)} in all`);
  for (const { name, state, ms, steps } of tests) {
    console.log(`\n${name.padEnd(24)} ${state.padEnd(8)} ${seconds(ms)}`);
    for (const step of steps) console.log(`    ${step.name.padEnd(32)} ${seconds(step.ms)}`);
  }
  for (const { test, region, restoreMs, phases, eventsPerSecond } of measurements.restores) {
    console.log(`\n${test} from ${region}: ${seconds(restoreMs)}, ${eventsPerSecond} events/s`);
    for (const { name, ms } of phases) console.log(`    ${name.padEnd(32)} ${seconds(ms)}`);
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2).padStart(8)} s`;
}
