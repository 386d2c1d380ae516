import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import type { JobEnd } from '../../src/core/job.ts';
import type { Vault } from '../../src/core/vault.ts';
import { claimRun, readRuns, recordEnd } from '../../src/daemon/job-records.ts';
import { beginName, endName } from '../../src/format/job-record.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { passOn } from '../../src/vaults/wrappers/pass.ts';
import { datedVault } from '../harness/dated-vault.ts';

const RUN = { job: 'full', wantedAt: '2026-11-29T12:00:00.000Z', attempt: 1 } as const;
const BEGIN = {
  ...{ ...RUN, startedAt: RUN.wantedAt, daemon: 'one', software: 's', reason: 'it is due', missed: 0 },
};
const END: JobEnd = {
  ...{ ...RUN, endedAt: '2026-11-29T12:05:00.000Z', durationMs: 300_000 },
  ...{ state: 'succeeded', exitCode: 0, code: null, facts: {} },
};

/** A vault that counts what is read of it. */
function countingVault(): { readonly vault: Vault; readonly reads: string[]; nowMs: number } {
  const world = { reads: [] as string[], nowMs: Date.parse(RUN.wantedAt), vault: memoryVault() };
  const inner = datedVault(world.vault, () => world.nowMs);
  world.vault = passOn(inner, {
    readRange: (name, offset, length) => {
      world.reads.push(name);
      return inner.readRange(name, offset, length);
    },
  });
  return world;
}

describe('what a daemon remembers of records', () => {
  it('has each of them read once, and its end when that comes', async () => {
    const { vault, reads } = countingVault();
    await claimRun(vault, BEGIN);
    for (let i = 0; i < 3; i += 1)
      assert.deepEqual(await readRuns(vault, 'full', 10), [{ begin: BEGIN, end: null }]);
    await recordEnd(vault, END);
    for (let i = 0; i < 3; i += 1)
      assert.deepEqual(await readRuns(vault, 'full', 10), [{ begin: BEGIN, end: END }]);
    assert.deepEqual(reads, [beginName(RUN), endName(RUN)]);
  });

  it('is nothing of what is gone, and of another one in its place', async () => {
    const world = countingVault();
    await claimRun(world.vault, BEGIN);
    await readRuns(world.vault, 'full', 10);
    await world.vault.removeObject(beginName(RUN));
    assert.deepEqual(await readRuns(world.vault, 'full', 10), []);
    world.nowMs += 1;
    const other = { ...BEGIN, daemon: 'two' };
    await claimRun(world.vault, other);
    assert.deepEqual(await readRuns(world.vault, 'full', 10), [{ begin: other, end: null }]);
  });

  it('tries again what cannot be read, and keeps no more than it may', async () => {
    const { vault, reads } = countingVault();
    const writer = await vault.createObject(beginName(RUN));
    await writer.write(Buffer.from('{}'));
    await writer.commit();
    for (let i = 0; i < 2; i += 1) assert.deepEqual(await readRuns(vault, 'full', 10), []);
    assert.equal(reads.length, 2);
    for (let second = 0; second < 600; second += 1) {
      const wantedAt = new Date(Date.parse(RUN.wantedAt) + second * 1000 + 1000).toISOString();
      await claimRun(vault, { ...BEGIN, wantedAt, daemon: randomUUID() });
    }
    const count = async (limit: number): Promise<number> => {
      reads.length = 0;
      await readRuns(vault, 'full', limit);
      return reads.length;
    };
    assert.deepEqual([await count(500), await count(500)], [500, 0]);
    assert.deepEqual([await count(600), await count(100)], [100, 100]);
  });
});
