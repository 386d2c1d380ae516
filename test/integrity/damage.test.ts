import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { Manifest } from '../../src/core/manifest.ts';
import type { Vault } from '../../src/core/vault.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { encodeManifest } from '../../src/format/manifest-codec.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { backUp, objectNames, overwrite, readObject, verifyAll } from '../harness/memory-backup.ts';
import { fileOf, itFindsEachByte, smallStore } from './every-byte.ts';

/** All of them are tried by the long tests. */
const STEP = 11;

describe('damage of a small backup is found', () => {
  itFindsEachByte(STEP);
});

describe('damage of whole files', () => {
  let vault: Vault;
  let names: string[];

  before(async () => {
    vault = memoryVault();
    await backUp(await smallStore(), vault, { chunkBytes: 600 });
    names = (await objectNames(vault)).filter((name) => !name.endsWith('manifest.json'));
  });

  async function assertFound(damage: () => Promise<void>, file: string, quick: boolean): Promise<void> {
    await damage();
    const [result] = await verifyAll(vault, quick);
    assert.equal(result?.overallValid, false, file);
    assert.ok(
      result?.problems.some((problem) => problem.file === file),
      JSON.stringify(result?.problems),
    );
  }

  for (const quick of [true, false]) {
    const how = quick ? 'a quick check' : 'a full check';

    it(`${how} finds each missing, emptied, shortened and lengthened file`, async () => {
      for (const name of names) {
        const bytes = await readObject(vault, name);
        const file = fileOf(name);
        await assertFound(() => vault.removeObject(name), file, quick);
        for (const changed of [
          bytes.subarray(0, 0),
          bytes.subarray(0, -1),
          Buffer.concat([bytes, Buffer.from('\n')]),
        ]) {
          await assertFound(() => overwrite(vault, name, changed), file, quick);
        }
        await overwrite(vault, name, bytes);
      }
      assert.equal((await verifyAll(vault))[0]?.overallValid, true);
    });
  }

  it('a full check finds two files that changed places', async () => {
    for (const a of names) {
      for (const b of names.filter((name) => name > a)) {
        const [bytesA, bytesB] = [await readObject(vault, a), await readObject(vault, b)];
        await overwrite(vault, b, bytesA);
        await assertFound(() => overwrite(vault, a, bytesB), fileOf(a), false);
        await overwrite(vault, a, bytesA);
        await overwrite(vault, b, bytesB);
      }
    }
  });

  it('finds the files of another backup under this one’s names', async () => {
    const other = memoryVault();
    await backUp(await smallStore(), other, { chunkBytes: 600 });
    const [otherEvents] = (await objectNames(other)).filter((name) => name.includes('events-00001.columns'));
    const events = names.find((name) => name.includes('events-00001.columns'))!;
    const bytes = await readObject(vault, events);
    const foreign = await readObject(other, otherEvents!);
    await assertFound(() => overwrite(vault, events, foreign), fileOf(events), false);
    await overwrite(vault, events, bytes);
  });

  it('does not take a backup for sound whose manifest lies in the wrong folder', async () => {
    const copy = memoryVault();
    for (const name of await objectNames(vault)) {
      const moved = name.replace(
        /full-backup-[0-9a-f-]{36}/,
        'full-backup-00000000-0000-4000-8000-000000000000',
      );
      await overwrite(copy, moved, await readObject(vault, name));
    }
    const [result] = await verifyAll(copy);
    assert.equal(result?.overallValid, false);
    assert.equal(result?.problems[0]?.code, 'manifest_damaged');
  });

  it('says of a backup from a newer program that it is unknown, not that it is damaged', async () => {
    const copy = memoryVault();
    for (const name of await objectNames(vault)) await overwrite(copy, name, await readObject(vault, name));
    const [backup] = (await readCatalog(copy)).backups;
    const newer = { ...backup!.manifest, formatVersion: 2 } as unknown as Manifest;
    await overwrite(copy, `${backup!.folder}manifest.json`, encodeManifest(newer));
    const [result] = await verifyAll(copy);
    assert.equal(result?.overallValid, false);
    assert.equal(result?.problems[0]?.code, 'format_unknown');
  });
});
