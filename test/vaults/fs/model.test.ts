import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import { isBackupError } from '../../../src/core/errors.ts';
import type { Vault } from '../../../src/core/vault.ts';
import { openDirectoryVault } from '../../../src/vaults/fs/vault.ts';
import { memoryVault } from '../../../src/vaults/memory/vault.ts';
import { withTemporaryDirectory } from './temporary-directory.ts';

type Step = (vault: Vault) => Promise<unknown>;

/** Directories and objects never share a name here: only a bucket can hold both. */
const directory = fc.array(fc.constantFrom('a', 'a-b', 'a.b', 'b', 'b0'), { maxLength: 3 });
const name = fc
  .tuple(directory, fc.constantFrom('x', 'x-y', 'x.y', 'x0'))
  .map(([directories, leaf]) => [...directories, leaf].join('/'));
const prefix = fc.tuple(name, fc.nat(12)).map(([whole, length]) => whole.slice(0, length));
const bytes = fc.uint8Array({ maxLength: 40 });
const length = fc.nat(45);

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(name, bytes).map(
      ([at, content]) =>
        (vault: Vault) =>
          put(vault, at, content),
    ),
  },
  fc.tuple(name, bytes).map(
    ([at, content]) =>
      (vault: Vault) =>
        giveUp(vault, at, content),
  ),
  {
    weight: 2,
    arbitrary: fc.tuple(name, name).map((names) => (vault: Vault) => vault.copyObject(...names)),
  },
  { weight: 2, arbitrary: name.map((at) => (vault: Vault) => vault.removeObject(at)) },
  fc.tuple(name, length, length).map((range) => (vault: Vault) => vault.readRange(...range)),
  name.map((at) => async (vault: Vault) => (await vault.stat(at))?.sizeBytes),
  { weight: 2, arbitrary: prefix.map((at) => (vault: Vault) => list(vault, at)) },
  prefix.map((at) => (vault: Vault) => vault.removeLeftovers(at)),
);

test('whatever is done to it, a directory answers as a plain table of objects would', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      await withTemporaryDirectory(async (path) => {
        const [model, real] = [memoryVault(), openDirectoryVault(path)];
        await real.open({ create: true });
        for (const run of steps) assert.deepEqual(await outcome(run(real)), await outcome(run(model)));
        const all = await list(real, '');
        assert.deepEqual(all, await list(model, ''));
        const files = await readdir(path, { recursive: true, withFileTypes: true });
        assert.equal(files.filter((file) => file.isFile()).length, all.length);
      });
    }),
    { numRuns: 60 },
  );
});

async function put(vault: Vault, at: string, content: Uint8Array): Promise<void> {
  const writer = await vault.createObject(at);
  for (const byte of content) await writer.write(new Uint8Array([byte]));
  await writer.commit();
}

async function giveUp(vault: Vault, at: string, content: Uint8Array): Promise<void> {
  const writer = await vault.createObject(at);
  await writer.write(content);
  await writer.abort();
}

async function list(vault: Vault, at: string): Promise<[string, number][]> {
  const found: [string, number][] = [];
  for await (const info of vault.list(at)) found.push([info.name, info.sizeBytes]);
  return found;
}

/** What a caller sees: the result, or the code of the failure. */
async function outcome(promise: Promise<unknown>): Promise<unknown> {
  try {
    return await promise;
  } catch (error) {
    if (isBackupError(error)) return error.code;
    throw error;
  }
}
