import type { JournalEntry, PositionSample, RecoveryOutcome, RecoveryPlan } from '../../src/core/disaster.ts';
import type { PrimaryRecord } from '../../src/format/disaster-primary.ts';

const PLAN_ID = '0b7e6c1e-6f0a-4c8e-9a3d-2f8d6c1e5b4a';
const AT = '2026-11-29T03:04:05.678Z';
const LOSS = {
  ...{ bytes: '1640000', events: 2262, timeMs: 1437, sampleAgeMs: 900 },
  basis: 'from samples of the log, 0.9 s old',
};

export function samplePlan(changes: Partial<RecoveryPlan> = {}): RecoveryPlan {
  return {
    ...{ planId: PLAN_ID, createdAt: AT, software: 'eventcore-backup 0.1.0' },
    trigger: 'region_outage',
    strategy: { kind: 'regional_failover', targetRegion: 'eu-west' },
    reasons: ['nobody reaches the primary'],
    recoverTo: null,
    primary: {
      ...{ state: 'dead', region: 'eu-central', server: 'postgres://dr@db-1.example/shop' },
      ...{ systemIdentifier: '7575757575757575757', timeline: 1, lastPosition: '0/5A3F2C8' },
      reasons: ['here: unreachable', 'west: unreachable'],
    },
    target: { region: 'eu-west', server: null },
    estimatedDataLoss: LOSS,
    journalVault: 's3://backups-west',
    vaults: ['s3://backups-central', 's3://backups-west'],
    steps: [
      { step: 'freeze', does: true, text: 'nothing is removed from the vaults' },
      { step: 'restore', does: false, text: 'a standby takes over' },
    ],
    risks: [{ risk: 'data_loss', text: 'about 2262 events' }],
    ...changes,
  };
}

export function sampleEntry(changes: Partial<JournalEntry> = {}): JournalEntry {
  return {
    ...{ planId: PLAN_ID, number: 1, epoch: 7, at: AT, actor: 'ada@host-1 (pid 42)' },
    ...{ kind: 'approved', step: null, text: 'approved with --accept-data-loss' },
    facts: { accepted: 'data_loss', hosts: 1, sure: true, until: null },
    previous: 'a'.repeat(64),
    ...changes,
  };
}

export function sampleOutcome(changes: Partial<RecoveryOutcome> = {}): RecoveryOutcome {
  return {
    planId: PLAN_ID,
    strategyUsed: { kind: 'regional_failover', targetRegion: 'eu-west' },
    ...{ state: 'recovered', recoveryTimeMs: 41_250 },
    dataLoss: { estimate: LOSS, exactEvents: 2262, exactMs: 1437, inDoubt: 1 },
    systemsRecovered: ['event store', 'public name'],
    unprotectedMs: 90_000,
    timeline: [sampleEntry(), sampleEntry({ number: 2, kind: 'done', step: 'freeze', text: 'frozen' })],
    reasons: ['all steps are done'],
    ...changes,
  };
}

export function samplePosition(changes: Partial<PositionSample> = {}): PositionSample {
  return {
    ...{ sampledAt: AT, region: 'eu-central', server: 'postgres://dr@db-1.example/shop' },
    ...{ systemIdentifier: '7575757575757575757', timeline: 1, position: '0/5A3F2C8' },
    eventsInserted: 120_000,
    ...changes,
  };
}

export function samplePrimary(changes: Partial<PrimaryRecord> = {}): PrimaryRecord {
  return {
    ...{ systemIdentifier: '7575757575757575757', timeline: 2, region: 'eu-west' },
    ...{ server: 'postgres://dr@db-2.example/shop', epoch: 7, planId: PLAN_ID, recordedAt: AT },
    ...changes,
  };
}
