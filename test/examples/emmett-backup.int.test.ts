/** The example runs as its reader would run it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';

const EXAMPLE = join(import.meta.dirname, '../../examples/emmett-backup/main.ts');

describe('the example of an application with Emmett', () => {
  let server: TestPostgres;
  before(async () => {
    server = await startPostgres();
  });
  after(() => server.stop());

  it('backs up, verifies, restores into another database, and goes on there', async () => {
    const databases = [await server.createDatabase('shop'), await server.createDatabase('other')];
    const child = spawn(process.execPath, [EXAMPLE, ...databases.map((name) => server.address(name))]);
    const [stdout, stderr] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ]);
    assert.equal(
      stdout,
      [
        'backed up 2 events',
        'and 1 that came since',
        '2 backups are sound',
        'restored 3 events in 2 streams',
        'cart-1 goes on: 3 pieces, confirmed',
        '',
      ].join('\n'),
      stderr,
    );
  });
});
