import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openStore, systemWriters } from '../../src/cli/wire.ts';
import type { DrillTargets } from '../../src/core/drill-target.ts';
import { NO_TRUST_POLICY } from '../../src/core/trust.ts';
import type { Vault } from '../../src/core/vault.ts';
import type { DrillPorts, DrillSettings } from '../../src/drills/context.ts';
import { runDrill } from '../../src/drills/drill.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { sqliteFileTargets } from '../../src/targets/sqlite-files.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { backUp, testClock } from '../harness/memory-backup.ts';
import { makeRing } from '../harness/test-keys.ts';

const SETTINGS: DrillSettings = {
  ...{ only: null, select: 'newest', backup: null, samplePercentage: 50, fullNotDue: null },
  ...{ keepOnFailure: false, cleanup: true, objectives: {}, parallel: 1, format: 'columns' },
  ...{ compression: 'zstd', software: 'test', deadlineMs: 60_000 },
};

describe('a drill', () => {
  const folder = mkdtempSync(join(tmpdir(), 'drill-'));
  const store = memoryStore();
  const vault = memoryVault();
  before(async () => {
    await store.initialise();
    for (let stream = 0; stream < 5; stream += 1) {
      await store.append([{ streamId: `s-${stream}`, events: [{ type: 'Noted', data: '{"n":1}' }] }]);
    }
    await backUp(store, vault);
  });
  after(() => rmSync(folder, { recursive: true }));

  const targets = (): DrillTargets => sqliteFileTargets({ folder, openStore, writers: systemWriters });
  const ports = (changes: Partial<DrillPorts> = {}): DrillPorts => ({
    ...{ store, vault, targets: targets(), regions: [], clock: testClock, writers: systemWriters },
    keys: { ring: makeRing([]), signer: null, trust: NO_TRUST_POLICY },
    ...{ checks: { statements: [], modules: [] }, scratchVault: memoryVault, random: Math.random },
    ...changes,
  });
  const run = async (changes: Partial<DrillPorts> = {}, settings: Partial<DrillSettings> = {}) => {
    const { signal } = new AbortController();
    const report = await runDrill(ports(changes), { ...SETTINGS, ...settings }, signal);
    return { ...report, states: Object.fromEntries(report.tests.map(({ name, state }) => [name, state])) };
  };

  it('passes, says what does not apply, and measures', async () => {
    const report = await run();
    assert.deepEqual(report.states, {
      ...{ backup_creation: 'passed', backup_verification: 'passed', partial_restore: 'passed' },
      ...{ full_restore: 'passed', point_in_time_recovery: 'skipped', cross_region_restore: 'skipped' },
      negative_canary: 'passed',
    });
    assert.equal(report.overallSuccess, true);
    assert.equal(report.measurements.eventsAtRisk, 0);
    const full = report.measurements.restores.find(({ test }) => test === 'full_restore')!;
    assert.equal(full.events, 5);
    assert.ok(full.phases.some(({ name }) => name === 'loading events'));
    assert.ok(report.measurements.restores.every(({ bytes }) => bytes > 0));
  });

  it('has failed when damage passes for sound, whatever else passes', async () => {
    const blind = (): Vault => {
      const sound = memoryVault();
      // As a cache that gives what it saw first under a name, in whatever vault.
      return {
        ...sound,
        readRange: async (name, offset, length) => {
          const key = `${name} ${offset} ${length}`;
          const bytes = CACHE.get(key) ?? (await sound.readRange(name, offset, length)).slice();
          CACHE.set(key, bytes);
          return bytes.slice();
        },
      };
    };
    const report = await run({ scratchVault: blind }, { only: ['backup_verification'] });
    assert.deepEqual(report.states, { backup_verification: 'passed', negative_canary: 'failed' });
    assert.equal(report.overallSuccess, false);
    const canary = report.tests.at(-1)!;
    assert.match(canary.reason!, /was flipped, and verification passed/);
  });

  it('goes on after a test that fails, whatever it fails with', async () => {
    const sound = targets();
    let made = 0;
    const failing: DrillTargets = {
      ...sound,
      create: async () => {
        made += 1;
        if (made === 1) throw new TypeError('a bug');
        return sound.create();
      },
    };
    const report = await run({ targets: failing });
    assert.deepEqual([report.states.backup_creation, report.states.full_restore], ['failed', 'passed']);
    assert.equal(report.tests[0]!.code, 'internal');
    assert.equal(report.overallSuccess, false);
  });

  it('ends a test that waits for ever, and runs the others', async () => {
    const sound = targets();
    let made = 0;
    const hanging: DrillTargets = {
      ...sound,
      create: async () => {
        made += 1;
        return made === 1 ? new Promise(() => undefined) : sound.create();
      },
    };
    const report = await run({ targets: hanging }, { deadlineMs: 4000, only: ['backup_creation'] });
    assert.deepEqual(report.states, { backup_creation: 'failed', negative_canary: 'passed' });
    assert.match(report.tests[0]!.reason!, /longer than 4000 ms/);
  });

  it('misses what was promised when a restore takes too long', async () => {
    const report = await run({}, { only: ['full_restore'], objectives: { rtoMs: 0.001 } });
    assert.equal(report.states.full_restore, 'failed');
    assert.match(report.tests[0]!.reason!, /the objective rto is missed/);
    assert.equal(report.objectives[0]!.met, false);
  });

  it('finds a restored store that holds other events than the backup, or would not take new ones', async () => {
    const sound = targets();
    const forgetful: DrillTargets = {
      ...sound,
      create: async () => {
        const target = await sound.create();
        return { ...target, store: { ...target.store, count: async () => ({ events: 4, streams: 5 }) } };
      },
    };
    const few = await run({ targets: forgetful }, { only: ['full_restore'] });
    assert.match(few.tests[0]!.reason!, /has 4 events in 5 streams, 5 in 5 were restored/);
    const unguarded: DrillTargets = {
      ...sound,
      create: async () => {
        const target = await sound.create();
        return { ...target, tryGuards: async () => [{ statement: 'DELETE', outcome: 'done' }] };
      },
    };
    const open = await run({ targets: unguarded }, { only: ['full_restore'] });
    assert.match(open.tests[0]!.reason!, /let an? DELETE of an event pass/);
  });

  it('finds a vault of another store, and one that is empty while the store is not', async () => {
    const other = memoryStore();
    await other.initialise();
    const empty = memoryVault();
    await backUp(other, empty);
    const none = await run({ vault: empty }, { only: ['partial_restore'] });
    assert.match(none.tests[0]!.reason!, /the backup holds no event, and the store has 5/);
    assert.equal((await run({ vault: empty, store: other })).overallSuccess, true);
    await other.append([{ streamId: 's-1', events: [{ type: 'Noted', data: '{"n":2}' }] }]);
    const foreign = memoryVault();
    await backUp(other, foreign);
    const mixed = await run({ vault: foreign }, { only: ['partial_restore'] });
    assert.match(mixed.tests[0]!.reason!, /is another one in the live store than in the backup/);
  });

  it('holds data and metadata of a sample against the live store, whatever is in them', async () => {
    for (const change of [{ metadata: '{"by":"nobody"}' }, { metadata: null }, { data: '{"n":' }]) {
      const changed = {
        ...store,
        readStream: async (...asked: Parameters<typeof store.readStream>) =>
          (await store.readStream(...asked)).map((event) => ({ ...event, ...change })),
      };
      const report = await run({ store: changed }, { only: ['partial_restore'] });
      const { code, reason } = report.tests[0]!;
      assert.equal(code, 'verification_failed', JSON.stringify(change));
      assert.match(reason!, /is another one in the live store than in the backup/);
    }
  });

  it('ends when it is interrupted, and leaves nothing', async () => {
    const stop = new AbortController();
    const running = runDrill(ports(), SETTINGS, stop.signal, { onStep: () => stop.abort() });
    await assert.rejects(running, { code: 'interrupted' });
    assert.deepEqual(await targets().removeLeftovers(), []);
  });
});

const CACHE = new Map<string, Uint8Array>();
