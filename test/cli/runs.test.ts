import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JobBegin, JobName } from '../../src/core/job.ts';
import { claimRun, recordEnd } from '../../src/daemon/job-records.ts';
import { openDirectoryVault } from '../../src/vaults/fs/vault.ts';
import { makeFolder, runHere } from '../harness/command.ts';

const begin = (job: JobName, wantedAt: string): JobBegin => ({
  ...{
    job,
    wantedAt,
    attempt: 1,
    startedAt: wantedAt,
    daemon: 'host 1',
    software: 'test',
    reason: 'its time has come',
    missed: 0,
  },
});

describe('eventcore runs', () => {
  it('lists the newest runs of all jobs, the newest first, also what has not ended', async () => {
    const folder = await makeFolder();
    try {
      const vault = openDirectoryVault(folder.path);
      await vault.open({ create: true });
      const [first, second, third] = [
        begin('full', '2026-11-29T01:00:00.000Z'),
        begin('verify', '2026-11-29T02:00:00.000Z'),
        begin('full', '2026-11-29T03:00:00.000Z'),
      ];
      for (const run of [first, second, third]) await claimRun(vault, run);
      const ended = { endedAt: '2026-11-29T02:00:09.000Z', durationMs: 9000, facts: {} };
      await recordEnd(vault, { ...first, ...ended, state: 'succeeded', exitCode: 0, code: null });
      await recordEnd(vault, {
        ...second,
        ...ended,
        state: 'failed',
        exitCode: 6,
        code: 'vault_unreachable',
      });
      await vault.close();
      const { stdout } = await runHere(['runs', '--vault', folder.path, '--limit', '2', '--json']);
      const runs = (JSON.parse(stdout).runs as Record<string, unknown>[]).map(({ job, state, code }) => [
        job,
        state,
        code,
      ]);
      assert.deepEqual(runs, [
        ['full', 'not_ended', null],
        ['verify', 'failed', 'vault_unreachable'],
      ]);
      const failed = JSON.parse(
        (await runHere(['runs', '--vault', folder.path, '--failed', '--json'])).stdout,
      );
      assert.deepEqual(
        (failed.runs as { state: string }[]).map(({ state }) => state),
        ['not_ended', 'failed'],
      );
      const shown = await runHere(['runs', '--vault', folder.path]);
      assert.match(
        shown.stdout,
        /full .*not ended[\s\S]*verify .*failed: vault_unreachable[\s\S]*full .*succeeded/,
      );
      assert.equal((await runHere(['runs', '--vault', folder.path, '--limit', '0'])).code, 2);
    } finally {
      await folder.remove();
    }
  });
});
