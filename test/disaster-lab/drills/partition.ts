import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { settle, writersAtOnce } from '../acknowledgements.ts';
import { DATABASE } from '../config.ts';
import { type Drill, type DrillOptions, PATIENCE_MS } from '../drill.ts';
import { type LabServer, sqlInside } from '../region-servers.ts';
import { measure, type Row } from '../row.ts';
import { acceptances, assess, dr, makePlan, showRun } from '../run.ts';
import { allTaken, eventIds, makeWorld, type World } from '../world.ts';
import type { Writers } from '../writers.ts';

const LEASE_TTL = '3s';
/** How long is watched after the network is whole again. */
const HEALED_MS = 5000;
const REFUSED = 9;
/** The only fence is one that has to be asked. */
const UNREACHABLE = { fences: ['postgres'] } as const;

export const PARTITION: Drill = {
  name: 'D3',
  does: 'the primary is cut off and lives on, with applications beside it',
  run: async (options) => {
    const world = await makeWorld({ vaults: 'buckets', ...options.world, config: UNREACHABLE });
    try {
      // What it knows of the primary, nobody can ask for any longer: a lease is that of a system and a timeline.
      world.start(['dr', 'sample', '--interval', '1s']);
      const refusal = await refuseWithoutFence(world);
      return await failOverByLease(world, refusal);
    } finally {
      await world.stop();
    }
  },
};

/** The half of it that tests have time for. */
export const PARTITION_WITHOUT_FENCE: Drill = {
  name: 'D3a',
  does: 'the primary is cut off and lives on, and no fence reaches it',
  run: async (options: DrillOptions) => {
    const world = await makeWorld({ ...options.world, config: UNREACHABLE });
    try {
      return await refuseWithoutFence(world);
    } finally {
      await world.stop();
    }
  },
};

/** Only the old primary's own rules could fence it, and nobody gets there to write them. */
async function refuseWithoutFence(world: World): Promise<Row> {
  const { east, west, south } = world.servers;
  const outside = world.write({ count: 2 });
  const inside = writeInside(world);
  await Promise.all([outside.waitForAcks(50, PATIENCE_MS), inside.waitForAcks(50, PATIENCE_MS)]);
  east.host.cut();
  const assessMs = await assess(world);
  const { plan } = await makePlan(world, ['--trigger', 'region_outage']);
  const words = ['execute', '--approve', plan.planId, ...acceptances(plan).filter(isNoSplitBrain)];
  await dr(world, words, [REFUSED]);
  for (const server of [west, south]) assert.equal(await isStandby(server), true, 'a standby was promoted');
  await inside.waitForAcks(20, PATIENCE_MS);
  const run = await showRun(world, plan.planId);
  east.host.heal();
  await outside.waitForAcks(50, PATIENCE_MS);
  await Promise.all([outside.stop(), inside.stop()]);
  const { lostIds: _, ...account } = settle(inside.log.all, await eventIds(east));
  const taken = [...allTaken(outside.log, world.watcher), ...allTaken(inside.log, world.watcher)];
  const writers = Math.max(writersAtOnce(taken), world.watcher.mostInOneRound());
  assert.equal(writers, 1);
  return {
    ...measure(world, run, outside),
    ...{ assessMs, account, writers, rtoMs: null },
    found: `no promotion, exit code ${REFUSED}`,
  };
}

function isNoSplitBrain(flag: string): boolean {
  return flag !== '--accept-split-brain';
}

async function failOverByLease(world: World, refusal: Row): Promise<Row> {
  const { east, west } = world.servers;
  const vault = world.buckets.get('south')!;
  world.configure({ fences: ['postgres', 'lease'], lease: { vault: vault.address, ttl: LEASE_TTL } });
  for (const server of [east, west]) await startGuard(world, server);
  const outside = world.write({ count: 2 });
  const inside = writeInside(world);
  await Promise.all([outside.waitForAcks(50, PATIENCE_MS), inside.waitForAcks(50, PATIENCE_MS)]);
  east.host.cut();
  const { plan } = await makePlan(world, ['--trigger', 'region_outage']);
  const words = ['execute', '--approve', plan.planId, ...acceptances(plan).filter(isNoSplitBrain)];
  await dr(world, words, [0, 10]);
  await outside.waitForServer(west.address.host, PATIENCE_MS);
  east.host.heal();
  await sleep(HEALED_MS);
  await Promise.all([outside.stop(), inside.stop()]);
  const taken = [...allTaken(outside.log, world.watcher), ...allTaken(inside.log, world.watcher)];
  const writers = Math.max(writersAtOnce(taken), world.watcher.mostInOneRound());
  assert.equal(writers, 1, 'two servers took writes');
  const run = await showRun(world, plan.planId);
  const sent = [...outside.log.all, ...inside.log.all].toSorted((a, b) => a.sentAtMs - b.sentAtMs);
  const { lostIds: _, ...account } = settle(sent, await eventIds(west));
  return {
    ...measure(world, run, outside),
    ...{ assessMs: refusal.assessMs, account, writers },
    found: `without a fence: ${refusal.found}; with the lease of ${LEASE_TTL}: promoted, and one writer after healing`,
  };
}

/** Applications of the region that is cut off. */
function writeInside({ write, servers: { east } }: World): Writers {
  return write({ count: 2, pauseMs: 2, at: { ...east.inside, shownAs: east.address.host } });
}

/** Until the guard has said what it guards: an open primary that holds the lease, or a standby. */
async function startGuard(world: World, server: LabServer): Promise<void> {
  const { host, inside, process } = server;
  const lease = await world.buckets.get('south')!.addressFor(host);
  const socket = `postgres:///${DATABASE}?host=${inside.host}&port=${inside.port}&user=postgres`;
  const words = ['dr', 'guard', '--server', socket, '--data-dir', process.dataDir];
  const guard = world.start([...words, '--lease-vault', lease, '--ttl', LEASE_TTL], { host });
  let said = '';
  for (const stream of [guard.stdout, guard.stderr]) {
    stream?.on('data', (text: Buffer) => {
      said += text.toString();
    });
  }
  const lateMs = performance.now() + PATIENCE_MS;
  while (!/ (open|standby): /.test(said)) {
    assert.ok(performance.now() < lateMs, `the guard of ${host.name} is not ready: ${said}`);
    await sleep(50);
  }
}

async function isStandby(server: LabServer): Promise<boolean> {
  return (await sqlInside(server, 'SELECT pg_is_in_recovery() AS is'))[0]!.is === true;
}
