import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runInThread } from '../../src/cli/threads/threads.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { openDirectoryVault } from '../../src/vaults/fs/vault.ts';
import { makeRateBudget, type RateBudget } from '../../src/vaults/wrappers/rate.ts';
import { makeFolder, runHere, withStoreAt } from '../harness/command.ts';
import { backUp } from '../harness/memory-backup.ts';

const BURST_SECONDS = 0.1;

/** Nothing that could be compressed. */
function events(bytes: number) {
  return [{ type: 'Noted', data: JSON.stringify({ text: randomBytes(bytes / 2).toString('hex') }) }];
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

describe('a rate limit', () => {
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  let store: string;
  before(async () => {
    folder = await makeFolder();
    store = `sqlite:${join(folder.path, 'events.db')}`;
    await withStoreAt(store, async (opened) => {
      await opened.initialise();
      await opened.append([{ streamId: 'a', events: events(400_000) }]);
    });
  });
  after(() => folder.remove());

  async function run(...words: string[]): Promise<{ seconds: number; sizeBytes: number }> {
    let sizeBytes = 0;
    const seconds = await secondsOf(async () => {
      const ran = await runHere([...words, '--json']);
      assert.equal(ran.code, 0, ran.stderr);
      sizeBytes = JSON.parse(ran.stdout).sizeBytes;
    });
    return { seconds, sizeBytes };
  }

  it('holds for what a backup writes, by flag or by configuration', async () => {
    const vault = join(folder.path, 'vault');
    const words = ['backup', 'full', '--no-verify', '--store', store, '--vault', vault];
    const free = await run(...words);
    const limited = await run(...words, '--rate-limit', '200kB/s');
    const leastSeconds = limited.sizeBytes / 200_000 - BURST_SECONDS;
    assert.ok(leastSeconds > 0.5, `${limited.sizeBytes} bytes`);
    assert.ok(limited.seconds >= leastSeconds, `${limited.seconds} s instead of ${leastSeconds} s`);
    assert.ok(free.seconds < limited.seconds, `${free.seconds} s without a limit`);
    const config = join(folder.path, 'slow.yaml');
    writeFileSync(config, 'rate_limit: 200kB/s\n');
    const byFile = await run(...words, '--config', config);
    assert.ok(byFile.seconds >= leastSeconds);
  });

  it('holds for what a sync copies, to all regions together', async () => {
    const source = join(folder.path, 'eu');
    const { sizeBytes } = await run('backup', 'full', '--store', store, '--vault', source);
    const config = join(folder.path, 'regions.yaml');
    writeFileSync(
      config,
      'primary: { region: eu, storage: ./eu }\nreplicas: [{ region: us, storage: ./us }, { region: ap, storage: ./ap }]\n',
    );
    const { seconds } = await run('sync', '--config', config, '--rate-limit', '400kB/s');
    const leastSeconds = (2 * sizeBytes) / 400_000 - BURST_SECONDS;
    assert.ok(leastSeconds > 0.5 && seconds >= leastSeconds, `${seconds} s instead of ${leastSeconds} s`);
  });

  it('that is none, or too slow for leases, is refused', async () => {
    for (const rate of ['fast', '50', '1kB/s', '0MB/s']) {
      const ran = await runHere(['backup', 'full', '--store', store, '--vault', 'v', '--rate-limit', rate]);
      assert.equal(ran.code, 2);
      assert.match(ran.stderr, /at least 100kB\/s, as 50MB\/s/);
    }
    const config = join(folder.path, 'wrong.yaml');
    writeFileSync(config, 'rate_limit: 10\n');
    assert.match((await runHere(['list', '--config', config])).stderr, /`rate_limit` is not valid/);
  });

  it('is one for all threads that read a vault', async () => {
    const vault = openDirectoryVault(join(folder.path, 'threads'));
    await vault.open({ create: true });
    const inMemory = memoryStore();
    await inMemory.initialise();
    await inMemory.append([{ streamId: 'a', events: events(400_000) }]);
    const { manifest, folder: bundle } = await backUp(inMemory, vault);
    const { format, compression, headsDigest } = manifest;
    const file = manifest.files.find(({ role }) => role === 'events')!;
    const check = (budget: RateBudget | null) =>
      runInThread('verify', {
        vault: { address: vault.address, budget },
        job: {
          ...{
            folder: bundle,
            file,
            format,
            compression,
            seal: null,
            headsDigest,
            quick: false,
            payloads: false,
          },
          limits: { versionBase: manifest.store.versionBase, futureAfter: 0n },
        },
      });
    const rate = (3 * file.sizeBytes) / 1.5;
    const budget = makeRateBudget(rate);
    const seconds = await secondsOf(() => Promise.all([check(budget), check(budget), check(budget)]));
    assert.ok(seconds > 1.5 - BURST_SECONDS, `${seconds} s: each was alone within its limit`);
    assert.ok(seconds < 6, `${seconds} s`);
  });
});
