import type { Alert, Notifier } from '../../src/core/alert.ts';
import { BackupError } from '../../src/core/errors.ts';
import type { Finding } from '../../src/core/finding.ts';
import type { Vault } from '../../src/core/vault.ts';
import {
  type MonitorOptions,
  type MonitorPorts,
  type MonitorRun,
  runMonitor,
  type StoreLook,
  seeNothing,
} from '../../src/integrity/monitor/monitor.ts';
import { withLease } from '../../src/upkeep/lease.ts';
import { testClock } from './memory-backup.ts';
import { timedVault } from './simulated-time.ts';

/** A monitor in a time of its own, over a store of which tests say what is wrong with it. */
export interface MonitorWorld {
  readonly vault: Vault;
  nowMs: number;
  findings: readonly Finding[];
  /** Why nothing can be looked at. */
  away: 'store' | 'replication' | null;
  isNotifierAway: boolean;
  readonly got: Alert[];
  /** How many looks there were. */
  looks: number;
  run(changes?: Partial<MonitorPorts & MonitorOptions>): Promise<MonitorRun>;
}

export function monitorWorld(): MonitorWorld {
  const timed = timedVault();
  const notifier: Notifier = {
    name: 'mail',
    notify: async (alert) => {
      if (world.isNotifierAway) throw new BackupError('notification_failed', 'mail: away');
      world.got.push(alert);
    },
    close: async () => {},
  };
  const clock = { now: () => world.nowMs, uuid: testClock.uuid };
  const world: MonitorWorld = {
    ...{ vault: timed.vault, nowMs: timed.nowMs, findings: [], away: null, isNotifierAway: false, got: [] },
    looks: 0,
    run: (changes = {}) => {
      timed.nowMs = world.nowMs;
      const vault = changes.vault ?? timed.vault;
      const ports: MonitorPorts = {
        ...{ vault, clock, notifiers: [notifier], digest: (name) => `#${name.length}`, random: () => 0 },
        underLease: (work) =>
          withLease(vault, 'monitor', { clock, holder: 'test', steadyMs: () => world.nowMs }, work),
        look: async (sweep) => {
          world.looks += 1;
          return lookOf(world, sweep);
        },
        ...changes,
      };
      return runMonitor(ports, {
        ...{ subject: 'sqlite:./events.db', software: 'test', repeatAfterMs: 86_400_000 },
        ...{ tellsFindings: true, remembered: null, ...changes },
      });
    },
  };
  return world;
}

function lookOf({ findings, away }: MonitorWorld, sweep: object | null): StoreLook {
  if (away === 'store') {
    return seeNothing('store', { outcome: 'blind', reason: 'the store is away' }, sweep);
  }
  if (away === 'replication') {
    return seeNothing('replication', { outcome: 'put_off', reason: 'replication lags' }, sweep);
  }
  return {
    ...{ findings, findingsOmitted: 0, skipped: [] },
    checks: [
      {
        name: 'stream_gaps',
        verdict: findings.length === 0 ? 'sound' : 'found',
        findings: findings.length,
        events: 0,
      },
    ],
    looked: { blocks: 1, buckets: 1, streams: 2, events: 3, compared: 3, comparedWith: null },
    lookedAt: { wasMade: (check) => check === 'stream_gaps', places: null, rounds: { block: 1, bucket: 1 } },
    ...{ sight: { blind: [], clear: ['store', 'replication'] }, notLooked: null },
    endSweep: (suspects) => ({ runs: ((sweep as { runs?: number } | null)?.runs ?? 0) + 1, suspects }),
  };
}

export const GAP: Finding = {
  ...{ check: 'stream_gaps', rung: 'streams', severity: 'damage', streamId: 'cart-c4n4ry', version: '3' },
  ...{ eventId: null, object: null, events: 1, place: { kind: 'bucket', number: 4 } },
  ...{ message: 'cart-c4n4ry lacks version 3', repair: 'reinstate_events' },
};
