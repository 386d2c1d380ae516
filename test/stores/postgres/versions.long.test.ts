/** What stands of the PostgreSQL adapter in integration tests, on every version that a store may run on. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { it } from 'node:test';
import { awaitCommand } from '../../harness/command.ts';
import { versionsHere } from '../../harness/postgres.ts';

const SUITES = [
  'test/stores/postgres/contract.int.test.ts',
  'test/stores/postgres/feed-contract.int.test.ts',
  'test/stores/postgres/restore.int.test.ts',
  'test/stores/postgres/merge.int.test.ts',
  'test/stores/postgres/reader.int.test.ts',
  'test/stores/postgres/inspection.int.test.ts',
  'test/stores/postgres/standby.int.test.ts',
];

for (const version of ['14', '15', '16', '17', '18']) {
  const isHere = versionsHere([version]).length > 0;
  const skip = isHere ? false : `PostgreSQL ${version} is not here: node scripts/install-postgres.mjs`;
  it(`PostgreSQL ${version} is a store like the others`, { skip }, async () => {
    // One of a runner of tests would report to that one, and run nothing.
    const { NODE_TEST_CONTEXT, ...env } = process.env;
    const child = spawn(process.execPath, ['--test', '--test-concurrency=2', ...SUITES], {
      ...{ env: { ...env, EVENTCORE_TEST_PG: version }, stdio: ['ignore', 'pipe', 'pipe'] },
    });
    const { code, stdout, stderr } = await awaitCommand(child);
    assert.equal(code, 0, `${stdout}${stderr}`.slice(-20_000));
    assert.match(stdout, /pass [1-9]\d\d/);
  });
}
