import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openStore } from '../../src/cli/wire.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import { sqlCheck } from '../../src/integrity/checks/custom.ts';
import { type LookPorts, lookAtStore } from '../../src/integrity/monitor/look.ts';
import { readSweep } from '../../src/policy/sweep.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { fillStore, makeFolder } from '../harness/command.ts';

const CHECKS = [
  sqlCheck({ name: 'each_run', sql: 'SELECT 1 AS message WHERE 1 = 0' }),
  sqlCheck({ name: 'each_round', sql: 'SELECT 1 AS message WHERE 1 = 0', every: 'sweep' }),
  sqlCheck({ name: 'failing', sql: 'SELECT absent FROM nowhere' }),
];
const OPTIONS = {
  ...{ percentage: 50, statementTimeoutMs: 5000, maxReplicationLagMs: 60_000, clockToleranceMs: 300_000 },
  ...{ requiredMetadata: [], also: [] },
};

describe('a look at the store', () => {
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  let store: EventStore;
  let paced = 0;
  const ports = (): LookPorts => ({
    ...{ store, vault: memoryVault(), keys: null, checks: CHECKS, nowMs: Date.now, randomSeed: () => 7 },
    pace: async (bytes) => {
      paced += bytes;
    },
  });
  before(async () => {
    folder = await makeFolder();
    const address = `sqlite:${join(folder.path, 'events.db')}`;
    await fillStore(address, 4000);
    store = await openStore(address);
  });
  after(async () => {
    await store.close();
    await folder.remove();
  });

  it('asks what costs much when a round ends, or when it is asked for', async () => {
    const made = async (sweep: object | null, also: readonly string[] = []) => {
      const look = await lookAtStore(ports(), sweep, { ...OPTIONS, also });
      return {
        sweep: look.endSweep([]),
        isMade: look.checks.some(({ name }) => name === 'each_round'),
        look,
      };
    };
    const first = await made(null);
    assert.equal(first.isMade, false);
    assert.equal(first.look.lookedAt.wasMade('each_round', 'store'), false);
    assert.equal(first.look.lookedAt.wasMade('each_run', 'store'), true);
    assert.equal((await made(null, ['each_round'])).isMade, true);
    const second = await made(first.sweep);
    assert.equal(second.isMade, true);
    assert.equal(readSweep(second.sweep)!.buckets.round, 1);
    const looked = [first, second].map(({ look }) => look.looked.events);
    assert.equal(looked[0]! + looked[1]!, 4000, 'two halves are the whole');
    assert.ok(paced > 0);
  });

  it('looks at all of it when all is asked for, wherever the round stands', async () => {
    const first = await lookAtStore(ports(), null, OPTIONS);
    const all = await lookAtStore(ports(), first.endSweep([]), { ...OPTIONS, percentage: 100 });
    assert.equal(all.looked.events, 4000);
  });

  it('knows what it could not see: a check that fails, and a comparison without a backup', async () => {
    const { sight, skipped, lookedAt, looked } = await lookAtStore(ports(), null, OPTIONS);
    assert.deepEqual(sight.blind, ['check failing', 'comparison']);
    assert.ok(sight.clear.includes('store') && sight.clear.includes('check each_run'));
    assert.match(skipped.join(), /failing: .*nowhere[\s\S]*no backup in/);
    assert.equal(lookedAt.wasMade('failing', 'store'), false);
    assert.equal(lookedAt.wasMade('event_changed', 'block 0'), false);
    assert.equal(lookedAt.wasMade('event_time_odd', 'block 0'), true);
    assert.equal(looked.comparedWith, null);
  });

  it('looks again at what stays open, and begins anew where what is recorded is no sweep', async () => {
    const look = await lookAtStore(ports(), { seed: 'x' }, OPTIONS);
    const sweep = look.endSweep([{ kind: 'bucket', number: 999 }]);
    assert.deepEqual(readSweep(sweep)!.suspects[0], { kind: 'bucket', number: 999 });
    const next = await lookAtStore(ports(), sweep, { ...OPTIONS, percentage: 1 });
    assert.ok(next.lookedAt.places!.has('bucket 999'));
  });
});
