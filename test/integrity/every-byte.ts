import assert from 'node:assert/strict';
import { it } from 'node:test';
import { CHUNK_FORMATS, COMPRESSIONS } from '../../src/core/manifest.ts';
import type { Vault } from '../../src/core/vault.ts';
import { memoryStore } from '../../src/stores/memory/store.ts';
import { memoryVault } from '../../src/vaults/memory/vault.ts';
import { backUp, objectNames, overwrite, readObject, verifyAll } from '../harness/memory-backup.ts';
import { keysOf, makeOpenRing, makeSigner } from '../harness/test-keys.ts';

/** One byte of a backup after the other is another one, and is found. */

/** A small store whose events differ in everything, and a consumer's checkpoint would be beside them. */
export async function smallStore() {
  const store = memoryStore();
  await store.initialise();
  for (let i = 0; i < 12; i += 1) {
    await store.append([
      {
        streamId: `order-${i % 4}`,
        events: [{ type: 'Placed', data: `{"i":${i},"text":"${'x'.repeat(i * 7)}"}` }],
      },
      {
        streamId: `stock-${i % 3}`,
        events: [{ type: 'Reserved', data: `{"i":${i}}`, metadata: `{"by":"${i}"}` }],
      },
    ]);
  }
  return store;
}

/** The object's name without its folder. */
export const fileOf = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

/** In each format and compression each `step`-th byte of what differs between them; in the first one each byte of all. */
export function itFindsEachByte(step: number): void {
  for (const format of CHUNK_FORMATS) {
    for (const compression of COMPRESSIONS) {
      const isFirst = format === 'columns' && compression === 'none';
      it(`${isFirst ? 'at every single byte' : stepText(step)}: ${format}, ${compression}`, async () => {
        const vault = memoryVault();
        await backUp(await smallStore(), vault, { format, compression, chunkBytes: 600 });
        assert.equal((await verifyAll(vault))[0]?.overallValid, true);
        for (const name of await objectNames(vault)) {
          // All else is the same in every format.
          if (isFirst || !name.endsWith('manifest.json')) await flipBytes(vault, name, isFirst ? 1 : step);
        }
        assert.equal((await verifyAll(vault))[0]?.overallValid, true);
      });
    }
  }
}

async function flipBytes(vault: Vault, name: string, step: number): Promise<void> {
  const bytes = await readObject(vault, name);
  for (let at = 0; at < bytes.length; at += step) {
    const flipped = Buffer.from(bytes);
    flipped[at] = flipped[at]! ^ (1 << (at % 8));
    await overwrite(vault, name, flipped);
    const [result] = await verifyAll(vault);
    assert.equal(result?.overallValid, false, `${name} byte ${at}`);
    assert.ok(
      result?.problems.some((problem) => problem.file === fileOf(name)),
      `${name} byte ${at} is not named: ${JSON.stringify(result?.problems)}`,
    );
    if (/^events-.*\.(columns|jsonl|msgpack)/.test(fileOf(name))) {
      const named = result?.problems.find((problem) => problem.code === 'chunk_checksum');
      assert.equal(typeof named?.chunk, 'number', `${name} byte ${at}`);
    }
  }
  await overwrite(vault, name, bytes);
}

/** The same of a backup that is sealed. */
export function itFindsEachSealedByte(step: number): void {
  const signer = makeSigner();
  for (const format of CHUNK_FORMATS) {
    for (const compression of COMPRESSIONS) {
      const isFirst = format === 'columns' && compression === 'none';
      it(`${isFirst ? 'at every single byte' : stepText(step)}: ${format}, ${compression}, sealed`, async () => {
        const vault = memoryVault();
        const keys = keysOf(makeOpenRing(), isFirst ? signer : null);
        await backUp(await sealedStore(), vault, { format, compression, chunkBytes: 60 }, keys);
        assert.equal((await verifyAll(vault, false, keys))[0]?.overallValid, true);
        for (const name of await objectNames(vault)) {
          // All else is the same in every format.
          if (!isFirst && !name.includes('/events-')) continue;
          const bytes = await readObject(vault, name);
          for (let at = 0; at < bytes.length; at += isFirst ? 1 : step) {
            const flipped = Buffer.from(bytes);
            flipped[at]! ^= 1 << (at % 8);
            await overwrite(vault, name, flipped);
            const [result] = await verifyAll(vault, false, keys);
            assert.equal(result?.overallValid, false, `${name} byte ${at}`);
            const named = result?.problems.some((problem) => problem.file === fileOf(name));
            assert.ok(named, `${name} byte ${at}: ${JSON.stringify(result?.problems)}`);
          }
          await overwrite(vault, name, bytes);
        }
      });
    }
  }
}

async function sealedStore() {
  const store = memoryStore();
  await store.initialise();
  for (let i = 0; i < 4; i += 1) {
    const event = { type: 'Placed', data: `{"i":${i},"text":"${'x'.repeat(i * 7)}"}` };
    await store.append([{ streamId: `order-${i}`, events: [event] }]);
  }
  return store;
}

function stepText(step: number): string {
  return step === 1 ? 'at every byte of events' : `at each ${step}th byte of events`;
}
