import { BackupError, throwIfAborted } from '../core/errors.ts';
import { parseTime, timeToUnixMs } from '../core/time.ts';
import type { TrustPolicy } from '../core/trust.ts';
import type { Vault } from '../core/vault.ts';
import { MANIFEST_NAME } from '../format/bundle.ts';
import type { Chain, ChainMember } from '../format/chain.ts';
import { parseKeyRecordName } from '../format/key-record.ts';
import { requireTrust } from '../format/open-bundle.ts';
import { digestCheck, type MakeCheck, manifestCheck, PIECE_BYTES, recordCheck } from './object-check.ts';
import { filesOf } from './sync-bundle.ts';

/** An object of a backup, to be read once, in pieces. */
export interface ChainObject {
  readonly name: string;
  readonly sizeBytes: number;
  /** When the backup was finished: the same for all of its objects, wherever they were copied. Milliseconds since 1970. */
  readonly finishedAtMs: number;
  /** The last piece comes when all is proven. Throws `damaged`, `vault_object_missing`, `object_archived` and what the vault does. */
  read(): AsyncGenerator<Uint8Array>;
}

/**
 * All that a chain is in a vault, as it lies there: link by link, the oldest first, each with its manifest last, so that whoever takes it in and
 * is stopped holds no backup that is not whole. No key is needed. Throws `signature_invalid`
 * where another signature is wanted, `damaged` where something is missing, and as `read` does.
 */
export async function* chainObjects(
  vault: Vault,
  chain: Chain,
  { trust, signal }: { readonly trust: TrustPolicy; readonly signal: AbortSignal },
): AsyncGenerator<ChainObject> {
  for (const { manifest } of chain) requireTrust(manifest, trust);
  for (const [i, link] of chain.entries()) {
    const { folder, manifest } = link;
    const finishedAtMs = timeToUnixMs(parseTime(manifest.finishedAt) ?? 0n);
    const checksum = chain[i + 1]?.manifest.chain?.parentChecksum;
    const name = folder + MANIFEST_NAME;
    const parts: { readonly name: string; readonly make: MakeCheck }[] = [
      ...filesOf(link).map((file) => ({ name: file.name, make: () => digestCheck(file) })),
      ...(await keyRecordsOf(vault, link)).map((record) => ({ name: record, make: recordCheck })),
      { name, make: () => manifestCheck(name, { trust, checksum }) },
    ];
    for (const part of parts) {
      const info = await vault.stat(part.name);
      if (info === null) throw damaged(part.name, 'it is missing');
      const object = { name: part.name, sizeBytes: info.sizeBytes };
      yield { ...object, finishedAtMs, read: () => readChecked(vault, object, part.make, signal) };
    }
  }
}

async function keyRecordsOf(vault: Vault, { folder, manifest }: ChainMember): Promise<string[]> {
  const { sealing } = manifest;
  if (sealing === undefined) return [];
  const found: { readonly name: string; readonly keyId: string }[] = [];
  for await (const { name } of vault.list(folder)) {
    const record = parseKeyRecordName(name.slice(folder.length));
    if (record !== null) found.push({ name, keyId: record.keyId });
  }
  if (found.some(({ keyId }) => keyId === sealing.keyId)) return found.map(({ name }) => name).sort();
  throw damaged(folder, `there is no record of its key ${sealing.keyId}`);
}

async function* readChecked(
  vault: Vault,
  { name, sizeBytes }: Pick<ChainObject, 'name' | 'sizeBytes'>,
  make: MakeCheck,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const check = make();
  for (let offset = 0; offset < sizeBytes; offset += PIECE_BYTES) {
    throwIfAborted(signal);
    const piece = await vault.readRange(name, offset, Math.min(PIECE_BYTES, sizeBytes - offset));
    naming(name, () => {
      check.update(piece);
      if (offset + PIECE_BYTES >= sizeBytes) check.end();
    });
    yield piece;
  }
  if (sizeBytes === 0) naming(name, () => check.end());
}

function naming(name: string, work: () => void): void {
  try {
    work();
  } catch (cause) {
    if (!(cause instanceof BackupError) || cause.code !== 'damaged') throw cause;
    throw damaged(name, cause.message);
  }
}

function damaged(name: string, reason: string): BackupError {
  return new BackupError('damaged', `${name}: ${reason}`, {
    hint: '`eventcore verify` tells what is damaged, `verify --heal` mends it from another region',
    facts: { object: name },
  });
}
