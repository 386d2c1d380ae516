import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoreCursor } from '../../../src/core/event-store.ts';
import { whyNotComparable } from '../../../src/stores/postgres/cursor.ts';

const here: StoreCursor = {
  ...{ kind: 'postgres', systemIdentifier: '7', timeline: 1, database: '5', relation: '16384', started: 'x' },
  ...{ role: 'primary', lsn: '0/20', snapshot: '740:744:740,742' },
};

test('what a manifest says of positions and transactions is believed only where it is written as such', () => {
  assert.equal(whyNotComparable(here, here, '0/20'), null);
  for (const lsn of ['', '0', 'x/y', '0/20/', `${'F'.repeat(5000)}/0`, '0/-1']) {
    assert.match(
      whyNotComparable({ ...here, lsn }, here, '0/20') ?? 'none',
      /cannot be told/,
      lsn.slice(0, 20),
    );
  }
  for (const snapshot of ['', 'x:y:', '7', `${'9'.repeat(5000)}:1:`, '1:2:x']) {
    assert.match(whyNotComparable({ ...here, snapshot }, here, '0/20') ?? 'none', /cannot be told/);
  }
});
