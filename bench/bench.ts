/**
 * Measures backup and restore against what PostgreSQL brings, in one run, in turns: `npm run bench -- [--events N]
 * [--runs N] [--json FILE]`. Starts a PostgreSQL of its own. Peers that are not installed are named and left out.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Measured, measure, median } from '../test/harness/measure.ts';
import { startPostgres } from '../test/harness/postgres.ts';
import { type Contender, contenders, type Ground } from './contenders.ts';
import { loadGenerated } from './dataset.ts';
import { printTable, type Result } from './table.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '1000000' },
    runs: { type: 'string', default: '3' },
    json: { type: 'string' },
  },
});
const events = Number(values.events);
const runs = Number(values.runs);

/** The same for all: what a server of 2 GB would have. Nothing that only helps us. */
const SETTINGS = { shared_buffers: '1GB', max_wal_size: '8GB', fsync: 'on', maintenance_work_mem: '64MB' };

const folder = await mkdtemp(join(tmpdir(), 'eventcore-bench-'));
const postgres = await startPostgres({ settings: SETTINGS });
try {
  const source = await postgres.createDatabase('source');
  console.log(`loading ${events} events …`);
  await loadGenerated(postgres.address(source), events);
  await postgres.exec('VACUUM ANALYZE eventcore_events', source);
  await postgres.exec('CHECKPOINT');
  const ground: Ground = { postgres, folder, source, address: postgres.address(source) };
  const here = contenders(ground).filter((contender) => isInstalled(contender));
  const results = await runInTurns(here);
  console.log(machine());
  printTable(results, events);
  if (values.json !== undefined) await writeFile(values.json, JSON.stringify(summary(results), null, 2));
} finally {
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}

function isInstalled(contender: Contender): boolean {
  if (contender.needs === null || existsSync(contender.needs)) return true;
  console.log(`left out: ${contender.name} (${contender.needs} is not installed)`);
  return false;
}

/** A B C, A B C, …: so that a machine that speeds up or slows down does so for all. */
async function runInTurns(here: readonly Contender[]): Promise<Result[]> {
  const results = here.map((contender) => ({
    contender,
    measured: [] as Measured[],
    bytes: null as number | null,
  }));
  for (let run = 0; run < runs; run += 1) {
    for (const result of results) {
      const prepared = await result.contender.prepare(run);
      const measured = await measure(prepared.command);
      result.measured.push(measured);
      result.bytes = await prepared.bytes();
      console.log(`run ${run + 1}: ${result.contender.name}: ${measured.wallSeconds.toFixed(2)} s`);
      await prepared.cleanUp();
    }
  }
  return results;
}

function machine(): string {
  return `${availableParallelism()} cores, ${cpus()[0]?.model ?? 'unknown'}, Node ${process.versions.node}, medians of ${runs}`;
}

function summary(results: readonly Result[]) {
  return {
    events,
    machine: machine(),
    results: results.map(({ contender, measured, bytes }) => ({
      name: contender.name,
      work: contender.work,
      wallSeconds: median(measured.map((one) => one.wallSeconds)),
      cpuSeconds: median(measured.map((one) => one.cpuSeconds)),
      peakMiB: Math.max(...measured.map((one) => one.peakMiB)),
      bytes,
    })),
  };
}
