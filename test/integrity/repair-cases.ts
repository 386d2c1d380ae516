import assert from 'node:assert/strict';
import { repairPorts } from '../../src/cli/monitor/repair-ports.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { Finding, RepairKind } from '../../src/core/finding.ts';
import type { RepairStatement } from '../../src/core/repair.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import type { RepairPlan } from '../../src/integrity/repair/plan.ts';
import type { RepairPorts } from '../../src/integrity/repair/ports.ts';
import { applyRepair, planRepair } from '../../src/integrity/repair/repair.ts';
import { verifyChains } from '../../src/integrity/verify/chains.ts';
import { numbered } from '../../src/testing/event-store/fixture.ts';
import { readAll } from '../../src/testing/event-store/restoring.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { backUpChanges, newestChain } from '../harness/chain-backup.ts';
import { backUp, testClock } from '../harness/memory-backup.ts';

/** A real store whose tables a test can get at behind the back of its guards. */
export interface RepairPlace {
  readonly store: EventStore;
  /** Runs SQL, which no trigger hinders, and gives the rows of the last statement. */
  exec(sql: string): Promise<Record<string, unknown>[]>;
  /** Every row of every table, and the definitions of tables, indexes and triggers. */
  dump(): Promise<unknown>;
}

/** A store of three streams with a full backup and an incremental one, and with events that no backup has. */
export async function backedUpStore(store: EventStore, vault: Vault = memoryVault()): Promise<Vault> {
  await store.initialise();
  for (const streamId of ['a', 'b', 'c']) await store.append([{ streamId, events: numbered(6) }]);
  await backUp(store, vault);
  await store.append([{ streamId: 'a', events: numbered(4, 7) }]);
  await backUpChanges(store, vault);
  await store.append([
    { streamId: 'a', events: numbered(2, 11) },
    { streamId: 'new', events: numbered(1) },
  ]);
  return vault;
}

export function found(streamId: string, repair: RepairKind, more: Partial<Finding> = {}): Finding {
  return {
    ...{
      check: 'made_up',
      rung: 'comparison',
      severity: 'damage',
      version: null,
      eventId: null,
      object: null,
    },
    ...{ events: 1, place: null, message: 'it is damaged', streamId, repair, ...more },
  };
}

export async function portsOf(store: EventStore, vault: Vault): Promise<RepairPorts> {
  return repairPorts(store, vault, await newestChain(vault), async () => []);
}

export async function plan(
  ports: RepairPorts,
  findings: readonly Finding[],
  {
    allowed = 'all',
    statements = [],
  }: { allowed?: RepairKind[] | 'all'; statements?: RepairStatement[] } = {},
): Promise<RepairPlan> {
  return planRepair(ports, { found: findings.map((finding) => ({ finding, statements })), allowed });
}

export function apply(ports: RepairPorts, planned: RepairPlan) {
  return applyRepair(ports, planned, { software: 'test' });
}

/** What the next incremental backup and `verify --against-store` find: nothing where a store is as it was backed up. */
async function differencesOf(store: EventStore, vault: Vault): Promise<unknown[]> {
  // It is refused where the store has lost or changed anything that the chain holds.
  await backUpChanges(store, vault);
  const catalog = await readCatalog(vault);
  const againstStore = { store, backups: new Set([catalog.backups.at(-1)!]) };
  const options = { quick: false, parallel: 1, againstStore };
  const results = await verifyChains({ vault, clock: testClock }, catalog, catalog.backups, options);
  return results.flatMap(({ verification }) => verification.problems);
}

interface DamageCase {
  readonly name: string;
  readonly sql: string;
  readonly finding: Finding;
  readonly steps: readonly string[];
  /** Rows of `eventcore_repairs`: kind, stream, version. */
  readonly kept: readonly (readonly unknown[])[];
}

const SWAP = `UPDATE eventcore_events SET stream_version = 1000 WHERE stream_id = 'b' AND stream_version = 2;
  UPDATE eventcore_events SET stream_version = 2 WHERE stream_id = 'b' AND stream_version = 3;
  UPDATE eventcore_events SET stream_version = 3 WHERE stream_id = 'b' AND stream_version = 1000`;

/** Damage that is put right to the very rows that were there. */
export const DAMAGE: readonly DamageCase[] = [
  {
    name: 'an event that was deleted behind the guards is reinstated',
    sql: `DELETE FROM eventcore_events WHERE stream_id = 'a' AND stream_version = 4`,
    finding: found('a', 'reinstate_events', { version: '4' }),
    steps: ['reinstate_events'],
    kept: [],
  },
  {
    name: 'a tail that was cut off is reinstated',
    sql: `DELETE FROM eventcore_events WHERE stream_id = 'b' AND stream_version > 3`,
    finding: found('b', 'reinstate_events'),
    steps: ['reinstate_events'],
    kept: [],
  },
  {
    name: 'a stream that is gone is reinstated',
    sql: `DELETE FROM eventcore_events WHERE stream_id = 'c'`,
    finding: found('c', 'reinstate_events'),
    steps: ['reinstate_events'],
    kept: [],
  },
  {
    name: 'a payload that was changed is put back',
    sql: `UPDATE eventcore_events SET event_data = '{"n": 666}' WHERE stream_id = 'a' AND stream_version = 8`,
    finding: found('a', 'put_back_events', { version: '8' }),
    steps: ['put_back_events'],
    kept: [['put_back_events', 'a', '8']],
  },
  {
    name: 'two versions that were exchanged are put back',
    sql: SWAP,
    finding: found('b', 'put_back_events', { version: '2' }),
    steps: ['put_back_events'],
    kept: [
      ['put_back_events', 'b', '2'],
      ['put_back_events', 'b', '3'],
    ],
  },
  {
    name: 'an event that was changed and lies elsewhere finds back, and the hole beside it is filled',
    sql: `DELETE FROM eventcore_events WHERE stream_id = 'b' AND stream_version = 6;
      UPDATE eventcore_events SET event_type = 'Broken', stream_version = 1005 WHERE stream_id = 'b' AND stream_version = 5`,
    finding: found('b', 'put_back_events', { version: '5' }),
    steps: ['put_back_events', 'reinstate_events'],
    kept: [['put_back_events', 'b', '1005']],
  },
];

/** Damages, plans, applies, and compares with what was there. */
export async function repairsToEquality(
  { store, exec }: RepairPlace,
  { sql, finding, steps, kept }: DamageCase,
): Promise<void> {
  const vault = await backedUpStore(store);
  const before = await readAll(store);
  await exec(sql);
  assert.notDeepEqual(await readAll(store), before);
  const ports = await portsOf(store, vault);
  const planned = await plan(ports, [finding]);
  assert.deepEqual([planned.steps.map(({ kind }) => kind), planned.refusals], [steps, []]);
  const result = await apply(ports, planned);
  assert.deepEqual(
    result.steps.map(({ outcome, reason }) => [outcome, reason]),
    steps.map(() => ['repaired', null]),
  );
  assert.deepEqual(await readAll(store), before);
  assert.deepEqual(await keptRows(exec, result.repairId), kept);
  assert.deepEqual((await plan(ports, [finding])).steps, []);
  assert.deepEqual(await differencesOf(store, vault), []);
}

export async function keptRows(exec: RepairPlace['exec'], repairId: string | null): Promise<unknown[]> {
  const tables = await exec(`SELECT * FROM eventcore_repairs ORDER BY kind, stream_id, stream_version`).catch(
    () => [],
  );
  return tables
    .filter((row) => row.repair_id === repairId)
    .map((row) => [row.kind, row.stream_id, row.stream_version === null ? null : String(row.stream_version)]);
}
