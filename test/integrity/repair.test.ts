import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { numbered } from '../../src/testing/event-store/fixture.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { backUp } from '../harness/memory-backup.ts';
import { keysOf, makePerson, makeRing } from '../harness/test-keys.ts';
import { DAMAGE, found, plan, portsOf, repairsToEquality } from './repair-cases.ts';
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

it('a chain that is sealed and not opened keeps nothing else from being repaired', async () => {
  const store = memoryStore();
  await store.initialise();
  await store.append([{ streamId: 'a', events: numbered(3) }]);
  const vault = memoryVault();
  await backUp(store, vault, {}, keysOf(makeRing([makePerson('owner')])));
  const planned = await plan(await portsOf(store, vault), [found('a', 'put_back_events')]);
  assert.deepEqual(
    planned.refusals.map(({ code, reason }) => [code, /key/.test(reason)]),
    [['not_compared', true]],
  );
});
