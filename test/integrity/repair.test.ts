import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DAMAGE, repairsToEquality } from './repair-cases.ts';
import { temporaryPlace } from './repair-places.ts';
import { REFUSALS } from './repair-refusals.ts';

describe('a store in SQLite', () => {
  for (const damage of DAMAGE) it(damage.name, (t) => repairsToEquality(temporaryPlace(t), damage));
  for (const [sentence, run] of REFUSALS) it(sentence, (t) => run(temporaryPlace(t)));

  it('keeps the row as it was, and by whom and why it was changed', async (t) => {
    const here = temporaryPlace(t);
    await repairsToEquality(here, DAMAGE[3]!);
    const [row] = await here.exec('SELECT * FROM eventcore_repairs');
    assert.equal(JSON.parse(String(row!.row_before)).event_data, '{"n": 666}');
    assert.match(String(row!.reason), /^not as in backup /);
    assert.match(String(row!.sha256_after), /^[0-9a-f]{64}$/);
  });
});
