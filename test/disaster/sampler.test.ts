import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PositionSample } from '../../src/core/disaster.ts';
import type { Vault } from '../../src/core/vault.ts';
import { removeOldSamples, sampleOn, sampleOnce } from '../../src/disaster/sampler.ts';
import { listSamples, putSample, readNewestSamples } from '../../src/format/disaster-sample.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { testClock } from '../harness/memory-backup.ts';
import { memoryServer } from '../harness/memory-server.ts';
import { switchedVault } from '../harness/switched-vault.ts';

const EAST = 'postgres://postgres@east/events';
const WEST = 'postgres://postgres@west/events';
const never = new AbortController().signal;

function world() {
  const servers = [memoryServer(EAST, {}, 'east'), memoryServer(WEST, { role: 'standby' }, 'west')] as const;
  const ways = ['east', 'west', 'north'].map((region) => ({ region, way: switchedVault(memoryVault()) }));
  const told: string[] = [];
  const ports = {
    clock: testClock,
    servers: servers.map(({ server }) => server),
    vaults: ways.map(({ region, way }) => ({ region, vault: way.vault })),
    tell: (message: string) => void told.push(message),
  };
  return { servers, ways, told, ports };
}

async function count(vault: Vault): Promise<number> {
  return (await listSamples(vault)).length;
}

describe('a sample', () => {
  it('of whichever server is the primary goes into the vaults of the other regions', async () => {
    const { servers, ports } = world();
    const round = await sampleOnce(ports, { timeoutMs: 100, signal: never });
    assert.deepEqual([round.written, round.failed, round.samples.length], [3, 0, 1]);
    const [east, west, north] = ports.vaults.map(({ vault }) => vault) as [Vault, Vault, Vault];
    assert.equal(await count(east), 0);
    for (const vault of [west, north]) assert.deepEqual(await readNewestSamples(vault, 1), round.samples);
    servers[0].state = { ...servers[0].state, role: 'standby' };
    servers[1].state = { ...servers[1].state, role: 'primary', timeline: 2 };
    await sampleOnce(ports, { timeoutMs: 100, signal: never });
    assert.deepEqual(
      (await readNewestSamples(east, 5)).map(({ server, timeline }) => [server, timeline]),
      [[WEST, 2]],
    );
  });

  it('is not held up by a vault or a server that hangs, and what fails is told once, and once that it works', async () => {
    const { servers, ways, told, ports } = world();
    const ender = new AbortController();
    let rounds = 0;
    servers[1].manner = 'hangs';
    const { way } = ways[1]!;
    const onRound = (): void => {
      rounds += 1;
      if (rounds === 1) way.manner = 'hangs';
      if (rounds === 3) way.manner = 'away';
      if (rounds === 4) way.manner = 'well';
      if (rounds === 6) ender.abort();
    };
    const vaults = [{ region: 'west', vault: way.vault }];
    await sampleOn({ ...ports, vaults }, { intervalMs: 1, timeoutMs: 30, signal: ender.signal, onRound });
    assert.equal(told.length, 2, told.join('\n'));
    assert.match(told[0]!, /no sample gets into memory:: nothing came in \d+ ms/);
    assert.match(told[1]!, /samples get into memory: again/);
  });

  it('says so when nobody is a primary, and when two are', async () => {
    const { servers, told, ports } = world();
    servers[0].manner = 'away';
    const round = await sampleOnce(ports, { timeoutMs: 50, signal: never });
    assert.deepEqual(round.samples, []);
    assert.match(told[0]!, /no server answers as a primary \(postgres:\/\/postgres@east\/events: /);
    servers[0].manner = 'well';
    servers[1].state = { ...servers[1].state, role: 'primary' };
    await sampleOnce(ports, { timeoutMs: 50, signal: never });
    assert.match(told[1]!, /more than one server takes writes/);
  });

  it('stays when it is among the newest 12 of its server and of the last hour, or the newest', async () => {
    const vault = memoryVault();
    const nowMs = Date.UTC(2026, 10, 29, 18);
    const sample = (server: string, agoMs: number): PositionSample => ({
      ...{ sampledAt: new Date(nowMs - agoMs).toISOString(), region: 'east', server, timeline: 1 },
      ...{ systemIdentifier: '7301234567890123456', position: '0/5000028', eventsInserted: null },
    });
    for (let i = 0; i < 30; i += 1) await putSample(vault, sample(EAST, i * 5000));
    await putSample(vault, sample('postgres://old/events', 30 * 86_400_000));
    await putSample(vault, sample('postgres://old/events', 31 * 86_400_000));
    for (let i = 0; i < 4; i += 1) await putSample(vault, sample('postgres://slow/events', i * 3_000_000));
    assert.equal(await removeOldSamples(vault, nowMs), 18 + 1 + 2);
    const left = await readNewestSamples(vault, 100);
    const ages = (server: string) =>
      left.filter((one) => one.server === server).map(({ sampledAt }) => nowMs - Date.parse(sampledAt));
    assert.deepEqual(
      ages(EAST).toReversed(),
      Array.from({ length: 12 }, (_, i) => i * 5000),
    );
    assert.deepEqual(ages('postgres://old/events'), [30 * 86_400_000]);
    assert.deepEqual(ages('postgres://slow/events'), [3_000_000, 0]);
    assert.equal(await removeOldSamples(vault, nowMs), 0);
  });

  it('is removed at most fifty at a time, the oldest first', async () => {
    const vault = memoryVault();
    const nowMs = Date.UTC(2026, 10, 29, 18);
    for (let i = 0; i < 100; i += 1) {
      await putSample(vault, {
        ...{ sampledAt: new Date(nowMs - i * 1000).toISOString(), region: 'east', server: EAST, timeline: 1 },
        ...{ systemIdentifier: '7301234567890123456', position: '0/5000028', eventsInserted: null },
      });
    }
    assert.deepEqual(
      [await removeOldSamples(vault, nowMs), await removeOldSamples(vault, nowMs), await count(vault)],
      [50, 38, 12],
    );
  });
});
