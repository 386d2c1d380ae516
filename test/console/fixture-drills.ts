import { CANARY, DRILL_TESTS, type DrillTestName } from '../../src/core/drill.ts';

/** What `drill list --json` and `drill show --json` answer about the stores of the fixtures. */

export interface DrillScene {
  readonly nowMs: number;
  /** `failed`: the newest one, and the one after the fourth has evidence that was changed. */
  readonly state: 'well' | 'failed' | 'none';
}

const NAMES: readonly DrillTestName[] = [...DRILL_TESTS, CANARY];
const DAY = 86_400_000;
const COUNT = 24;
const SIGNER = 'ed25519:Xc4q9zKfA1vTnB6uWm2rLs8hYd0eGp5j';

export function drillId(ago: number): string {
  return `d8ddce76-2d9e-476d-9bf7-cd9a00f8ab${String(ago + 10)}`;
}

export function drillListDocument({ nowMs, state }: DrillScene): unknown {
  if (state === 'none') return { vault: 's3://shop-backups', total: 0, lastPassedAt: null, drills: [] };
  const drills = Array.from({ length: COUNT }, (_, ago) => listed(ago, nowMs, state));
  const passed = drills.find(({ overallSuccess }) => overallSuccess);
  return { vault: 's3://shop-backups', total: COUNT, lastPassedAt: passed!.startedAt, drills };
}

/** Grows with the store, and jumps where a disk was slow. */
function restoreMs(ago: number): number {
  return Math.round(428_000 + (COUNT - ago) * 9600 + ((ago * 7919) % 41_000) + (ago === 9 ? 210_000 : 0));
}

function listed(ago: number, nowMs: number, state: DrillScene['state']) {
  const startedAt = new Date(nowMs - 2 * DAY - ago * 7 * DAY).toISOString();
  const hasFailed = state === 'failed' && ago === 0;
  const isDue = ago % 2 === 0;
  const broken = state === 'failed' && ago === 4;
  const tests = Object.fromEntries(
    NAMES.map((name): [DrillTestName, string] => [name, stateOf(name, hasFailed, isDue)]),
  );
  return {
    ...{ drillId: drillId(ago), name: `drills/20261127T060000000Z-${drillId(ago)}.json`, startedAt },
    problem: broken ? 'drills/20261023T060000000Z-….json, which it follows, is not what it was' : null,
    overallSuccess: !hasFailed,
    signature: { state: 'signed', signer: SIGNER },
    tests,
    reasons: {
      ...(hasFailed
        ? { cross_region_restore: 'cannot open the vault "s3://shop-backups-us" (ENOTFOUND)' }
        : {}),
      ...(isDue ? {} : { full_restore: 'one passed less than 7 days ago' }),
    },
    durationMs: restoreMs(ago) * 2,
    fullRestoreMs: isDue ? restoreMs(ago) : null,
    eventsPerSecond: isDue ? Math.round(5_512_210_000 / restoreMs(ago)) : null,
    ...{ recoverableAgeMs: 9000 + ((ago * 7919) % 8000), eventsAtRisk: ago === 6 ? 41 : 0 },
    objectives: [{ name: 'rto', targetMs: 3_600_000, measuredMs: restoreMs(ago), met: true }],
  };
}

function stateOf(name: DrillTestName, hasFailed: boolean, isDue: boolean): string {
  if (hasFailed && name === 'cross_region_restore') return 'failed';
  return name === 'full_restore' && !isDue ? 'not_due' : 'passed';
}

export function drillShowDocument({ nowMs, state }: DrillScene): unknown {
  const startedMs = nowMs - 2 * DAY;
  const hasFailed = state === 'failed';
  const restore = (test: DrillTestName, region: string, ms: number, events: number) => ({
    ...{ test, region, backupId: '6c7359c1-13e9-432e-9aa9-f16c4c91b3cb', restoreMs: ms, events },
    ...{ bytes: events * 312, eventsPerSecond: Math.round((events * 1000) / ms), phases: [] },
  });
  return {
    ...{ drillId: drillId(0), durationMs: 1_324_000, software: 'eventcore-backup 0.1.0' },
    ...{
      startedAt: new Date(startedMs).toISOString(),
      finishedAt: new Date(startedMs + 1_324_000).toISOString(),
    },
    ...{
      store: 'postgres://backup_login@db-1/shop',
      vault: 's3://shop-backups',
      target: 'a server of PostgreSQL',
    },
    ...{ selection: 'the newest backup', overallSuccess: !hasFailed },
    tests: NAMES.map((name, i) => testOf(name, i, hasFailed)),
    measurements: {
      restores: [
        restore('partial_restore', 'eu-central-1', 21_400, 271_600),
        restore('full_restore', 'eu-central-1', 661_800, 5_512_210),
        restore('point_in_time_recovery', 'eu-central-1', 702_300, 5_418_002),
        ...(hasFailed ? [] : [restore('cross_region_restore', 'us-west-2', 934_100, 5_512_210)]),
      ],
      ...{ recoverableAgeMs: 14_000, eventsAtRisk: 0 },
    },
    objectives: [
      { name: 'rto', targetMs: 3_600_000, measuredMs: 661_800, met: true },
      { name: 'rpo', targetMs: 900_000, measuredMs: 0, met: true },
    ],
    notes: ['removed what a killed drill had left: the database eventcore_drill_4711'],
    report: { name: `drills/20261127T060000000Z-${drillId(0)}.html`, sha256: 'b7'.repeat(32) },
    previous: { name: `drills/20261120T060000000Z-${drillId(1)}.json`, sha256: 'c3'.repeat(32) },
    ...{ name: `drills/20261127T060000000Z-${drillId(0)}.json`, sha256: '5e'.repeat(32) },
    signature: { state: 'signed', signer: SIGNER },
    ...{ previousState: 'follows', reportWhole: true, problems: [] },
  };
}

function testOf(name: DrillTestName, i: number, hasFailed: boolean): unknown {
  const isLost = hasFailed && name === 'cross_region_restore';
  return {
    ...{ name, state: isLost ? 'failed' : 'passed', ms: isLost ? 90 : 1100 + i * 147_000 },
    ...{ code: isLost ? 'vault_unreachable' : null },
    reason: isLost ? 'cannot open the vault "s3://shop-backups-us" (ENOTFOUND)' : null,
    steps: isLost
      ? []
      : [
          { name: 'restore', ms: 900 + i * 120_000, facts: { region: 'eu-central-1', events: 5_512_210 } },
          { name: 'counts and heads', ms: 140 + i * 9000, facts: { events: 5_512_210, streams: 211_040 } },
          { name: 'integrity checks', ms: 60 + i * 18_000, facts: { made: 19, found: 0 } },
        ],
  };
}
