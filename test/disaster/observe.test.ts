import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Observation } from '../../src/core/disaster.ts';
import { OBSERVE_LIMITS, type ObservePorts, observe } from '../../src/disaster/observe.ts';
import { hearsay } from '../../src/disaster/receivers.ts';
import { writeObject } from '../../src/format/data-file-writer.ts';
import { encodePrimary, primaryName } from '../../src/format/disaster-primary.ts';
import { putSample } from '../../src/format/disaster-sample.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { backUp, objectNames, overwrite, testClock } from '../harness/memory-backup.ts';
import { memoryServer } from '../harness/memory-server.ts';
import { switchedVault } from '../harness/switched-vault.ts';

const EAST = 'postgres://postgres@east:5432/events';
const WEST = 'postgres://postgres@west:5432/events';
const LIMITS = { ...OBSERVE_LIMITS, probeMs: 60, vantageMs: 80, vaultMs: 120 };

function ports(changes: Partial<ObservePorts> = {}): ObservePorts {
  return { clock: testClock, servers: [], vaults: [], vantages: [], health: [], ...changes };
}

describe('an observation', () => {
  it('asks all at the same time, and waits for nobody longer than its deadline', async () => {
    const way = switchedVault(memoryVault());
    way.manner = 'hangs';
    const servers = Array.from({ length: 8 }, (_, i) => memoryServer(`postgres://server-${i}/events`));
    for (const server of servers) server.manner = 'hangs';
    const never = (): Promise<never> => new Promise(() => {});
    const beganAtMs = performance.now();
    const seen = await observe(
      ports({
        servers: servers.map(({ server }) => server),
        vaults: [{ region: 'east', vault: way.vault, isArchive: false }],
        vantages: [{ name: 'office', run: never }],
        health: [{ region: 'east', url: 'https://east.example.com/health', ask: never }],
      }),
      LIMITS,
    );
    const tookMs = performance.now() - beganAtMs;
    assert.ok(tookMs < 2 * LIMITS.vaultMs, `took ${tookMs} ms`);
    assert.deepEqual(new Set(seen.observations.map(({ outcome }) => outcome)), new Set(['timed_out']));
    assert.equal(seen.observations.length, 8);
    assert.equal(seen.vaults[0]!.isReadable, false);
    assert.match(seen.vaults[0]!.reason!, /nothing came in \d+ ms/);
    assert.match(seen.warnings.join('\n'), /vantage point office did not answer: nothing came in/);
    assert.match(seen.warnings.join('\n'), /health address of region east, .* is not well/);
  });

  it('tells who refuses from who is not reached, and why', async () => {
    const [well, away, refusing] = ['a', 'b', 'c'].map((name) => memoryServer(`postgres://${name}/events`));
    away!.manner = 'away';
    refusing!.manner = 'refuses';
    const servers = [well!, away!, refusing!].map(({ server }) => server);
    const { observations, warnings } = await observe(ports({ servers }), LIMITS);
    assert.deepEqual(
      observations.map(({ vantage, server, outcome, reason }) => [vantage, server, outcome, reason]),
      [
        ['here', 'postgres://a/events', 'answered', null],
        ['here', 'postgres://b/events', 'unreachable', 'postgres://b/events: connection refused'],
        ['here', 'postgres://c/events', 'refused', 'postgres://c/events: too many clients'],
      ],
    );
    assert.deepEqual(warnings, []);
  });

  it('does not end by what nobody foresaw, and repeats nothing of it', async () => {
    const odd = memoryServer('postgres://a/events');
    const probe = (): Promise<never> => Promise.reject(new TypeError('password=hunter2'));
    const { observations } = await observe(ports({ servers: [{ ...odd.server, probe }] }), LIMITS);
    assert.equal(observations[0]!.outcome, 'refused');
    assert.equal(observations[0]!.reason, 'failed in a way that nobody foresaw (TypeError)');
  });

  it('reads samples and the last primary from all vaults, each once, of a vault that is away nothing', async () => {
    const vaults = [memoryVault(), memoryVault()];
    const sample = {
      ...{ sampledAt: '2026-11-29T18:00:00.000Z', region: 'east', server: EAST, timeline: 1 },
      ...{ systemIdentifier: '7301234567890123456', position: '0/5000028', eventsInserted: 12 },
    };
    for (const vault of vaults) await putSample(vault, sample);
    const later = { ...sample, sampledAt: '2026-11-29T18:00:05.000Z' };
    await putSample(vaults[1]!, later);
    const primary = {
      ...{ systemIdentifier: '7301234567890123456', timeline: 2, region: 'west', server: WEST },
      planId: '0192f0c4-5b7a-7e3a-9c41-2f5d3a1b8e70',
      recordedAt: '2026-11-29T18:13:05.123Z',
    };
    await writeObject(vaults[0]!, primaryName(1), encodePrimary({ ...primary, epoch: 3 }));
    await writeObject(vaults[1]!, primaryName(1), encodePrimary({ ...primary, epoch: 7 }));
    const gone = switchedVault(memoryVault());
    gone.manner = 'away';
    const seen = await observe(
      ports({
        vaults: [...vaults, gone.vault].map((vault) => ({ region: 'east', vault, isArchive: false })),
      }),
      LIMITS,
    );
    assert.deepEqual(seen.samples, [sample, later]);
    assert.equal(seen.lastPrimary?.epoch, 7);
    assert.deepEqual(
      seen.vaults.map(({ isReadable, newestPoint }) => [isReadable, newestPoint]),
      [
        [true, null],
        [true, null],
        [false, null],
      ],
    );
  });

  it('says what a vault brings back, by the newest instant, and what in it is damaged', async () => {
    const [vault, store] = [memoryVault(), memoryStore()];
    await store.initialise();
    await backUp(store, vault);
    const { manifest } = await backUp(store, vault);
    const place = { region: 'east', vault, isArchive: false };
    const { vaults } = await observe(ports({ vaults: [place] }), OBSERVE_LIMITS);
    const sound = { region: 'east', vault: 'memory:', isReadable: true, reason: null, isArchive: false };
    assert.deepEqual(vaults, [{ ...sound, newestPoint: manifest.createdAt, backups: 2 }]);
    const [name] = (await objectNames(vault)).filter((one) => one.endsWith('manifest.json'));
    await overwrite(vault, name!, Buffer.from('{}'));
    const [damaged] = (await observe(ports({ vaults: [place] }), OBSERVE_LIMITS)).vaults;
    assert.equal(damaged!.backups, 1);
    assert.equal(damaged!.isReadable, true);
    assert.ok(damaged!.reason !== null);
  });

  it('says what a health address answers', async () => {
    const health = [200, 503].map((status) => ({
      region: 'east',
      url: `https://east.example.com/${status}`,
      ask: async () => status,
    }));
    const seen = await observe(ports({ health }), LIMITS);
    assert.deepEqual(
      seen.health.map(({ isWell, text }) => [isWell, text]),
      [
        [true, 'answers 200'],
        [false, 'answers 503'],
      ],
    );
    assert.equal(seen.warnings.length, 1);
  });
});

describe('what a standby heard', () => {
  const upstream = { heardAgoMs: 200, host: 'east', port: 5432 };

  function seen(server: string, state: Partial<NonNullable<Observation['state']>> | null): Observation {
    const { state: whole } = memoryServer(server);
    const base = { vantage: 'here', region: server === EAST ? 'east' : 'west', server, ms: 3 };
    if (state === null) return { ...base, outcome: 'timed_out', state: null, reason: 'nothing came in 3 ms' };
    return { ...base, outcome: 'answered', state: { ...whole, ...state }, reason: null };
  }

  function heardBy(state: Partial<NonNullable<Observation['state']>>) {
    return hearsay([seen(EAST, null), seen(WEST, { role: 'standby', ...state })], 5000);
  }

  it('is one opinion more of the primary, by when and not by what its receiver says', () => {
    const { observations, warnings } = heardBy({ upstream });
    const place = { vantage: WEST, region: 'east', server: EAST, state: null };
    assert.deepEqual(observations, [{ ...place, outcome: 'answered', ms: 200, reason: null }]);
    assert.deepEqual(warnings, []);
    const [late] = heardBy({ upstream: { ...upstream, heardAgoMs: 48_000 } }).observations;
    assert.deepEqual([late!.outcome, late!.reason], ['timed_out', 'its receiver last heard it 48000 ms ago']);
    const [silent] = heardBy({ upstream: null }).observations;
    assert.deepEqual([silent!.server, silent!.outcome], [EAST, 'unreachable']);
  });

  it('is of the server that it streams from, however that host is called there', () => {
    for (const host of ['EAST', 'east.', '10.0.0.7']) {
      assert.equal(heardBy({ upstream: { ...upstream, host } }).observations[0]?.server, EAST, host);
    }
    const { observations, warnings } = heardBy({ upstream: { ...upstream, port: 6000 } });
    assert.deepEqual(observations, []);
    assert.match(warnings[0]!, /streams from east:6000, which is no server of the configuration/);
  });

  it('is nothing where several could be meant, and one that is a primary says nothing of others', () => {
    const two = [seen(EAST, null), seen('postgres://north/events', null)];
    const { observations, warnings } = hearsay(
      [...two, seen(WEST, { role: 'standby', upstream: null })],
      5000,
    );
    assert.deepEqual(observations, []);
    assert.match(warnings[0]!, /streams from nobody/);
    assert.deepEqual(hearsay([seen(EAST, {})], 5000), { observations: [], warnings: [] });
  });
});
