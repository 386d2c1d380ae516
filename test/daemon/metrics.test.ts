import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Hono } from 'hono';
import { JOB_NAMES } from '../../src/core/job.ts';
import type { StoreStatus } from '../../src/core/status.ts';
import { addHealth } from '../../src/daemon/http.ts';
import { METRIC_NAMES, makeMetrics } from '../../src/daemon/metrics.ts';
import { makeRegistry } from '../../src/daemon/registry.ts';
import type { StoreView } from '../../src/daemon/store-view.ts';
import type { WorkQueueView } from '../../src/daemon/work-queue-metrics.ts';
import { judgeObjectives } from '../../src/policy/objectives.ts';
import { GOOD_STATUS, STATUS_AT_MS } from '../harness/sample-status.ts';

const QUEUE = 'postgres://queue_login@db.example/jobs';
const AT = Date.parse('2026-11-29T12:00:00.000Z');

function viewOf(changes: Partial<StoreView> = {}): StoreView {
  const status = changes.status === undefined ? GOOD_STATUS : changes.status;
  const objectives = status === null ? [] : judgeObjectives(status, STATUS_AT_MS);
  return { store: 'orders', status, objectives, trouble: null, ...changes };
}

function makeDaemon({
  isLocal = true,
  views = [viewOf()],
  mostShown = 500,
  workQueues = [{ queue: QUEUE, seen: { waiting: 5, active: 4, dead: 1, workers: 2, lanes: 4 } }],
}: {
  isLocal?: boolean;
  views?: StoreView[];
  mostShown?: number;
  workQueues?: WorkQueueView[];
} = {}) {
  const registry = makeRegistry();
  registry.add('orders', 'full', { kind: 'interval', everyMs: 3_600_000 });
  const http = new Hono();
  addHealth(http, {
    views: registry.views,
    metrics: makeMetrics({
      ...{ jobs: registry.views, stores: () => views, now: () => STATUS_AT_MS + 7000 },
      missing: () => [],
      mostShown: () => mostShown,
      queues: () => [{ name: 'questions', waiting: 3 }],
      workQueues: () => workQueues,
    }),
    isLocal: () => isLocal,
    mayReadMetrics: () => isLocal,
  });
  const get = async (path: string) => {
    const response = await http.request(path);
    return { status: response.status, text: await response.text() };
  };
  return { registry, get };
}

function endOf(state: 'succeeded' | 'failed') {
  return {
    ...{
      job: 'full' as const,
      wantedAt: '2026-11-29T12:00:00.000Z',
      attempt: 1,
      state,
      exitCode: 0,
      code: null,
    },
    ...{ endedAt: '2026-11-29T12:00:07.000Z', durationMs: 7000, facts: { totalEvents: 12, sizeBytes: 3400 } },
  };
}

describe('the metrics of a daemon', () => {
  it('are those that are named, each with a value where all is known', async () => {
    const { registry, get } = makeDaemon();
    registry.change('orders', 'full', { nextMs: AT, runningSinceMs: null });
    registry.ended('orders', endOf('failed'), AT);
    registry.ended('orders', endOf('succeeded'), AT + 1000);
    const { text } = await get('/metrics');
    const exposed = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name!);
    assert.deepEqual(exposed.toSorted(), [...METRIC_NAMES].toSorted());
    for (const name of METRIC_NAMES) assert.match(text, new RegExp(`^${name}[ {]`, 'm'));
  });

  it('say how the last run came out, and how many there were', async () => {
    const { registry, get } = makeDaemon();
    registry.ended('orders', endOf('succeeded'), AT);
    const { text } = await get('/metrics');
    const value = (line: string): string | undefined => text.split('\n').find((one) => one.startsWith(line));
    const labels = '{store="orders",job_name="full"}';
    assert.equal(
      value(`eventcore_job_last_success_timestamp_seconds${labels}`)?.split(' ')[1],
      String(AT / 1000),
    );
    assert.equal(value(`eventcore_job_last_duration_seconds${labels}`)?.split(' ')[1], '7');
    assert.equal(value(`eventcore_job_last_events${labels}`)?.split(' ')[1], '12');
    assert.match(text, /eventcore_job_runs_total\{store="orders",job_name="full",state="succeeded"\} 1/);
    assert.match(text, /^# TYPE eventcore_job_runs_total counter$/m);
    assert.equal(value(`eventcore_job_period_seconds${labels}`)?.split(' ')[1], '3600');
    assert.equal(value(`eventcore_job_last_failure_timestamp_seconds${labels}`), undefined);
  });

  it('say of a job that never ends that it goes well, once it runs for a while', async () => {
    const { registry, get } = makeDaemon();
    registry.add('orders', 'archive', { kind: 'always' });
    const name = 'eventcore_job_last_success_timestamp_seconds{store="orders",job_name="archive"}';
    const wentWellAt = async (): Promise<string | undefined> =>
      (await get('/metrics')).text
        .split('\n')
        .find((line) => line.startsWith(name))
        ?.split(' ')[1];
    registry.change('orders', 'archive', { runningSinceMs: STATUS_AT_MS - 5 * 60_000 });
    assert.equal(await wentWellAt(), undefined);
    registry.change('orders', 'archive', { runningSinceMs: STATUS_AT_MS - 10 * 60_000 });
    assert.equal(await wentWellAt(), String(STATUS_AT_MS / 1000 + 7));
  });

  it('are for this host only; others hear whether all is well, and not what is wrong', async () => {
    const local = makeDaemon();
    const stranger = makeDaemon({ isLocal: false });
    assert.equal((await stranger.get('/metrics')).status, 404);
    for (const { registry } of [local, stranger])
      registry.change('orders', 'full', { trouble: 's3://secret-bucket is away' });
    assert.deepEqual(await stranger.get('/readyz'), { status: 503, text: 'not ready\n' });
    assert.match((await local.get('/readyz')).text, /secret-bucket/);
    assert.equal((await stranger.get('/livez')).status, 200);
  });

  it('count failures by codes of this program, and whatever else a record says as one', async () => {
    const { registry, get } = makeDaemon();
    for (const code of ['vault_unreachable', 'vault_unreachable', 'x'.repeat(500), null])
      registry.ended('orders', { ...endOf('failed'), code }, AT);
    const { text } = await get('/metrics');
    const counted = [...text.matchAll(/^eventcore_job_failures_total\{(.*)\} (\d+)$/gm)].map((found) =>
      found.slice(1),
    );
    assert.deepEqual(counted, [
      ['store="orders",job_name="full",code="vault_unreachable"', '2'],
      ['store="orders",job_name="full",code="unknown"', '2'],
    ]);
  });

  it('say of a store what its status says, with ages as of now', async () => {
    const { get } = makeDaemon();
    const samples = samplesOf((await get('/metrics')).text);
    assert.equal(
      samples.get('eventcore_newest_point_timestamp_seconds{store="orders"}'),
      STATUS_AT_MS / 1000 - 35,
    );
    assert.equal(samples.get('eventcore_status_age_seconds{store="orders"}'), 7);
    assert.equal(samples.get('eventcore_verification_age_seconds{store="orders"}'), 3 * 86_400 + 7);
    assert.equal(samples.get('eventcore_region_lag_seconds{store="orders",region="us-west-2"}'), 39_565);
    const objective = 'store="orders",objective="region_rpo",region="us-west-2"';
    assert.equal(samples.get(`eventcore_objective_kept{${objective}}`), 1);
    assert.equal(samples.get(`eventcore_objective_promised_seconds{${objective}}`), 30 * 3600);
    assert.equal(samples.get('eventcore_monitor_findings{store="orders",severity="warning"}'), 1);
    assert.equal(samples.get('eventcore_queue_waiting{queue="questions"}'), 3);
  });

  it('have no value for what is not known, and never 0', async () => {
    const [primary, replica] = GOOD_STATUS.regions;
    const away = { ...replica!, newestPoint: null, backups: null, lagSeconds: null };
    const status: StoreStatus = {
      ...{ ...GOOD_STATUS, newestPoint: null, windows: [], log: null, drill: null, lastPassedDrillAt: null },
      ...{ verification: null, monitor: null, regions: [primary!, away] },
      problems: [{ of: 'region us-west-2', code: 'vault_unreachable', message: 'away', hint: null }],
    };
    const { get } = makeDaemon({ views: [viewOf({ status })] });
    const samples = samplesOf((await get('/metrics')).text);
    const absent =
      /^eventcore_(newest|oldest|log|slot|drill|verification|monitor|region_\w+\{store="orders",region="us)/;
    assert.deepEqual(
      [...samples.keys()].filter((name) => absent.test(name)),
      [],
    );
    const region = 'store="orders",objective="region_rpo",region="us-west-2"';
    assert.equal(samples.get(`eventcore_objective_kept{${region}}`), undefined);
    assert.equal(samples.get(`eventcore_objective_unknown{${region}}`), 1);
    assert.equal(samples.get('eventcore_objective_kept{store="orders",objective="rpo",region=""}'), 0);
    assert.equal(samples.get('eventcore_status_problems{store="orders"}'), 1);
  });

  it('are few for a store whose status could never be asked, and say so', async () => {
    const { get } = makeDaemon({ views: [viewOf({ status: null, trouble: 's3://secret-bucket is away' })] });
    const { text } = await get('/metrics');
    const ofStore = [...samplesOf(text).keys()].filter((name) => !/_job_|_up|_queue_|_fleet_/.test(name));
    assert.deepEqual(ofStore, ['eventcore_status_in_trouble{store="orders"}']);
    assert.doesNotMatch(text, /secret-bucket/);
  });

  it('are bounded: of a thousand stores those that are not well, and all of them together', async () => {
    const views = Array.from({ length: 1000 }, (_, i) =>
      viewOf({ store: `store-${i}`, trouble: i % 100 === 0 ? 'away' : null }),
    );
    const { registry, get } = makeDaemon({ views, mostShown: 200 });
    for (const { store } of views)
      for (const job of JOB_NAMES) registry.add(store, job, { kind: 'interval', everyMs: 3_600_000 });
    const series = async (): Promise<string[]> =>
      (await get('/metrics')).text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    const lines = await series();
    assert.ok(lines.includes('eventcore_fleet_stores{state="bad"} 10'));
    assert.ok(lines.includes('eventcore_fleet_stores{state="good"} 990'));
    assert.ok(lines.includes('eventcore_fleet_stores_shown 10'));
    assert.ok(lines.some((line) => line.startsWith('eventcore_backups{store="store-900"')));
    assert.ok(!lines.some((line) => line.includes('store="store-901"')));
    assert.ok(lines.length < 10 * 160 + 100, `${lines.length} series`);
    // Nothing is well: no more than was said, whatever happens.
    for (const view of views) Object.assign(view, { trouble: 'away' });
    const worst = await series();
    assert.ok(worst.includes('eventcore_fleet_stores_shown 200'));
    assert.ok(worst.length < 200 * 160 + 100, `${worst.length} series`);
  });

  it('tell of a store that is well and late: nobody would know else that its backups wait', async () => {
    const views = [viewOf(), viewOf({ store: 'payments' })];
    const { registry, get } = makeDaemon({ views, mostShown: 1 });
    registry.add('payments', 'full', { kind: 'interval', everyMs: 3_600_000 });
    registry.change('payments', 'full', { nextMs: STATUS_AT_MS - 3_600_000 });
    const { text } = await get('/metrics');
    assert.match(text, /^eventcore_fleet_late_stores 1$/m);
    assert.match(text, /^eventcore_backups\{store="payments"/m);
    assert.doesNotMatch(text, /store="orders"/);
  });
});

function samplesOf(text: string): ReadonlyMap<string, number> {
  const lines = [...text.matchAll(/^(eventcore_\S+(?:\{.*\})?) (\S+)$/gm)];
  return new Map(lines.map(([, name, value]) => [name!, Number(value)]));
}
