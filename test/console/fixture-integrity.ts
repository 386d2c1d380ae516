/** What `monitor --history --json` answers about the stores of the fixtures. */

const HOUR = 3_600_000;
const RUNS = 50;

export interface IntegrityScene {
  readonly nowMs: number;
  /** `well`; `risk`: an index is missing; `damaged`; `none`: no run is on record. */
  readonly state: 'well' | 'risk' | 'damaged' | 'none';
}

export function integrityDocument({ nowMs, state }: IntegrityScene): unknown {
  const vault = 's3://shop-backups';
  if (state === 'none') return { vault, runs: [], now: null, warnings: [], repairs: [] };
  const at = (ms: number): string => new Date(nowMs - ms).toISOString();
  const open = openOf(state, at);
  const runs = Array.from({ length: RUNS }, (_, i) => runOf(RUNS - 1 - i, state, at));
  return {
    ...{ vault, runs, warnings: [], repairs: [repairOf(at)] },
    now: {
      ...{ runId: runs.at(-1)!.runId, startedAt: runs.at(-1)!.startedAt, outcome: runs.at(-1)!.outcome },
      sweep: {
        blocks: { round: 41, covered: 0.63, startedAt: at(12 * HOUR), finishedAt: at(13 * HOUR) },
        buckets: { round: 41, covered: 0.65, startedAt: at(12 * HOUR), finishedAt: at(13 * HOUR) },
        suspects: state === 'damaged' ? 2 : 0,
        avoidedBlocks: 0,
      },
      open,
      blind: state === 'damaged' ? [{ cause: 'comparison', times: 3 }] : [],
      owed: state === 'damaged' ? 1 : 0,
    },
  };
}

type At = (ms: number) => string;

function runOf(ago: number, state: IntegrityScene['state'], at: At) {
  const isFresh = ago < 3;
  const found = isFresh && state === 'damaged' ? 3 : 0;
  const outcome = !isFresh || state === 'well' ? 'sound' : state === 'risk' ? 'risk' : 'damaged';
  const putOff = ago === 19;
  return {
    ...{ runId: `00000000-0000-4000-8000-0000000000${String(ago + 10)}`, software: 'eventcore-backup 0.1.0' },
    ...{ startedAt: at(ago * HOUR + 40_000), durationMs: putOff ? 90 : 38_000 + ((ago * 7919) % 9000) },
    outcome: putOff ? 'put_off' : outcome,
    checks: [
      { name: 'indexes', verdict: isFresh && state !== 'well' ? 'found' : 'sound', findings: 1, events: 0 },
      { name: 'stream_gaps', verdict: found > 0 ? 'found' : 'sound', findings: found, events: found },
    ],
    looked: {
      ...{ blocks: 210, buckets: 50, streams: 10_550 + ((ago * 31) % 90) },
      ...{ events: putOff ? 0 : 271_400 + ((ago * 577) % 4000), compared: putOff ? 0 : 271_400 },
      comparedWith: '6c7359c1-13e9-432e-9aa9-f16c4c91b3cb',
    },
    blind: putOff ? [{ cause: 'replication', times: 1 }] : [],
    ...{ open: isFresh && state !== 'well' ? 1 + found : 0, owed: 0 },
  };
}

function openOf(state: IntegrityScene['state'], at: At): unknown[] {
  const index = {
    ...{ check: 'indexes', place: 'object 3f2a9c1e77aa', severity: 'warning', findings: 1, events: 0 },
    ...{ since: at(3 * HOUR), toldAt: at(3 * HOUR) },
  };
  if (state === 'well') return [];
  if (state === 'risk') return [index];
  const gap = {
    ...{ check: 'stream_gaps', place: 'bucket 417', severity: 'critical', findings: 3, events: 3 },
    ...{ since: at(2.2 * HOUR), toldAt: at(2.2 * HOUR) },
  };
  const changed = { ...gap, check: 'event_changed', place: 'block 17', findings: 1, events: 1 };
  const blind = { ...index, check: 'monitor_blind', place: 'comparison', since: at(2 * HOUR) };
  return [gap, changed, index, blind];
}

function repairOf(at: At): unknown {
  return {
    ...{ repairId: 'ba9d9218-e56d-4918-bf8b-f855963ad46b', beganAt: at(19 * 24 * HOUR), state: 'done' },
    ...{ endedAt: at(19 * 24 * HOUR - 4000), software: 'eventcore-backup 0.1.0' },
    backupId: '6c7359c1-13e9-432e-9aa9-f16c4c91b3cb',
    steps: [
      { kind: 'put_back_events', count: 1, outcome: 'repaired' },
      { kind: 'reinstate_events', count: 1, outcome: 'repaired' },
      { kind: 'rebuild_index', count: 1, outcome: 'repaired' },
    ],
  };
}
