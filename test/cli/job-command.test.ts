import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChildCommand } from '../../src/cli/children/command.ts';
import { runJobCommand } from '../../src/cli/children/job-command.ts';
import type { ChildMessage } from '../../src/cli/children/messages.ts';
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

function run(words: readonly string[], changes: Partial<ChildCommand> = {}) {
  const signal = new AbortController().signal;
  const lines: string[] = [];
  const result = runJobCommand({
    ...{ words, config: null, env: process.env, cwd: folder, deadlineMs: 60_000, signal },
    onLog: (line) => lines.push(line),
    ...changes,
  });
  return { result, lines };
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

function isAlive(pid: number): boolean {
  try {
    // A process that nobody took the end of has no command line.
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '';
  } catch {
    return false;
  }
}

describe('a command of a job', () => {
  it('gives the numbers that it answered', async () => {
    const { exitCode, code, trouble, facts } = await run(['backup', 'full', ...places]).result;
    assert.deepEqual([exitCode, code, trouble], [0, null, null]);
    assert.deepEqual([facts.totalEvents, facts.totalStreams], [1, 1]);
  });

  it('says how far it is, and what the log in the vault holds', async () => {
    const said: ChildMessage[] = [];
    const onMessage = (message: ChildMessage): number => said.push(message);
    await run(['backup', 'full', ...places], { onMessage }).result;
    const progress = said.flatMap((message) => (message.kind === 'progress' ? [message.progress] : []));
    assert.ok(progress.length > 0);
    assert.ok(progress.every(({ step, atMs, sinceMs }) => step.length > 0 && atMs >= sinceMs));
    await run(['archive', '--once', ...places], { onMessage }).result;
    const reach = said.find((message) => message.kind === 'log');
    assert.match(reach?.log ?? '', /^log\//);
    assert.ok(Date.parse(reach?.until ?? '') > Date.now() - 60_000);
  });

  it('ends when the process that runs it is gone, as if it were told to stop', async () => {
    const script = join(folder, 'parent.mjs');
    const here = join(import.meta.dirname, '../../src/cli/children/job-command.ts');
    writeFileSync(
      script,
      `import { runJobCommand } from ${JSON.stringify(here)};
       const words = ['archive', ...JSON.parse(process.argv[2])];
       const signal = new AbortController().signal;
       const common = { words, config: null, env: process.env, cwd: '.', deadlineMs: 60_000, signal };
       runJobCommand({ ...common, onLog: () => {}, onMessage: ({ kind }) => console.log(kind) });`,
    );
    const parent = spawn(process.execPath, [script, JSON.stringify(places)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) =>
      parent.stdout.on('data', (text) => `${text}`.includes('progress') && resolve(null)),
    );
    const children = childrenOf(parent.pid!);
    assert.equal(children.length, 1);
    parent.kill('SIGKILL');
    for (let tries = 0; tries < 100 && children.some(isAlive); tries += 1) await sleep(50);
    assert.deepEqual(children.filter(isAlive), []);
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
