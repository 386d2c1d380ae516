import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { pause } from '../../../src/core/pause.ts';
import { temporaryStore } from './temporary-store.ts';

const skip = existsSync('/proc/self/task') ? false : 'needs /proc';

// Also before the one that watches in it has begun to.
for (const afterMs of [5, 300]) {
  test(`a statement without an end ends with whoever asked it, also when that is killed after ${afterMs} ms`, {
    skip,
  }, async (t) => {
    const { store, address } = temporaryStore(t);
    await store.initialise();
    const asker = fork(path.join(import.meta.dirname, 'inspecting-child.ts'), [address]);
    await once(asker, 'message');
    const children = readFileSync(`/proc/${asker.pid}/task/${asker.pid}/children`, 'utf8').trim().split(' ');
    assert.equal(children.length, 1);
    await pause(afterMs);
    asker.kill('SIGKILL');
    await once(asker, 'exit');
    const isThere = (): boolean => existsSync(`/proc/${children[0]}`);
    for (let tries = 0; tries < 150 && isThere(); tries += 1) await pause(100);
    assert.equal(isThere(), false);
    // Nobody is kept from the store by what was ended.
    await store.append([{ streamId: 'a', events: [{ type: 'T', data: '{}' }] }]);
  });
}
