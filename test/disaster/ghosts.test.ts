import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { it } from 'node:test';
import { findGhostsIn } from '../../src/disaster/ghosts.ts';
import { openSqliteStore } from '../../src/stores/sqlite/store.ts';
import { run, storeOf } from './two-stores.ts';

it('a checkpoint at an event that is not there is a ghost, and one that has seen nothing yet is none', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ghosts-'));
  const path = join(folder, 'events.db');
  const [first, second] = run('s', 0, 2);
  const store = await storeOf([first!], openSqliteStore(`sqlite:${path}`));
  const database = new DatabaseSync(path);
  const add = database.prepare(
    'INSERT INTO eventcore_subscription_versions (subscription_name, last_position) VALUES (?, ?)',
  );
  add.run('here', String(first!.id));
  add.run('here in capitals', String(first!.id).toUpperCase());
  add.run('new', '00000000-0000-0000-0000-000000000000');
  add.run('ghost', String(second!.id));
  database.close();
  assert.deepEqual(await findGhostsIn(store, new AbortController().signal), ['ghost']);
  await store.close();
  rmSync(folder, { recursive: true });
});
