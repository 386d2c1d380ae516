import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import { restoreBackup } from '../../src/recovery/restore.ts';
import { openSqliteStore } from '../../src/stores/sqlite/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { newestChain } from '../harness/chain-backup.ts';
import { makeFolder } from '../harness/command.ts';
import { backUp, testClock } from '../harness/memory-backup.ts';
import { added, append, makeEmmett } from './emmett-sqlite.ts';

describe('a backup of Emmett in SQLite, restored into EventCore', () => {
  let folder: Awaited<ReturnType<typeof makeFolder>>;
  before(async () => {
    folder = await makeFolder();
  });
  after(() => folder.remove());

  it('has the metadata of the source, and what is lost was named', async () => {
    const path = `${folder.path}/emmett.db`;
    const db = new DatabaseSync(path);
    makeEmmett(db);
    append(db, 'cart-1', [added(1), { type: 'Left', data: null }], 0);
    append(db, 'cart-1', [added(3)], 2);
    const rows = db
      .prepare('SELECT message_metadata AS text FROM emt_messages ORDER BY global_position')
      .all();
    const written = rows.map(({ text }) => JSON.parse(String(text)));
    assert.equal(written[0]?.by, 'test');
    db.close();
    const source = openSqliteStore(`sqlite:${path}`);
    const vault = memoryVault();
    await backUp(source, vault);
    await source.close();
    const target = openSqliteStore(`sqlite:${folder.path}/own.db`);
    const ports = { target, vault, clock: testClock };
    const options = { replace: false, checkpoints: 'keep', parallel: 1 } as const;
    const chain = await newestChain(vault);
    await assert.rejects(restoreBackup(ports, chain, options), (error) => isBackupError(error, 'would_lose'));
    const { lost } = await restoreBackup(ports, chain, { ...options, allowLoss: 'all' });
    assert.deepEqual(
      lost.map(({ field, count }) => [field, count]),
      [
        ['global_position', 3],
        ['message_schema_version', 3],
        ['emt_streams', 1],
        ['delivery-order', 3],
      ],
    );
    assert.deepEqual(
      (await target.readStream('cart-1')).map(({ version, type, data, metadata }) => [
        ...[version, type, JSON.parse(data)],
        JSON.parse(metadata!),
      ]),
      [
        [1n, 'ProductAdded', added(1).data, written[0]],
        [2n, 'Left', null, written[1]],
        [3n, 'ProductAdded', added(3).data, written[2]],
      ],
    );
    await target.close();
  });
});
