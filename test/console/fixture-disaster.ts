import { RECOVERY_STEPS, type RecoveryStep } from '../../src/core/disaster.ts';
import { STRATEGY_STEPS } from '../../src/disaster/steps-table.ts';

/** What `dr assess --json` and `dr status --json` answer about a store of the fixtures that has regions. */

export const RUNS = {
  recovered: '0b7e6c1e-6f0a-4c8e-9a3d-2f8d6c1e5b4a',
  underWay: '8f3a2c1e-9d41-4b7a-8c55-1e0f7a6b2d93',
  planned: 'fef231b6-41c2-4f0e-b1a9-7d3e5c8f2a10',
} as const;

const EAST = 'postgres://postgres@db-1.eu.example.com:5432/events';
const WEST = 'postgres://postgres@db-1.us.example.com:5432/events';
const LOSS = {
  ...{ bytes: '1640000', events: 2262, timeMs: 1437, sampleAgeMs: 4900 },
  basis: 'it lacks 1640000 bytes of the newest sample, which is 5s old',
};
const PRIMARY = {
  ...{ state: 'dead', region: 'eu-central-1', server: EAST, systemIdentifier: '7301', timeline: 1 },
  lastPosition: '0/5A3F2C8',
  reasons: [
    `${EAST} was the primary at 2026-11-29T14:21:46.661Z`,
    `here: ${EAST} is not reached: connect ETIMEDOUT`,
    `office: ${EAST} is not reached: connect ETIMEDOUT`,
    `${WEST}: ${EAST} is not reached: its receiver does not run: nothing comes from there`,
  ],
};
const REASONS = ['nobody reaches the primary from three places', 'the standby in us-west-2 lacks the least'];
const RISKS = [{ risk: 'data_loss', text: 'about 2262 events of the last 1.4 s may be lost' }];
const STRATEGY = { kind: 'regional_failover', targetRegion: 'us-west-2' } as const;
const NOT_CONFIGURED: readonly RecoveryStep[] = ['migrate', 'scale'];
const STEPS = RECOVERY_STEPS.map((step) =>
  NOT_CONFIGURED.includes(step)
    ? { step, does: false, text: 'nothing is configured for it' }
    : { step, ...STRATEGY_STEPS[STRATEGY.kind][step] },
);

const probe = (vantage: string, region: string, server: string, isStandby: boolean) => ({
  ...{ vantage, region, server, outcome: isStandby ? 'answered' : 'timed_out', ms: isStandby ? 66 : 3000 },
  reason: isStandby ? null : 'connect ETIMEDOUT',
  state: isStandby
    ? { role: 'standby', timeline: 1, position: '0/58AF0C8', isFenced: false, clients: 3 }
    : null,
});

export function assessDocument(nowMs: number, trigger: string | null): unknown {
  const at = (ms: number): string => new Date(nowMs - ms).toISOString();
  const found = {
    ...{ assessedAt: at(2000), primaryDbAccessible: false, backupAccessible: true, samples: 720 },
    ...{ replicaRegions: { 'us-west-2': true }, estimatedDataLoss: LOSS, primary: PRIMARY },
    candidates: [
      { region: 'us-west-2', server: WEST, behindBytes: '1640000', refusals: [] },
      {
        ...{ region: 'eu-central-1', server: 'postgres://postgres@db-2.eu.example.com:5432/events' },
        ...{ behindBytes: null, refusals: ['its replay is paused', 'it stands in the region that is out'] },
      },
    ],
    vaults: [
      vaultOf('eu-central-1', 's3://shop-backups', null, false),
      vaultOf('us-west-2', 's3://shop-backups-us', at(7_200_000), true),
    ],
    observations: [
      ...[probe('here', 'eu-central-1', EAST, false), probe('here', 'us-west-2', WEST, true)],
      ...[probe('office', 'eu-central-1', EAST, false), probe('office', 'us-west-2', WEST, true)],
      probe(WEST, 'eu-central-1', EAST, false),
    ],
    warnings: ['the vault s3://shop-backups of region eu-central-1 cannot be used: connect ETIMEDOUT'],
  };
  if (trigger === null) return found;
  const target = { region: 'us-west-2', server: null };
  const plan = { reasons: REASONS, target, plannedDataLoss: LOSS, steps: STEPS, risks: RISKS };
  return { ...found, strategy: STRATEGY, refusal: null, ...plan };
}

function vaultOf(region: string, vault: string, newestPoint: string | null, isReadable: boolean): unknown {
  const reason = isReadable ? null : 'connect ETIMEDOUT';
  return { region, vault, isReadable, reason, newestPoint, backups: isReadable ? 180 : 0, isArchive: false };
}

export function plansDocument(): unknown {
  const names = [RUNS.recovered, RUNS.planned, RUNS.underWay];
  return {
    plans: names.map((planId, i) => ({
      ...{ planId, object: `disaster/plans/2026111${i + 4}T032104500Z-${planId}.json` },
    })),
  };
}

/** The story of a run, step by step, with how many seconds each took. */
const TOOK: readonly (readonly [RecoveryStep, number, string])[] = [
  ['freeze', 0.03, '2 vaults of 2 frozen'],
  ['fence', 4.2, `${EAST} is fenced (run ./stop-instance db-1)`],
  ['drain', 2.3, `nothing arrives any longer: ${WEST} 0/58AF0C8`],
  ['choose', 0.1, `${WEST} takes over, at 0/58AF0C8 of timeline 1: it lacks 1640000 bytes of what was seen`],
  ['promote', 0.6, `${WEST} is the primary, on timeline 2, which left the old one at 0/58AF0C8`],
  ['check', 12.8, `the checks of ${WEST} found nothing that stands in the way`],
  ['probe', 0.2, `${WEST} takes events and gives them back`],
  ['switch_name', 1.1, 'db.example.com points to db-1.us.example.com.'],
  ['verify_public', 0.4, 'an event through the public name came to the right server'],
  ['notify', 0.9, '2 notifiers were told'],
  ['reprotect', 61, 'backup and log run in s3://shop-backups-us; 1 standby follows'],
  ['salvage', 8, '2262 events that only the old primary has lie beside the journal'],
  ['rejoin', 32, `${EAST} follows ${WEST}`],
  ['release', 0.1, '2 vaults released'],
];

export function statusDocument(nowMs: number, planId: string): unknown {
  if (planId === RUNS.planned) return runOf(nowMs, planId, 0);
  return runOf(nowMs, planId, planId === RUNS.underWay ? 5 : TOOK.length);
}

function runOf(nowMs: number, planId: string, done: number): unknown {
  const isOver = done === TOOK.length;
  const beganMs = nowMs - (isOver ? 12 * 86_400_000 : 11_000);
  const timeline = done === 0 ? [] : timelineOf(beganMs, done);
  const steps = STEPS.map(({ step, does }) => {
    const own = timeline.filter((entry) => entry.step === step);
    const last = own.at(-1);
    const attempts = own.filter(({ kind }) => kind === 'intent').length;
    return {
      step,
      does,
      state: last?.kind ?? 'none',
      at: last?.at ?? null,
      text: last?.text ?? '',
      attempts,
    };
  });
  const lost = {
    exactEvents: isOver ? 2262 : null,
    exactMs: isOver ? 1437 : null,
    inDoubt: isOver ? 1 : null,
  };
  return {
    plan: {
      ...{ planId, createdAt: new Date(beganMs - 240_000).toISOString(), software: 'eventcore-backup 0.1.0' },
      ...{
        trigger: 'region_outage',
        strategy: STRATEGY,
        reasons: REASONS,
        recoverTo: null,
        primary: PRIMARY,
      },
      ...{
        target: { region: 'us-west-2', server: null },
        estimatedDataLoss: LOSS,
        steps: STEPS,
        risks: RISKS,
      },
      ...{ journalVault: 's3://shop-backups-us', vaults: ['s3://shop-backups', 's3://shop-backups-us'] },
    },
    approvedAt: timeline[0]?.at ?? null,
    approvedBy: timeline[0]?.actor ?? null,
    ...{ accepted: done === 0 ? [] : ['data_loss'], epoch: 7, end: isOver ? 'ended' : null, steps, timeline },
    outcome: {
      ...{ planId, strategyUsed: STRATEGY, state: isOver ? 'recovered' : 'stopped' },
      ...{ recoveryTimeMs: isOver ? 21_700 : null, unprotectedMs: isOver ? 83_600 : null },
      dataLoss: { estimate: LOSS, ...lost },
      systemsRecovered: isOver ? ['event store', 'public name'] : [],
      reasons: REASONS,
    },
    journal: {
      ...{ vault: 's3://shop-backups-us', isAuthoritative: true, isWhole: true, entries: timeline.length },
      ...{ signers: ['ed25519:Xc4q9zKfA1vTnB6uWm2rLs8hYd0eGp5j'], reason: null },
      copies: [
        {
          region: 'eu-central-1',
          vault: 's3://shop-backups',
          entries: isOver ? timeline.length : 0,
          state: isOver ? 'whole' : 'behind',
        },
      ],
    },
  };
}

interface EntryDocument {
  readonly number: number;
  readonly at: string;
  readonly actor: string;
  readonly kind: string;
  readonly step: RecoveryStep | null;
  readonly text: string;
}

/** The step after those that are done was begun. */
function timelineOf(beganMs: number, done: number): EntryDocument[] {
  const entries: EntryDocument[] = [];
  let atMs = beganMs;
  const add = (kind: string, step: RecoveryStep | null, text: string): void => {
    const at = new Date(atMs).toISOString();
    entries.push({ number: entries.length + 1, at, actor: 'grace@backup-1 (pid 4711)', kind, step, text });
  };
  add('approved', null, 'regional_failover approved');
  for (const [step, seconds, text] of TOOK.slice(0, done)) {
    add('intent', step, STRATEGY_STEPS[STRATEGY.kind][step].text);
    atMs += seconds * 1000;
    add('done', step, text);
  }
  const next = TOOK[done];
  if (next === undefined) add('ended', null, 'recovered');
  else add('intent', next[0], STRATEGY_STEPS[STRATEGY.kind][next[0]].text);
  return entries;
}
