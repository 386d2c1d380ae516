import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type OutputKept, runProgram } from '../../src/outside/run-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'eventcore-run-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const KEEPS: OutputKept = { stdoutBytes: 1000, stderrBytes: 20 };
const run = (script: string, ms = 3000, stdin?: string) =>
  runProgram({
    ...{ command: ['/bin/sh', '-c', script], env: { PATH: process.env.PATH }, cwd: folder, keeps: KEEPS },
    ...{ signal: AbortSignal.timeout(ms), ...(stdin === undefined ? {} : { stdin }) },
  });

describe('a program that is run', () => {
  it('gives its exit code, what it wrote, and the last of what it complained of', async () => {
    const end = await run('cat; printf "%040d" 7 >&2; exit 3', 3000, 'in');
    assert.deepEqual(
      { ...end, stdout: end.stdout.toString(), stderr: end.stderr.toString() },
      { how: 'ended', code: 3, stdout: 'in', stderr: '0'.repeat(19).concat('7') },
    );
    assert.equal((await run('kill -9 $$')).code, 'SIGKILL');
  });

  it('is ended when it writes too much, with all that it started when its time is over', async () => {
    assert.equal((await run('yes')).how, 'too_much_output');
    const mark = join(folder, 'mark');
    writeFileSync(mark, '');
    const startMs = performance.now();
    assert.equal((await run(`(sleep 0.6; echo late > "${mark}") & sleep 60`, 150)).how, 'stopped');
    assert.ok(performance.now() - startMs < 500);
    await sleep(600);
    assert.equal(readFileSync(mark, 'utf8'), '');
  });

  it('is not waited for where something that it left behind holds its output', async () => {
    const startMs = performance.now();
    const end = await run('echo done; sleep 20 & exit 0', 10_000);
    assert.deepEqual([end.how, end.code, end.stdout.toString()], ['ended', 0, 'done\n']);
    assert.ok(performance.now() - startMs < 5000);
  });

  it('need not exist, nor be begun in time', async () => {
    const signal = AbortSignal.timeout(1000);
    const none = await runProgram({ command: ['/nowhere/program'], env: {}, signal });
    assert.deepEqual([none.how, none.code], ['not_started', 'ENOENT']);
    const long = await runProgram({ command: ['/bin/true', 'x'.repeat(3 << 20)], env: {}, signal });
    assert.equal(long.how, 'not_started');
    const late = await runProgram({ command: ['/bin/true'], env: {}, signal: AbortSignal.abort() });
    assert.equal(late.how, 'stopped');
  });
});
