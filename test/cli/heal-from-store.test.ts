import assert from 'node:assert/strict';
import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { makeFolder, runHere, withStoreAt } from '../harness/command.ts';

it('verify --heal --from-store mends a vault without a policy, and says what it cannot', async (t) => {
  const folder = await makeFolder();
  t.after(() => folder.remove());
  const places = [
    '--store',
    `sqlite:${join(folder.path, 'events.db')}`,
    '--vault',
    join(folder.path, 'vault'),
  ];
  const run = (...words: string[]) => runHere([...words, ...places]);
  await withStoreAt(places[1]!, async (store) => {
    await store.initialise();
    const events = Array.from({ length: 50 }, (_, n) => ({ type: 'Noted', data: `{"n":${n}}` }));
    await store.append([{ streamId: 'one', events }]);
  });
  assert.equal((await run('backup', 'full')).code, 0);
  const [name] = globSync('vault/backups/*/events-00001.*.zst', { cwd: folder.path });
  const path = join(folder.path, name!);
  const sound = readFileSync(path);
  rmSync(path);

  assert.equal((await run('verify', '--from-store')).code, 2);
  assert.equal((await run('verify', '--heal')).code, 2);
  const healed = await run('verify', '--heal', '--from-store');
  assert.equal(healed.code, 0, healed.stdout + healed.stderr);
  assert.match(healed.stdout, /was missing, from sqlite:/);
  assert.deepEqual(readFileSync(path), sound);

  rmSync(path);
  writeFileSync(path, sound.subarray(0, 20));
  await withStoreAt(places[1]!, (store) => store.clear());
  const refused = await run('verify', '--heal', '--from-store');
  assert.equal(refused.code, 4);
  assert.match(refused.stdout, /cannot be made anew from the store: the store does not hold all/);
});
