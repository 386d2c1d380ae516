/** Restores whose parts are loaded by whoever comes, some of them more than once. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { archive } from '../../src/capture/archiver.ts';
import { runInThread } from '../../src/cli/threads/threads.ts';
import { openStore, openVault, placeOf } from '../../src/cli/wire.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { Progress } from '../../src/core/report.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import type { LoadPorts } from '../../src/recovery/load-all.ts';
import type { LoadResult } from '../../src/recovery/load-chunks.ts';
import { planRecovery } from '../../src/recovery/plan-recovery.ts';
import { type RestoreOptions, restoreBackup } from '../../src/recovery/restore.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { backUp, testClock } from '../harness/memory-backup.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';

const EVENTS = 50;
const EVENT_TEXT = 'x'.repeat(1 << 20);

type RunPart = NonNullable<LoadPorts['runPart']>;

describe('a restore in parts', () => {
  let server: TestPostgres;
  let folder: string;
  let vault: Vault;
  let address: string;
  let target: EventStore;
  const source = memoryStore();

  before(async () => {
    [server, folder] = await Promise.all([startPostgres(), mkdtemp(join(tmpdir(), 'eventcore-parts-'))]);
    vault = openVault(join(folder, 'vault'));
    await vault.open({ create: true });
    address = server.address(await server.createDatabase());
    target = await openStore(address);
    await source.initialise();
    for (let i = 0; i < EVENTS; i += 1) await append(`{"n": ${i}, "text": "${EVENT_TEXT}"}`, i % 4);
    await archiveOnce();
    await backUp(source, vault);
    for (let i = 0; i < 50; i += 1) await append(`{"late": ${i}}`, i % 6);
    await archiveOnce();
  });

  after(async () => {
    await target?.close();
    await vault?.close();
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const append = (data: string, stream: number) =>
    source.append([{ streamId: `stream-${stream}`, events: [{ type: 'Tested', data }] }]);

  async function archiveOnce(): Promise<void> {
    const ports = { store: source, vault, clock: testClock };
    const form = { format: 'columns', compression: 'zstd', level: null } as const;
    const times = { flushMs: 50, idleMs: 50, outage: { policy: 'hold' }, once: true } as const;
    await archive(ports, { ...form, ...times, software: 'test' });
  }

  const load: RunPart = (token, job, hooks) =>
    runInThread('part', { store: address, vault: placeOf(vault), token, job }, hooks);

  /** Part 1 is loaded by two at once, of part 2 the answer is lost, and part 3 is given up and begun again. */
  function mishaps(): { readonly runPart: RunPart; readonly parts: () => number } {
    let parts = 0;
    const runPart: RunPart = async (token, job, hooks) => {
      parts += 1;
      if (job.part === '3') await assert.rejects(load(token, job, { signal: AbortSignal.abort() }));
      const tries: LoadResult[] =
        job.part === '1'
          ? await Promise.all([load(token, job, hooks), load(token, job, hooks)])
          : [await load(token, job, hooks), await load(token, job, hooks)];
      assert.deepEqual(tries[1], tries[0]);
      return tries[0]!;
    };
    return { runPart, parts: () => parts };
  }

  async function restore(more: Partial<RestoreOptions> = {}) {
    const { chain } = await plan();
    const { runPart, parts } = mishaps();
    const told: Progress[] = [];
    const options: RestoreOptions = {
      ...{ replace: true, checkpoints: 'keep', parallel: 3, ...more },
      onProgress: (progress) => told.push(progress),
    };
    const report = await restoreBackup({ target, vault, clock: testClock, runPart }, chain, options);
    assert.equal(parts(), 3);
    const { events, bytes, totalEvents } = told.at(-1)!;
    assert.equal(events, totalEvents);
    return { report, bytes };
  }

  async function plan() {
    const [catalog, timelines] = [await readCatalog(vault), await readLogCatalog(vault)];
    return planRecovery({ vault, catalog, timelines }, { kind: 'latest' });
  }

  it('holds every event once, whoever loaded it, and tells of each once', async () => {
    const { report, bytes } = await restore();
    const files = (await plan()).chain.flatMap(({ manifest }) => manifest.files);
    const ofEvents = files.filter(({ role }) => role === 'events');
    assert.equal(
      bytes,
      ofEvents.reduce((sum, { plainBytes }) => sum + plainBytes, 0),
    );
    assert.equal(report.eventsRestored, EVENTS);
    assert.deepEqual(await target.count(), { events: EVENTS, streams: 4 });
  });

  it('goes on with the log behind the last part', async () => {
    const { report } = await restore({ recovery: await plan() });
    assert.equal(report.recovery?.eventsReplayed, 50);
    assert.deepEqual(await digestStore(target), await digestStore(source));
  });
});
