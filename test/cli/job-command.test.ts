import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type JobCommand, runJobCommand } from '../../src/cli/job-command.ts';
import { openStore } from '../../src/cli/wire.ts';

const folder = mkdtempSync(join(tmpdir(), 'eventcore-job-'));
const places = ['--store', `sqlite:${join(folder, 'events.db')}`, '--vault', join(folder, 'vault')];

before(async () => {
  const store = await openStore(`sqlite:${join(folder, 'events.db')}`);
  try {
    await store.initialise();
    const events = [{ type: 'Began', data: '{"n":1}' }];
    await store.append([{ streamId: 'a', expectedVersion: 0n, events }]);
  } finally {
    await store.close();
  }
});

after(() => rmSync(folder, { recursive: true, force: true }));

function run(words: readonly string[], changes: Partial<JobCommand> = {}) {
  const signal = new AbortController().signal;
  const lines: string[] = [];
  const result = runJobCommand({
    ...{ words, config: null, env: process.env, cwd: folder, deadlineMs: 60_000, signal },
    onLog: (line) => lines.push(line),
    ...changes,
  });
  return { result, lines };
}

describe('a command of a job', () => {
  it('gives the numbers that it answered', async () => {
    const { exitCode, code, trouble, facts } = await run(['backup', 'full', ...places]).result;
    assert.deepEqual([exitCode, code, trouble], [0, null, null]);
    assert.deepEqual([facts.totalEvents, facts.totalStreams], [1, 1]);
  });

  it('that is refused says why, with the way out', async () => {
    const { code, trouble, exitCode } = await run(['backup', 'full']).result;
    assert.deepEqual([exitCode, code], [2, 'usage']);
    assert.match(trouble!, /no store.*\(.*--store/s);
  });

  it('of which something is bad says what', async () => {
    const { exitCode, trouble } = await run(['doctor', '--vault', join(folder, 'nowhere')]).result;
    assert.notEqual(exitCode, 0);
    assert.match(trouble!, /vault: /);
  });

  it('that cannot be run at all has failed', async () => {
    const { exitCode, code, trouble } = await run(['list'], { cwd: join(folder, 'not-there') }).result;
    assert.deepEqual([exitCode, code], [null, 'internal']);
    assert.match(trouble!, /could not be run \(ENOENT\)/);
  });

  it('is told to stop when its time is over, and when the daemon is', async () => {
    const { exitCode, code } = await run(['archive', ...places], { deadlineMs: 2000 }).result;
    assert.deepEqual([exitCode, code], [130, 'interrupted']);
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 1500);
    assert.equal((await run(['archive', ...places], { signal: stop.signal }).result).exitCode, 130);
  });
});
