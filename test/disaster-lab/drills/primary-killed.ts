import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { killServer, stopSenders } from '../../harness/clusters.ts';
import { startCopy } from '../../harness/postgres.ts';
import { settle } from '../acknowledgements.ts';
import { DATABASE } from '../config.ts';
import { type Drill, type DrillOptions, PATIENCE_MS } from '../drill.ts';
import { sqlInside } from '../region-servers.ts';
import { measure, type Row } from '../row.ts';
import { acceptances, assess, dr, makePlan, showRun } from '../run.ts';
import { eventIds, makeWorld, type World } from '../world.ts';
import type { Writers } from '../writers.ts';

/** How long the standbys get nothing before the primary dies. */
const STALL_MS = 1200;
const REFUSED = 9;

export const PRIMARY_KILLED: Drill = {
  name: 'D1',
  does: 'kill -9 of the primary under load, standbys stalled before, asynchronous',
  run: async (options) => {
    const world = await makeWorld(options.world);
    try {
      return await killPrimary(world, options);
    } finally {
      await world.stop();
    }
  },
};

export const SYNCHRONOUS_PRIMARY_KILLED: Drill = {
  name: 'D2',
  does: 'the same with a synchronous standby (ANY 1), the other one stalled',
  run: async (options) => {
    const world = await makeWorld({ ...options.world, isSynchronous: true, config: { maxDataLoss: '20kB' } });
    try {
      return await killSynchronousPrimary(world, options);
    } finally {
      await world.stop();
    }
  },
};

async function killPrimary(world: World, { isShort }: DrillOptions): Promise<Row> {
  const { east } = world.servers;
  const writers = await writeUnderSamples(world, isShort);
  stopSenders(east.process);
  await sleep(STALL_MS);
  await killServer(east.process);
  const assessMs = await assess(world);
  const { plan } = await makePlan(world, ['--trigger', 'region_outage']);
  await dr(world, ['execute', '--approve', plan.planId, ...acceptances(plan)], [0, 10]);
  const chosen = await newPrimary(world);
  await writers.waitForServer(chosen.address.host, PATIENCE_MS);
  await writers.waitForAcks(20, PATIENCE_MS);
  await writers.stop();
  const { lostIds, ...account } = settle(writers.log.all, await eventIds(chosen));
  assert.ok(account.lost > 0, 'nothing was lost: the standbys were not behind');
  const salvaged = await salvage(world, plan.planId);
  const acked = new Set(writers.log.all.filter(({ ackedAtMs }) => ackedAtMs !== null).map(({ id }) => id));
  assert.deepEqual(salvaged.ids.filter((id) => acked.has(id)).toSorted(), lostIds.toSorted());
  assert.equal(salvaged.reported, salvaged.ids.length);
  const run = await showRun(world, plan.planId);
  const others = salvaged.ids.length - lostIds.length;
  return {
    ...measure(world, run, writers),
    ...{ assessMs, account },
    found: `salvage reports ${salvaged.reported}: the ${account.lost} lost and ${others} that nobody was told of; the plan estimated ${plan.estimatedDataLoss.events ?? 'no number of'} (${plan.estimatedDataLoss.basis})`,
  };
}

async function killSynchronousPrimary(world: World, { isShort }: DrillOptions): Promise<Row> {
  const { east, west, south } = world.servers;
  const writers = await writeUnderSamples(world, isShort);
  await stallSender(world, 'south');
  await sleep(STALL_MS);
  await killServer(east.process);
  const assessMs = await assess(world);
  const refusal = await refuseLaggard(world);
  const { plan } = await makePlan(world, ['--trigger', 'region_outage']);
  assert.equal(plan.strategy.targetRegion, 'west', 'the laggard was chosen');
  await dr(world, ['execute', '--approve', plan.planId, ...acceptances(plan)], [0, 10]);
  await writers.waitForServer(west.address.host, PATIENCE_MS);
  await writers.stop();
  const { lostIds, ...account } = settle(writers.log.all, await eventIds(west));
  assert.deepEqual(lostIds, []);
  assert.equal((await sqlInside(south, 'SELECT pg_is_in_recovery() AS is'))[0]!.is, true);
  const run = await showRun(world, plan.planId);
  return {
    ...measure(world, run, writers),
    ...{ assessMs, account },
    found: `the laggard as target: ${refusal}`,
  };
}

/** Whoever wants the standby that lacks something must say so. */
async function refuseLaggard(world: World): Promise<string> {
  const { plan } = await makePlan(world, ['--trigger', 'region_outage', '--region', 'south']);
  const { code, stderr } = await dr(world, ['execute', '--approve', plan.planId], [REFUSED]);
  assert.match(stderr, /--accept-data-loss/);
  assert.equal((await sqlInside(world.servers.south, 'SELECT pg_is_in_recovery() AS is'))[0]!.is, true);
  return `exit code ${code}, without --accept-data-loss`;
}

/** Writers under way, and samples of where the primary stands. */
async function writeUnderSamples(world: World, isShort: boolean): Promise<Writers> {
  world.start(['dr', 'sample', '--interval', '1s']);
  const writers = world.write(isShort ? { count: 4, pauseMs: 5 } : {});
  await writers.waitForAcks(isShort ? 300 : 3000, PATIENCE_MS);
  await waitForSample(world);
  return writers;
}

async function waitForSample({ vaults: { west } }: World): Promise<void> {
  const lateMs = performance.now() + PATIENCE_MS;
  const samples = join(west, 'disaster/samples');
  const has = (): boolean => {
    try {
      return readdirSync(samples, { recursive: true }).some((name) => String(name).endsWith('.json'));
    } catch {
      return false;
    }
  };
  while (!has()) {
    assert.ok(performance.now() < lateMs, 'no sample was taken');
    await sleep(50);
  }
}

/** One standby gets nothing more, and no end either. */
async function stallSender({ servers: { east } }: World, standby: string): Promise<void> {
  const [row] = await sqlInside(
    east,
    `SELECT pid FROM pg_stat_replication WHERE application_name = '${standby}'`,
  );
  process.kill(Number(row!.pid), 'SIGSTOP');
}

async function newPrimary({ servers: { west, south } }: World) {
  for (const server of [west, south]) {
    const [row] = await sqlInside(server, 'SELECT pg_is_in_recovery() AS is');
    if (row!.is === false) return server;
  }
  throw new Error('no standby was promoted');
}

/** The dead server's files are started as a copy that nobody writes to, and compared with the new primary. */
async function salvage(world: World, planId: string): Promise<{ reported: number; ids: string[] }> {
  const copy = await startCopy(world.servers.east.process);
  try {
    const words = ['resume', planId, '--salvage-from', copy.address(DATABASE), '--json'];
    const { stdout } = await dr(world, words, [0, 10]);
    return { reported: (JSON.parse(stdout) as { events: number }).events, ids: salvagedIds(world, planId) };
  } finally {
    await copy.stop();
  }
}

/** From the file with the events, in whatever vault it lies. */
function salvagedIds({ vaults }: World, planId: string): string[] {
  const files = Object.values(vaults).flatMap((vault) => filesOf(join(vault, 'disaster/runs', planId)));
  const file = files.filter((path) => /\/salvage-\d+\.jsonl$/.test(path)).at(-1);
  assert.ok(file !== undefined, 'salvage wrote no events');
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => (JSON.parse(line) as { id: string }).id);
}

function filesOf(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
}
