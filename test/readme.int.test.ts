/** What the README promises beside its transcript, which `docs/pages.int.test.ts` runs. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';

const ROOT = join(import.meta.dirname, '..');
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');

describe('the README', () => {
  it('gives the two commands that do all the set-up, and scripts for them', () => {
    assert.match(readme, /npm ci && npm run demo/);
    assert.match(readme, /npm ci && npm test/);
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    assert.ok(scripts.demo && scripts.test);
    assert.match(readFileSync(join(ROOT, '.ci/run'), 'utf8'), /npm ci && npm test/);
  });

  it('has an example of the library that runs', () => {
    const example = join(ROOT, 'examples/backup-and-restore.ts');
    const run = spawnSync(process.execPath, [example], { encoding: 'utf8' });
    assert.equal(
      run.stdout,
      'backed up 2 events in 2 streams\nrestored, equal in every column\n',
      run.stderr,
    );
  });
});
