/** The benchmark as a developer runs it, with few events: that it still works, not how fast anything is. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { NEW_EVENTS } from '../../bench/contenders/contender.ts';
import { judge, REQUIREMENTS } from '../../bench/requirements.ts';
import { findResult, type Outcome } from '../../bench/results.ts';

const ROOT = join(import.meta.dirname, '../..');
const EVENTS = 3000;
const OURS = ['backup', 'backup, verified', 'verify', 'restore', 'SQLite backup', 'SQLite restore'];
const INCREMENTAL = ['incremental', 'SQLite incremental'];
const PEERS = ['pg_dump -Fc', 'pg_restore -j2', 'COPY binary | zstd -1', 'VACUUM INTO, then zstd -1'];

interface Run {
  readonly status: number | null;
  readonly printed: string;
}

function run(program: string, args: readonly string[]): Run {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: ROOT, encoding: 'utf8' });
  return { status, printed: stdout + stderr };
}

/** With what an `npm run bench` before it has built. */
function benchOnly(...args: readonly string[]): Run {
  return run(process.execPath, ['bench/bench.ts', ...args]);
}

describe('npm run bench', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'eventcore-bench-test-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('measures ours, and of the peers those that are installed', () => {
    const file = join(folder, 'outcome.json');
    const only = [...OURS, ...INCREMENTAL, ...PEERS].flatMap((name) => ['--only', `=${name}`]);
    const { status, printed } = run('npm', [
      ...['run', 'bench', '--', '--events'],
      String(EVENTS),
      ...['--runs', '2', '--json', file],
      ...only,
    ]);
    assert.equal(status, 0, printed);
    const outcome = JSON.parse(readFileSync(file, 'utf8')) as Outcome;
    assert.equal(outcome.events, EVENTS);
    for (const name of OURS) {
      const { summary, runs } = findResult(outcome, name)!;
      assert.equal(runs.length, 2);
      assert.ok(summary.wallSeconds > 0 && summary.clientCpuSeconds > 0 && summary.peakMiB > 30, name);
      if (name.includes('backup')) assert.ok(summary.bytes! > 50 * EVENTS, `${name}: ${summary.bytes} bytes`);
    }
    assert.ok(findResult(outcome, 'restore')!.summary.serverCpuSeconds > 0);
    for (const name of INCREMENTAL) {
      const { summary, runs } = findResult(outcome, name)!;
      assert.equal(runs.length, 2);
      const full = findResult(outcome, name.replace('incremental', 'backup'))!.summary.bytes!;
      // A thousand events of four to seven thousand: with all that earlier runs appended it would be more.
      assert.ok(
        summary.bytes! > 50 * NEW_EVENTS && summary.bytes! < 0.5 * full,
        `${summary.bytes} of ${full}`,
      );
    }
    for (const name of PEERS) {
      const isLeftOut = outcome.leftOut.some((one) => one.name === name);
      assert.notEqual(isLeftOut, findResult(outcome, name) !== undefined, name);
      if (isLeftOut) assert.match(printed, new RegExp(`LEFT OUT: ${name.replace('|', '\\|')}`));
    }
    const memory = REQUIREMENTS.find(({ figure }) => figure === 'peakMiB')!;
    assert.notEqual(judge(memory, [outcome]).verdict, 'not measured');
  });

  it('profiles the main thread and the others', () => {
    const { status, printed } = benchOnly(
      // Enough for a range that another thread reads.
      ...['--events', '40000', '--profile', folder, '--only', '=backup'],
    );
    assert.equal(status, 0, printed);
    const profiles = readdirSync(join(folder, 'backup'));
    assert.ok(profiles.length >= 2, profiles.join(' '));
    assert.match(printed, /main thread: busy for [\d.]+ of/);
    // Which functions are the first fifteen is chance where there is so little to do; some of ours always are.
    assert.match(printed, /thread 1: busy for [\d.]+ of[\s\S]*\| +[\w-]+\/[\w-]+\.js:\d+ \|/);
  });

  it('says what is wrong with its options before it measures', () => {
    const { status, printed } = benchOnly('--events', 'many');
    assert.equal(status, 2);
    assert.match(printed, /many is no number of events[\s\S]*usage:/);
    const unknown = benchOnly('--check', '--events', '1234');
    assert.equal(unknown.status, 2);
    assert.match(unknown.printed, /nothing is published for 1234 events/);
  });
});
