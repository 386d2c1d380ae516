/** What pages show is true: their commands are run, in order, and print what stands there. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { openFixtures } from './fixtures.ts';
import { PAGES } from './pages.ts';
import { describeDifferences, isRunPage, lackedBy, QUICK_START, runPage } from './run-page.ts';

describe('pages', { concurrency: 2 }, () => {
  const room = openFixtures();

  after(() => room.end());

  for (const path of PAGES.keys()) {
    if (!isRunPage(path) || path === QUICK_START) continue;
    const lacked = lackedBy(path);
    const skip = lacked === null ? false : `there is no ${lacked} on the PATH`;
    it(`${path} shows what its commands print`, { skip }, async () => {
      const differences = describeDifferences(path, await runPage(path, room));
      assert.equal(differences.length, 0, differences.join('\n\n'));
    });
  }
});
