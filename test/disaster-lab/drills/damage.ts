import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DisasterTrigger } from '../../../src/core/disaster.ts';
import { settle } from '../acknowledgements.ts';
import { nowMs } from '../clock.ts';
import type { RegionName } from '../config.ts';
import { type Drill, PATIENCE_MS } from '../drill.ts';
import { type LabServer, sqlInside } from '../region-servers.ts';
import { measure, type Row } from '../row.ts';
import { acceptances, dr, makePlan, showRun } from '../run.ts';
import { eventIds, makeWorld, type World } from '../world.ts';
import type { Writers } from '../writers.ts';

/** Instants around the last good one; all events that were acknowledged before and none that were sent after must be there. */
interface LastGood {
  readonly beforeMs: number;
  /** RFC 3339, by the server's clock. */
  readonly at: string;
  readonly afterMs: number;
}

const CORRUPTION = `ALTER TABLE eventcore_events DISABLE TRIGGER USER;
  UPDATE eventcore_events SET event_data = '{"damaged": true}' WHERE right(event_id::text, 1) IN ('0', '1', '2');
  DELETE FROM eventcore_events WHERE right(event_id::text, 1) = '3';
  ALTER TABLE eventcore_events ENABLE TRIGGER USER`;

const BREACH = `CREATE ROLE intruder LOGIN SUPERUSER; ${CORRUPTION}`;

export const CORRUPTION_DRILL: Drill = {
  name: 'D4',
  does: 'events are changed and deleted, and the standbys replay it',
  run: ({ world }) =>
    withDamage(
      { ...world, spares: ['east'] },
      { sql: CORRUPTION, trigger: 'data_corruption', spare: 'east' },
    ),
};

export const BREACH_DRILL: Drill = {
  name: 'D5',
  does: 'an intruder with all rights changes and deletes events',
  run: ({ world }) =>
    withDamage({ ...world, spares: ['west'] }, { sql: BREACH, trigger: 'security_breach', spare: 'west' }),
};

interface Damage {
  readonly sql: string;
  readonly trigger: DisasterTrigger;
  /** The region of the clean place. */
  readonly spare: RegionName;
}

async function withDamage(options: Parameters<typeof makeWorld>[0], damage: Damage): Promise<Row> {
  const world = await makeWorld(options);
  try {
    return await recoverFrom(world, damage);
  } finally {
    await world.stop();
  }
}

async function recoverFrom(world: World, { sql, trigger, spare: region }: Damage): Promise<Row> {
  const { east, west, south } = world.servers;
  const spare = world.spares.get(region)!;
  const writers = await writeUnderBackup(world);
  const good = await lastGood(east);
  await sqlInside(east, sql);
  await writers.waitForAcks(200, PATIENCE_MS);
  assert.ok((await damagedEvents(west)) > 0, 'the standby did not replay the damage');
  const { plan, planMs } = await makePlan(world, ['--trigger', trigger, '--region', region, '--at', good.at]);
  assert.ok(['local_restore', 'full_rebuild'].includes(plan.strategy.kind), plan.strategy.kind);
  await dr(world, ['execute', '--approve', plan.planId, ...acceptances(plan)], [0, 10]);
  await writers.waitForServer(spare.address.host, PATIENCE_MS);
  await writers.waitForAcks(20, PATIENCE_MS);
  await writers.stop();
  for (const { inside } of [west, south]) {
    assert.equal((await sqlInside({ inside }, 'SELECT pg_is_in_recovery() AS is'))[0]!.is, true);
  }
  await assertRestored(spare, writers, good);
  const { lostIds: _, ...account } = settle(writers.log.all, await eventIds(spare));
  const row = measure(world, await showRun(world, plan.planId), writers);
  assert.equal(row.writers, 1);
  return {
    ...{ ...row, assessMs: planMs, account },
    found: `${plan.strategy.kind} to the instant before: nothing damaged, nothing of before is missing, nothing of after is there; no standby promoted. Lost is what came after it`,
  };
}

/** A full backup, a log that goes on, and events in both. */
export async function writeUnderBackup(world: World): Promise<Writers> {
  const writers = world.write({ count: 4, pauseMs: 5 });
  await writers.waitForAcks(200, PATIENCE_MS);
  world.start(['archive']);
  await waitForSlot(world);
  const backup = await world.run(['backup', 'full', '--no-progress']);
  assert.equal(backup.code, 0, backup.stderr);
  await writers.waitForAcks(400, PATIENCE_MS);
  return writers;
}

async function waitForSlot({ servers: { east } }: World): Promise<void> {
  const lateMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const [row] = await sqlInside(east, 'SELECT count(*)::int AS n FROM pg_replication_slots WHERE active');
    if (Number(row!.n) > 0) return;
    assert.ok(performance.now() < lateMs, 'the archiver did not begin');
    await sleep(50);
  }
}

async function lastGood(server: LabServer): Promise<LastGood> {
  const beforeMs = nowMs();
  const [row] = await sqlInside(
    server,
    `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at`,
  );
  return { beforeMs, at: String(row!.at), afterMs: nowMs() };
}

async function damagedEvents(server: Pick<LabServer, 'inside'>): Promise<number> {
  const [row] = await sqlInside(
    server,
    `SELECT count(*)::int AS n FROM eventcore_events WHERE event_data ? 'damaged'`,
  );
  return Number(row!.n);
}

async function assertRestored(spare: LabServer, writers: Writers, good: LastGood): Promise<void> {
  assert.equal(await damagedEvents(spare), 0);
  const present = await eventIds(spare);
  const before = writers.log.all.filter(({ ackedAtMs }) => ackedAtMs !== null && ackedAtMs < good.beforeMs);
  assert.ok(before.length > 500, 'there was hardly anything to restore');
  const missing = before.filter(({ id }) => !present.has(id));
  assert.deepEqual(missing, []);
  const { host } = spare.address;
  const after = writers.log.all.filter(
    ({ id, sentAtMs, server }) => sentAtMs > good.afterMs && server !== host && present.has(id),
  );
  assert.deepEqual(after, []);
}
