import type { DrillEvidence } from '../../src/format/drill-evidence.ts';

export function sampleEvidence(changes: Partial<DrillEvidence> = {}): DrillEvidence {
  return {
    drillId: '0b7e6c1e-6f0a-4c8e-9a3d-2f8d6c1e5b4a',
    startedAt: '2026-11-23T04:05:06.789Z',
    finishedAt: '2026-11-23T04:06:06.789Z',
    durationMs: 60_000,
    software: 'eventcore-backup 0.1.0',
    store: 'postgres://backup_login@db.example/shop',
    vault: 'file:/backups',
    target: 'a file of SQLite',
    selection: 'the newest backup',
    overallSuccess: false,
    tests: [
      {
        ...{ name: 'full_restore', state: 'failed', code: 'damaged', reason: 'stream "…" differs', ms: 900 },
        steps: [
          { name: 'restore', ms: 800, facts: { events: 1000, region: 'primary', kept: false, at: null } },
        ],
      },
      { name: 'negative_canary', state: 'passed', code: null, reason: null, ms: 20, steps: [] },
    ],
    measurements: {
      restores: [
        {
          ...{ test: 'full_restore', region: 'primary', backupId: '3f2a9c1e', restoreMs: 800 },
          ...{
            phases: [{ name: 'loading events', ms: 500 }],
            events: 1000,
            bytes: 9000,
            eventsPerSecond: 1250,
          },
        },
      ],
      ...{ recoverableAgeMs: 1234, eventsAtRisk: null },
    },
    objectives: [{ name: 'rto', targetMs: 60_000, measuredMs: 800, met: true }],
    notes: ['a note'],
    report: { name: 'drills/x.html', sha256: 'a'.repeat(64) },
    previous: null,
    ...changes,
  };
}
