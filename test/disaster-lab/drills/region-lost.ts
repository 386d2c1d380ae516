import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { killServer } from '../../harness/clusters.ts';
import { settle } from '../acknowledgements.ts';
import { type Drill, PATIENCE_MS } from '../drill.ts';
import { measure, type Row } from '../row.ts';
import { acceptances, assess, dr, makePlan, showRun } from '../run.ts';
import { eventIds, makeWorld, type World } from '../world.ts';
import { writeUnderBackup } from './damage.ts';

export const REGION_LOST: Drill = {
  name: 'D6',
  does: 'the region of the primary is gone with its bucket, and so are all standbys',
  run: async ({ world: options }) => {
    const world = await makeWorld({ ...options, vaults: 'buckets', spares: ['west'] });
    try {
      return await rebuild(world, { archive: null, text: 'rebuilt from the copy in the bucket of west' });
    } finally {
      await world.stop();
    }
  },
};

export const ONLY_ARCHIVE: Drill = {
  name: 'D7',
  does: 'the same, and nothing is left of any backup but the archive tier',
  run: async ({ world: options }) => {
    const world = await makeWorld({ ...options, vaults: 'buckets', spares: ['west'] });
    try {
      const archive = join(world.folder, 'archive');
      mkdirSync(archive);
      return await rebuild(world, { archive, text: 'rebuilt from the archive tier alone' });
    } finally {
      await world.stop();
    }
  },
};

interface Rebuild {
  /** Where the only copy goes to; null: to the other regions. */
  readonly archive: string | null;
  readonly text: string;
}

async function rebuild(world: World, { archive, text }: Rebuild): Promise<Row> {
  const spare = world.spares.get('west')!;
  const writers = await writeUnderBackup(world);
  await copyVault(world, archive);
  await writers.waitForAcks(100, PATIENCE_MS);
  for (const { process } of Object.values(world.servers)) await killServer(process);
  await world.buckets.get('east')!.destroy();
  const assessMs = await assess(world);
  const { plan } = await makePlan(world, ['--trigger', 'region_outage', '--region', 'west']);
  assert.equal(plan.strategy.kind, 'full_rebuild');
  await dr(world, ['execute', '--approve', plan.planId, ...acceptances(plan)], [0, 10]);
  await writers.waitForServer(spare.address.host, PATIENCE_MS);
  await writers.waitForAcks(20, PATIENCE_MS);
  await writers.stop();
  const { lostIds: _, ...account } = settle(writers.log.all, await eventIds(spare));
  assert.ok(account.lost < account.acked, 'nothing came back');
  const row = measure(world, await showRun(world, plan.planId), writers);
  assert.equal(row.writers, 1);
  return { ...{ ...row, assessMs, account }, found: `${text}; lost is what came after the last sync` };
}

/** By `eventcore sync`: into the vaults of the other regions, or into the one that is the archive tier afterwards. */
async function copyVault(world: World, archive: string | null): Promise<void> {
  if (archive !== null) world.configure({ replicas: [{ region: 'deep', storage: archive }] });
  const { code, stderr } = await world.run(['sync', '--no-progress']);
  assert.equal(code, 0, stderr);
  if (archive !== null) world.configure({ archive });
}
