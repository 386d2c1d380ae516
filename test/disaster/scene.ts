/** Regions, servers and vaults as a recovery could find them. */
import fc from 'fast-check';
import type { Observation, PositionSample, ServerState, VaultObservation } from '../../src/core/disaster.ts';
import type { AssessmentFacts } from '../../src/disaster/assess.ts';
import type { PlanFacts } from '../../src/disaster/plan.ts';
import type { PrimaryRecord } from '../../src/format/disaster-primary.ts';

export const NOW = Date.UTC(2026, 10, 29, 3, 0, 0);
export const HOME = 'postgres://dr@db-1.home:5432/shop';
export const NEAR = 'postgres://dr@db-2.home:5432/shop';
export const WEST = 'postgres://dr@db-1.west:5432/shop';
export const EAST = 'postgres://dr@db-1.east:5432/shop';
export const SYSTEM = '7575757575757575757';

const REGIONS: Readonly<Record<string, string>> = {
  [HOME]: 'home',
  [NEAR]: 'home',
  [WEST]: 'west',
  [EAST]: 'east',
};

export function primaryState(changes: Partial<ServerState> = {}): ServerState {
  return {
    ...{ role: 'primary', systemIdentifier: SYSTEM, timeline: 1, serverVersion: '15.20' },
    ...{ position: '0/5000', replayed: null, isReplayPaused: false, applyDelayMs: 0, upstream: null },
    ...{ isFenced: false, clients: 3, clockAheadMs: 0 },
    ...changes,
  };
}

export function standbyState(changes: Partial<ServerState> = {}): ServerState {
  return primaryState({
    ...{ role: 'standby', replayed: '0/5000', clients: null },
    upstream: { heardAgoMs: 500, host: 'db-1.home', port: 5432 },
    ...changes,
  });
}

export function answered(server: string, state: ServerState, vantage = 'here'): Observation {
  return { vantage, region: REGIONS[server]!, server, outcome: 'answered', ms: 4, state, reason: null };
}

export function silent(
  server: string,
  outcome: Observation['outcome'] = 'unreachable',
  vantage = 'here',
): Observation {
  return { vantage, region: REGIONS[server]!, server, outcome, ms: 2000, state: null, reason: 'no answer' };
}

export function vault(region: string, changes: Partial<VaultObservation> = {}): VaultObservation {
  return {
    ...{ region, vault: `s3://${region}`, isReadable: true, reason: null },
    ...{ newestPoint: '2026-11-29T02:59:00.000Z', backups: 7, isArchive: false },
    ...changes,
  };
}

export function sampleAt(
  secondsAgo: number,
  position: string,
  eventsInserted: number | null,
): PositionSample {
  return {
    sampledAt: new Date(NOW - secondsAgo * 1000).toISOString(),
    ...{ region: 'home', server: HOME, systemIdentifier: SYSTEM, timeline: 1, position, eventsInserted },
  };
}

export function record(changes: Partial<PrimaryRecord> = {}): PrimaryRecord {
  return {
    ...{ systemIdentifier: SYSTEM, timeline: 2, region: 'west', server: WEST, epoch: 7 },
    ...{ planId: '0b7e6c1e-6f0a-4c8e-9a3d-2f8d6c1e5b4a', recordedAt: '2026-11-28T00:00:00.000Z' },
    ...changes,
  };
}

const SERVERS = [HOME, NEAR, WEST, EAST];

export function found(
  observations: readonly Observation[],
  changes: Partial<AssessmentFacts> = {},
): AssessmentFacts {
  return {
    nowMs: NOW,
    servers: SERVERS.filter((server) => observations.some((seen) => seen.server === server)).map(
      (server) => ({
        ...{ server, region: REGIONS[server]! },
      }),
    ),
    observations,
    samples: [sampleAt(10, '0/4000', 900), sampleAt(5, '0/5000', 1000)],
    newestPrimary: null,
    vaults: [vault('home'), vault('west'), vault('east')],
    remarks: [],
    ...changes,
  };
}

export function planFacts(changes: Partial<PlanFacts> = {}): PlanFacts {
  return {
    nowMs: NOW,
    regions: ['home', 'west', 'east'].map((region) => ({
      ...{ region, servers: SERVERS.filter((server) => REGIONS[server] === region) },
      ...{ place: `postgres://dr@clean.${region}:5432/shop`, vault: `s3://${region}`, scale: 'more of it' },
    })),
    samples: [sampleAt(10, '0/4000', 900), sampleAt(5, '0/5000', 1000)],
    ...{ rpoMs: null, software: 'eventcore-backup 0.1.0', maxLossBytes: 1n << 20n },
    ...{ fences: { [HOME]: ['power off'] }, publicName: 'db.example', hasMigrate: true, hasNotifiers: true },
    ...{ rejoins: [HOME], mergesSalvaged: false },
    ...changes,
  };
}

const lsn = fc.constantFrom('0/4000', '0/5000', '0/5001', '0/9000', '1/0', '0/0');
const upstream = fc.option(
  fc.record({
    heardAgoMs: fc.nat(120_000),
    host: fc.constantFrom('db-1.home', 'db-1.west', '10.0.0.7'),
    port: fc.constant(5432),
  }),
);

const state: fc.Arbitrary<ServerState> = fc.record({
  role: fc.constantFrom('primary', 'standby'),
  systemIdentifier: fc.constantFrom(SYSTEM, SYSTEM, SYSTEM, '1'),
  timeline: fc.integer({ min: 1, max: 3 }),
  serverVersion: fc.constant('15.20'),
  position: lsn,
  replayed: fc.option(lsn),
  isReplayPaused: fc.boolean(),
  applyDelayMs: fc.constantFrom(0, 0, 60_000),
  upstream,
  isFenced: fc.boolean(),
  clients: fc.constantFrom(null, 0, 3),
  clockAheadMs: fc.integer({ min: -9000, max: 9000 }),
});

const observation: fc.Arbitrary<Observation> = fc
  .record({
    server: fc.constantFrom(...SERVERS),
    vantage: fc.constantFrom('here', 'west', 'east'),
    outcome: fc.constantFrom('answered', 'answered', 'refused', 'unreachable', 'timed_out'),
    state,
  })
  .map(({ server, vantage, outcome, state: own }) =>
    outcome === 'answered' ? answered(server, own, vantage) : silent(server, outcome, vantage),
  );

const point = fc.constantFrom('2026-11-29T02:59:00.000Z', '2026-11-29T01:00:00.000Z', null);

/** Whatever can be found, likely or not. */
export const anyFacts: fc.Arbitrary<AssessmentFacts> = fc
  .record({
    observations: fc.array(observation, { maxLength: 10 }),
    samples: fc.array(
      fc
        .record({
          ago: fc.nat(600),
          position: lsn,
          events: fc.option(fc.nat(10_000)),
          server: fc.constantFrom(...SERVERS),
        })
        .map(({ ago, position, events, server }) => ({
          ...sampleAt(ago, position, events),
          ...{ server, region: REGIONS[server]! },
        })),
      { maxLength: 4 },
    ),
    newestPrimary: fc.option(
      fc
        .record({ server: fc.constantFrom(...SERVERS), timeline: fc.option(fc.integer({ min: 1, max: 3 })) })
        .map(({ server, timeline }) => record({ server, timeline, region: REGIONS[server]! })),
    ),
    vaults: fc.array(
      fc
        .record({
          region: fc.constantFrom('home', 'west', 'east'),
          isReadable: fc.boolean(),
          newestPoint: point,
        })
        .map(({ region, ...rest }) => vault(region, rest)),
      { maxLength: 3 },
    ),
  })
  .map((facts) => ({
    ...facts,
    ...{ nowMs: NOW, remarks: [] },
    servers: SERVERS.map((server) => ({ server, region: REGIONS[server]! })),
  }));

/** An instant before the events were damaged. */
export const BEFORE = '2026-11-29T02:30:00Z';
/** A standby that follows nobody. */
export const lonely = standbyState({ upstream: null });
export const DEAD = [silent(HOME), silent(HOME, 'timed_out', 'west')];
export const ALIVE = [answered(HOME, primaryState()), answered(WEST, standbyState())];
