import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { makeHttp } from '../../src/daemon/http.ts';
import { METRIC_NAMES, makeMetrics } from '../../src/daemon/metrics.ts';
import { makeRegistry } from '../../src/daemon/registry.ts';

const AT = Date.parse('2026-11-29T12:00:00.000Z');

function makeDaemon(isLocal = true) {
  const registry = makeRegistry();
  registry.add('orders', 'full', { kind: 'interval', everyMs: 3_600_000 });
  const http = makeHttp({
    views: registry.views,
    metrics: makeMetrics(registry.views),
    isLocal: () => isLocal,
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
  it('are those that are named, each with what it is, and the docs name them all', async () => {
    const { registry, get } = makeDaemon();
    registry.change('orders', 'full', { nextMs: AT, runningSinceMs: null });
    registry.ended('orders', endOf('failed'), AT);
    registry.ended('orders', endOf('succeeded'), AT + 1000);
    const { text } = await get('/metrics');
    const exposed = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name!);
    assert.deepEqual(exposed.toSorted(), [...METRIC_NAMES].toSorted());
    for (const name of METRIC_NAMES) assert.match(text, new RegExp(`^${name}[ {]`, 'm'));
    const docs = readFileSync(join(import.meta.dirname, '../../docs/serve.md'), 'utf8');
    assert.deepEqual(
      METRIC_NAMES.filter((name) => !docs.includes(`\`${name}\``)),
      [],
    );
  });

  it('say how the last run came out, and how many there were', async () => {
    const { registry, get } = makeDaemon();
    registry.ended('orders', endOf('succeeded'), AT);
    const { text } = await get('/metrics');
    const value = (line: string): string | undefined => text.split('\n').find((one) => one.startsWith(line));
    const labels = '{store="orders",job="full"}';
    assert.equal(
      value(`eventcore_job_last_success_timestamp_seconds${labels}`)?.split(' ')[1],
      String(AT / 1000),
    );
    assert.equal(value(`eventcore_job_last_duration_seconds${labels}`)?.split(' ')[1], '7');
    assert.equal(value(`eventcore_job_last_events${labels}`)?.split(' ')[1], '12');
    assert.match(text, /eventcore_job_runs\{store="orders",job="full",state="succeeded"\} 1/);
    assert.equal(value(`eventcore_job_last_failure_timestamp_seconds${labels}`), undefined);
  });

  it('are for this host only; others hear whether all is well, and not what is wrong', async () => {
    const local = makeDaemon();
    const stranger = makeDaemon(false);
    assert.equal((await stranger.get('/metrics')).status, 404);
    for (const { registry } of [local, stranger])
      registry.change('orders', 'full', { trouble: 's3://secret-bucket is away' });
    assert.deepEqual(await stranger.get('/readyz'), { status: 503, text: 'not ready\n' });
    assert.match((await local.get('/readyz')).text, /secret-bucket/);
    assert.equal((await stranger.get('/livez')).status, 200);
  });
});
