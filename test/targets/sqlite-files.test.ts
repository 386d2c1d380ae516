import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStore } from '../../src/cli/wire.ts';
import { drillFolderName } from '../../src/core/drill-target.ts';
import type { Writers } from '../../src/core/writers.ts';
import { sqliteFileTargets } from '../../src/targets/sqlite-files.ts';
import { describeDrillTargets } from '../../src/testing/drill-targets-contract.ts';

/** Processes by what their names begin with. */
function writersAs(self: string): Writers {
  return {
    self,
    stateOf: (writer) =>
      writer.startsWith('live') ? 'alive' : writer.startsWith('dead') ? 'dead' : 'unknown',
  };
}

const place = (folder: string, self = 'live-1') =>
  sqliteFileTargets({ folder, openStore, writers: writersAs(self) });

describeDrillTargets('a folder for files of SQLite', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'targets-'));
  return {
    open: () => place(folder),
    openAsDead: () => place(folder, 'dead-1'),
    list: async () => readdirSync(folder),
    dispose: async () => rmSync(folder, { recursive: true }),
  };
});

test('what is not a drill’s, or of a process that may live elsewhere, stays until it has been silent for long', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'targets-'));
  try {
    const elsewhere = drillFolderName('elsewhere-7', '0b7e6c1e-6f0a');
    for (const name of ['eventcore-drills', 'mine', elsewhere]) mkdirSync(join(folder, name));
    const targets = place(folder);
    assert.deepEqual(await targets.removeLeftovers(), []);
    const old = new Date(Date.now() - 48 * 3_600_000);
    for (const name of readdirSync(folder)) utimesSync(join(folder, name), old, old);
    assert.equal((await targets.removeLeftovers()).length, 1);
    assert.deepEqual(readdirSync(folder).sort(), ['eventcore-drills', 'mine']);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a folder that is not there is refused with the way out', async () => {
  const targets = place(join(tmpdir(), 'no-such-folder-of-drills'));
  await assert.rejects(targets.create(), { code: 'store_refused', hint: /--target sqlite:FOLDER/ });
  await assert.rejects(targets.removeLeftovers(), { code: 'store_refused' });
});
