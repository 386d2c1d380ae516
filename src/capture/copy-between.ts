import { BackupError } from '../core/errors.ts';
import type { Vault } from '../core/vault.ts';

const PIECE_BYTES = 4 << 20;

/** Copies an object from one vault into another, piece by piece. */
export async function copyBetween(from: Vault, to: Vault, name: string): Promise<void> {
  const info = await from.stat(name);
  if (info === null) throw new BackupError('vault_object_missing', `${name} is no longer in ${from.address}`);
  const object = await to.createObject(name);
  try {
    for (let offset = 0; offset < info.sizeBytes; offset += PIECE_BYTES) {
      await object.write(await from.readRange(name, offset, Math.min(PIECE_BYTES, info.sizeBytes - offset)));
    }
    await object.commit();
  } catch (error) {
    await object.abort();
    throw error;
  }
}
