import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { archive } from '../../src/capture/archiver.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import { parseTime } from '../../src/core/time.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { readLogCatalog } from '../../src/format/log-catalog.ts';
import { openLogs } from '../../src/format/log-keys.ts';
import { openChain } from '../../src/format/open-bundle.ts';
import { digestStore } from '../../src/integrity/store-digest.ts';
import { planRecovery } from '../../src/recovery/plan-recovery.ts';
import { restoreBackup } from '../../src/recovery/restore.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { openPostgresStore } from '../../src/stores/postgres/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { backUp, readObject, testClock } from '../harness/memory-backup.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';
import { keysOf, makePerson, makeRing, makeSigner } from '../harness/test-keys.ts';

let server: TestPostgres;
let store: EventStore;

before(async () => {
  server = await startPostgres();
  store = openPostgresStore(server.address(await server.createDatabase()));
  await store.initialise();
});

after(async () => {
  await store?.close();
  await server?.stop();
});

it('a sealed log of a real server, kept with public keys alone, brings its owner back to an instant', async () => {
  const vault = memoryVault();
  const owner = makePerson('owner');
  const host = keysOf(makeRing([owner]), makeSigner());
  const asOwner = keysOf(makeRing([], [owner]));
  const capture = () =>
    archive(
      { store, vault, clock: testClock, keys: host },
      {
        ...{ format: 'columns', compression: 'zstd', level: null, flushMs: 10, idleMs: 100 },
        ...{ software: 'test', outage: { policy: 'hold' }, once: true },
      },
    );
  const append = async (): Promise<void> => {
    const event = { type: 'CanaryHappened', data: '{"secret":"canary-payload"}' };
    for (let i = 0; i < 5; i += 1) await store.append([{ streamId: `canary-stream-${i}`, events: [event] }]);
  };
  await capture();
  await append();
  await backUp(store, vault, {}, host);
  await append();
  const { digest } = await digestStore(store);
  await sleep(20);
  const time = parseTime(new Date().toISOString())!;
  await sleep(20);
  await append();
  assert.equal((await capture()).gaps, 0);
  for await (const { name } of vault.list('')) {
    const bytes = await readObject(vault, name);
    for (const secret of ['canary-', 'Canary']) assert.ok(!bytes.includes(secret), name);
  }
  const timelines = openLogs(vault, await readLogCatalog(vault), asOwner);
  const recovery = await planRecovery(
    { vault, catalog: await readCatalog(vault), timelines },
    { kind: 'time', time },
  );
  const target = memoryStore();
  const chain = await openChain(vault, recovery.chain, asOwner, 'all');
  const options = { replace: false, checkpoints: 'keep', parallel: 1, recovery } as const;
  const report = await restoreBackup({ target, vault, clock: testClock }, chain, options);
  assert.equal(report.recovery!.eventsReplayed, 5);
  assert.equal((await digestStore(target)).digest, digest);
});
