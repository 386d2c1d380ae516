import crypto from 'node:crypto';
import zlib from 'node:zlib';
import { isObjectName } from '../../../src/core/object-name.ts';
import type { Vault } from '../../../src/core/vault.ts';
import { writeObject } from '../../../src/format/data-file-writer.ts';
import { memoryVault } from '../../../src/vaults/memory/vault.ts';

/** A vault as one run of bytes: of each object its name's length, name, length and bytes. */
export type Objects = Map<string, Buffer>;

export function packVault(objects: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const parts = [...objects].flatMap(([name, bytes]) => {
    const head = Buffer.alloc(5);
    head[0] = name.length;
    head.writeUInt32LE(bytes.length, 1);
    return [head, Buffer.from(name, 'latin1'), bytes];
  });
  return Buffer.concat(parts);
}

/** Whatever the bytes are: what is no object ends the vault. */
export function unpackVault(input: Uint8Array): Objects {
  const bytes = Buffer.from(input);
  const objects: Objects = new Map();
  for (let at = 0; at + 5 <= bytes.length; ) {
    const nameEnd = at + 5 + bytes[at]!;
    const end = nameEnd + bytes.readUInt32LE(at + 1);
    objects.set(bytes.toString('latin1', at + 5, nameEnd), bytes.subarray(nameEnd, end));
    at = end;
  }
  return objects;
}

export async function openPacked(input: Uint8Array): Promise<Vault> {
  const vault = memoryVault();
  for (const [name, bytes] of unpackVault(input)) {
    if (isObjectName(name)) await writeObject(vault, name, bytes);
  }
  return vault;
}

export const sha256 = (bytes: Uint8Array | string): string => crypto.hash('sha256', bytes, 'hex');

const PACKERS = {
  '.zst': [zlib.zstdDecompressSync, zlib.zstdCompressSync],
  '.gz': [zlib.gunzipSync, zlib.gzipSync],
} as const;

/** Changes the plain bytes of a stored chunk; null where it is not one. */
export function changeStored(
  suffix: string,
  stored: Buffer,
  change: (plain: Buffer) => Uint8Array,
): { stored: Buffer; plainBytes: number } | null {
  const packer = suffix in PACKERS ? PACKERS[suffix as keyof typeof PACKERS] : null;
  try {
    const plain = change(packer === null ? stored : packer[0](stored, { maxOutputLength: 1 << 22 }));
    const packed = packer === null ? Buffer.from(plain) : packer[1](plain);
    return { stored: packed, plainBytes: plain.length };
  } catch {
    return null;
  }
}
