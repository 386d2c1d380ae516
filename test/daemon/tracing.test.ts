import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, it } from 'node:test';
import type { JobBegin } from '../../src/core/job.ts';
import type { CommandResult } from '../../src/daemon/run-job.ts';
import { openTracing, type TraceVariables, traceJob } from '../../src/daemon/tracing.ts';
import { makeFolder, runCommand } from '../harness/command.ts';
import { exporter, type SeenSpan, seen } from '../harness/tracing-sdk.ts';

const ERROR = 2;
const SDK = join(import.meta.dirname, '../harness/tracing-sdk.ts');
const DONE: CommandResult = {
  exitCode: 0,
  code: null,
  trouble: null,
  facts: { totalEvents: 12, sizeBytes: 99 },
};
const BEGIN: JobBegin = {
  ...{ job: 'incremental', wantedAt: '2026-11-29T12:00:00.000Z', attempt: 2 },
  ...{ startedAt: '2026-11-29T12:00:01.000Z', daemon: 'd', software: 's', reason: 'it is due', missed: 0 },
};

async function spanOf(result: CommandResult, state: string): Promise<[SeenSpan, TraceVariables]> {
  const tracing = await openTracing('eventcore-backup 1.2.3');
  let variables: TraceVariables = {};
  await traceJob(tracing, { store: 'shop', begin: BEGIN, stateOf: () => state }, async (given) => {
    variables = given;
    return result;
  });
  const [span] = exporter.getFinishedSpans();
  return [seen(span!), variables];
}

describe('a span', () => {
  beforeEach(() => exporter.reset());

  it('is around each run of a job, and its command is told of it', async () => {
    const [span, variables] = await spanOf(DONE, 'succeeded');
    assert.equal(span.name, 'eventcore.job incremental');
    assert.deepEqual(span.attributes, {
      ...{ 'eventcore.store': 'shop', 'eventcore.job': 'incremental', 'eventcore.attempt': 2 },
      ...{ 'eventcore.wanted_at': BEGIN.wantedAt, 'eventcore.reason': 'it is due' },
      ...{ 'eventcore.state': 'succeeded', 'process.exit.code': 0 },
      ...{ 'eventcore.events': 12, 'eventcore.bytes': 99 },
    });
    assert.equal(span.status.code, 0);
    assert.deepEqual(variables, { TRACEPARENT: `00-${span.traceId}-${span.spanId}-01` });
  });

  it('of a run that failed says so by its code, and not in the words of the command', async () => {
    const failed = { exitCode: 5, code: 'store_unreachable', trouble: 'stream "secret" is away', facts: {} };
    const [span] = await spanOf(failed, 'failed');
    assert.deepEqual(span.status, { code: ERROR, message: 'store_unreachable' });
    assert.equal(span.attributes['error.type'], 'store_unreachable');
    assert.ok(!JSON.stringify(span).includes('secret'));
    exporter.reset();
    const [stopped] = await spanOf({ ...DONE, exitCode: 130 }, 'interrupted');
    assert.equal(stopped.status.code, 0);
  });

  it('is none where no SDK is there, and the work is done all the same', async () => {
    const result = await traceJob(null, { store: 'shop', begin: BEGIN, stateOf: () => '' }, async (given) => {
      assert.deepEqual(given, {});
      return DONE;
    });
    assert.deepEqual([result, exporter.getFinishedSpans().length], [DONE, 0]);
  });

  it('is around a command, within the one that its environment names', async () => {
    const folder = await makeFolder();
    try {
      const spans = join(folder.path, 'spans');
      const [traceId, parentId] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];
      const env = {
        SPANS: spans,
        NODE_OPTIONS: `--import ${SDK}`,
        TRACEPARENT: `00-${traceId}-${parentId}-01`,
      };
      const ran = await runCommand(
        folder.path,
        ['backup', 'full', '--store', 'sqlite:none.db', '--vault', 'v'],
        { env },
      );
      assert.notEqual(ran.code, 0);
      const [line, ...more] = readFileSync(spans, 'utf8').trim().split('\n');
      const span = JSON.parse(line!) as SeenSpan;
      assert.deepEqual(
        [span.name, span.traceId, span.parentId],
        ['eventcore backup full', traceId, parentId],
      );
      assert.equal(span.status.code, ERROR);
      assert.equal(typeof span.attributes['error.type'], 'string');
      assert.deepEqual(more, []);
    } finally {
      await folder.remove();
    }
  });
});
