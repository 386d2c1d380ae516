/**
 * Writes objects, and copies each, until it is killed, several at a time. Each is named after the SHA-256 of its
 * content, and its name is printed once its commit, or the copy, has resolved.
 */
import { createHash, randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { openDirectoryVault } from '../../../src/vaults/fs/vault.ts';

/** Enough for no two contents to be the same. */
const MIN_BYTES = 32;

const vault = openDirectoryVault(process.argv[2]!);
await vault.open({ create: true });

async function writeForEver(directory: string): Promise<void> {
  for (let size = MIN_BYTES; ; size = MIN_BYTES + ((size * 7) % 900_000)) {
    const bytes = randomBytes(size);
    const name = `${directory}/${createHash('sha256').update(bytes).digest('hex')}`;
    const writer = await vault.createObject(name);
    for (let at = 0; at < size; at += 50_000) await writer.write(bytes.subarray(at, at + 50_000));
    await writer.commit();
    writeSync(1, `${name}\n`);
    await vault.copyObject(name, `copies/${name}`);
    writeSync(1, `copies/${name}\n`);
  }
}

await Promise.all(['a', 'b/c', 'd/e/f'].map(writeForEver));
