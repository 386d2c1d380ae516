import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import type { EventStore, StoreDescription } from '../../src/core/event-store.ts';
import type { Vault } from '../../src/core/vault.ts';
import { assertWithoutLog, conversionOf, DELIVERY_ORDER, lossesOf } from '../../src/recovery/conversion.ts';
import { measureLosses } from '../../src/recovery/losses.ts';
import type { LogPart } from '../../src/recovery/plan-recovery.ts';
import { type RestoreOptions, restoreBackup } from '../../src/recovery/restore.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { readAll } from '../../src/testing/event-store/restoring.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { addIncremental } from '../harness/chain.ts';
import { newestChain } from '../harness/chain-backup.ts';
import { backUp, fill, testClock } from '../harness/memory-backup.ts';

/** A store that says that it is one of others. */
function others(store: EventStore): EventStore {
  return {
    ...store,
    inspect: async () => ({ ...(await store.inspect()), layout: 'others', versionBase: 0 }),
  };
}

function uuid(n: number): string {
  return `018f4e9a-1c2d-7000-8000-${String(n).padStart(12, '0')}`;
}

const EVENTS = 400;

/** Only one event, far behind, has a column. */
const CONTENTS = Array.from({ length: EVENTS }, (_, n) => ({
  ...{ id: uuid(n), streamId: `s-${n % 3}`, version: Math.floor(n / 3), data: `{"n": ${n}}` },
  metadata: `{"columns": {${n === 300 ? '"tenant": "a"' : ''}}, "metadata": {"n": ${n}}}`,
}));

const OPTIONS: RestoreOptions = { replace: false, checkpoints: 'keep', parallel: 1 };

describe('a restore of a store of others into EventCore', () => {
  let vault: Vault;
  before(async () => {
    vault = memoryVault();
    const store = memoryStore();
    await fill(store, CONTENTS);
    await backUp(others(store), vault, { chunkBytes: 2000, parallel: 1 });
    await addIncremental(others(store), vault);
  });

  it('counts what is lost by reading all of it', async () => {
    const conversion = { from: 'others', to: 'eventcore', versionShift: 1, opens: true, adopts: false };
    assert.deepEqual(await measureLosses(vault, await newestChain(vault), conversion), [
      { field: 'tenant', kind: 'column', count: 1 },
    ]);
  });

  it('is refused for one event among hundreds, when nothing of it was to be seen at first', async () => {
    const target = memoryStore();
    const restoring = restoreBackup({ target, vault, clock: testClock }, await newestChain(vault), OPTIONS);
    await assert.rejects(
      restoring,
      (error) => isBackupError(error, 'would_lose') && error.exitCode === 9 && /tenant/.test(error.message),
    );
    assert.equal((await target.inspect()).state, 'missing');
  });

  it('gives metadata and versions as the target has them, and the heads prove it', async () => {
    const target = memoryStore();
    const report = await restoreBackup({ target, vault, clock: testClock }, await newestChain(vault), {
      ...OPTIONS,
      allowLoss: ['tenant'],
    });
    assert.deepEqual(report.lost, [{ field: 'tenant', kind: 'column', count: 1 }]);
    assert.deepEqual(
      (await readAll(target)).map(({ id, version, metadata }) => [id, version, metadata]).sort(),
      CONTENTS.map(({ id, version }, n) => [id, version + 1, `{"n": ${n}}`]).sort(),
    );
  });

  it('keeps envelopes and versions where that is asked for', async () => {
    const target = memoryStore();
    const options: RestoreOptions = { ...OPTIONS, envelopes: 'keep' };
    const report = await restoreBackup(
      { target, vault, clock: testClock },
      await newestChain(vault),
      options,
    );
    assert.deepEqual([report.lost, report.plan.conversion], [[], null]);
    assert.deepEqual((await target.readStream('s-0', { limit: 1 }))[0]?.version, 0n);
    assert.equal((await target.readStream('s-0', { limit: 1 }))[0]?.metadata, CONTENTS[0]!.metadata);
  });
});

describe('what a target of another layout can hold', () => {
  const own: StoreDescription = {
    ...{ kind: 'postgres', layout: 'eventcore', versionBase: 1, serverVersion: '15', state: 'empty' },
  };

  it('is decided by layout and kind', () => {
    const emmett: StoreDescription = { ...own, layout: 'emmett', adopts: true };
    const castore: StoreDescription = { ...own, layout: 'castore' };
    assert.equal(conversionOf(own, { ...own, kind: 'sqlite' }, 'open'), null);
    assert.equal(conversionOf(castore, castore, 'open'), null);
    assert.equal(conversionOf(castore, own, 'keep'), null);
    assert.deepEqual(conversionOf(castore, emmett, 'open'), {
      ...{ from: 'castore', to: 'emmett', versionShift: 0, opens: true, adopts: true },
    });
    for (const [source, target] of [
      [own, castore],
      [emmett, castore],
      [emmett, { ...emmett, kind: 'sqlite' }],
    ] as const)
      assert.throws(
        () => conversionOf(source, target, 'open'),
        (error) => isBackupError(error, 'store_unsupported'),
      );
  });

  it('is no change log of another one', () => {
    const log = { measured: { events: 1 } } as LogPart;
    const conversion = conversionOf({ ...own, layout: 'emmett' }, own, 'open');
    assertWithoutLog(conversion, null);
    assertWithoutLog(null, log);
    assert.throws(
      () => assertWithoutLog(conversion, log),
      (error) => isBackupError(error, 'store_unsupported') && /--backup/.test(error.hint!),
    );
  });

  it('takes null for nothing, unless it stands only where a column is otherwise whole', () => {
    const columns = [
      { name: 'always', present: 10, nulls: 4 },
      { name: 'empty', present: 10, nulls: 10 },
      { name: 'data', present: 2, nulls: 2 },
    ];
    assert.deepEqual(lossesOf({ events: 10, unorderedIds: 1, columns }, new Map([['streams', 3]])), [
      { field: 'always', kind: 'column', count: 6 },
      { field: 'data', kind: 'column', count: 2 },
      { field: 'streams', kind: 'table', count: 3 },
      { field: DELIVERY_ORDER, kind: 'order', count: 1 },
    ]);
  });
});
