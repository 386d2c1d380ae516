import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { archive } from '../../src/capture/archiver.ts';
import { BackupError, isBackupError } from '../../src/core/errors.ts';
import type { UnderLease } from '../../src/core/lease.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { grow } from '../harness/chain.ts';
import { testClock } from '../harness/memory-backup.ts';
import { archiveOnce, leaseOf, makeRegion } from '../harness/region.ts';

const HOUR = 3_600_000;
/** Log files are looked after every half minute. */
const UPKEEP_MS = 31_000;

async function countFiles(vault: Vault): Promise<number> {
  const [timeline] = await readLogCatalog(vault);
  return timeline!.spans.reduce((sum, { files }) => sum + files.length, 0);
}

test('an archiver joins no log files while another process holds the lease, says so once, and joins them later', async (context) => {
  const region = await makeRegion();
  const { store, vault } = region;
  for (let round = 0; round < 4; round += 1) {
    await grow(store, 70 + round, 1);
    await archiveOnce(region);
  }
  const before = await countFiles(vault);
  let aheadMs = 0;
  const real = performance.now.bind(performance);
  context.mock.method(performance, 'now', () => real() + aheadMs);
  let refusals = 0;
  let isFree = false;
  const underLease: UnderLease = (work) => {
    if (isFree) return leaseOf(vault)(work);
    refusals += 1;
    throw new BackupError('lease_held', 'another process holds the lease');
  };
  const notes: string[] = [];
  const stop = new AbortController();
  const clock = { ...testClock, now: () => Date.now() + HOUR };
  const running = archive(
    { store, vault, clock, underLease },
    {
      ...{ format: 'jsonl', compression: 'none', level: null, flushMs: 10, idleMs: 10, once: false },
      ...{ software: 'test', outage: { policy: 'hold' }, signal: stop.signal },
      onNote: ({ message }) => notes.push(message),
    },
  );
  const ended = assert.rejects(running, (error) => isBackupError(error, 'interrupted'));
  const until = async (isSo: () => Promise<boolean> | boolean): Promise<void> => {
    for (let tries = 0; !(await isSo()); tries += 1) {
      assert.ok(tries < 500, `it never came about; ${notes.join()}`);
      aheadMs += UPKEEP_MS;
      await sleep(10);
    }
  };
  try {
    await until(() => refusals >= 2);
    assert.ok((await countFiles(vault)) >= before, 'nothing was joined');
    assert.deepEqual(
      notes.filter((note) => note.includes('another process')),
      ['log files are joined later: another process holds the lease'],
    );
    isFree = true;
    await until(async () => (await countFiles(vault)) < before);
  } finally {
    stop.abort();
    await ended;
  }
});
