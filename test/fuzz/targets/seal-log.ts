import crypto from 'node:crypto';
import type { Signer } from '../../../src/core/key-ring.ts';
import { importSealKey, sealKeyId } from '../../../src/format/seal.ts';
import { signText } from '../../../src/format/signature.ts';
import type { Random } from '../../../src/testing/random.ts';
import { type Objects, sha256 } from '../engine/packed-vault.ts';
import { frameHeader } from './documents.ts';
import { type Block, cutBlocks } from './reshape-log.ts';

/** Seals as FORMAT.md §11.10 says, whatever a header says of itself, and with the same bytes in every run. */
export interface LogSealing {
  readonly random: Random;
  /** 32 bytes each. */
  readonly key: Uint8Array;
  readonly scope: string;
  /** Remembers the last event too. */
  readonly signer: Signer | null;
}

interface Part {
  readonly role: string;
  readonly storedBytes: number;
  readonly plainBytes: number;
  readonly records: number;
  readonly events?: unknown;
}

/** The same log with its blocks sealed, each named by the one behind it as it was before; what is no block stays as it is. */
export function sealLog(objects: Objects, sealing: LogSealing): Objects {
  const sealed: Objects = new Map(objects);
  const digests = new Map<string, string>();
  for (const name of [...objects.keys()].filter((one) => one.endsWith('.log')).sort()) {
    const blocks = cutBlocks(objects.get(name)!);
    if (blocks === null) continue;
    const written = blocks.map((block) => {
      const bytes = sealBlock(block, sealing, digests);
      digests.set(block.digest, bytes.toString('hex', 8, 40));
      return bytes;
    });
    sealed.set(name, Buffer.concat(written));
  }
  return sealed;
}

function sealBlock(block: Block, sealing: LogSealing, digests: ReadonlyMap<string, string>): Buffer {
  const header = block.header as { readonly parts: readonly Part[]; readonly previous: string | null };
  const { key, signer } = sealing;
  const previous = digests.get(header.previous ?? '') ?? header.previous;
  const plain = plainParts(header.parts, block.parts);
  const bound = plain.map(({ part: { role, plainBytes, records }, bytes }) => ({
    ...{ role, storedBytes: bytes.length + 28, plainBytes, records },
  }));
  const memoryKeyId = signer === null ? null : sealKeyId(importSealKey(signer.memoryKey));
  const names = { cipher: 'AES-256-GCM', keyId: sealKeyId(importSealKey(key)), memoryKeyId };
  const fields = { ...header, blockVersion: 2, previous };
  const file = sha256(JSON.stringify({ ...fields, parts: bound, sealing: names }));
  const pieces = plain.map(({ bytes }, i) =>
    sealPiece(sealing, key, `${file}\n${i}\n${i === plain.length - 1 ? 'last' : 'more'}`, bytes),
  );
  const lastEvent =
    signer === null || bound[0]?.role !== 'events'
      ? null
      : sealPiece(sealing, signer.memoryKey, `${file}\n${plain.length}\nlast`, Buffer.from('an-id'));
  const parts = bound.map(({ records, ...part }, i) => ({ ...part, sha256: sha256(pieces[i]!), records }));
  const unsigned = {
    ...fields,
    parts,
    sealing: { ...names, lastEvent: lastEvent?.toString('base64') ?? null },
  };
  const text = JSON.stringify(unsigned);
  const signature = signer === null ? {} : { signature: signText(signer, `eventcore block 1\n${text}`) };
  return Buffer.concat([frameHeader(JSON.stringify({ ...unsigned, ...signature })), ...pieces]);
}

/** What a block says of its events is a part of its own where it is sealed. */
function plainParts(parts: readonly Part[], bytes: Buffer): { part: Part; bytes: Buffer }[] {
  let end = 0;
  return parts.flatMap((part) => {
    const begin = end;
    end += part.storedBytes;
    const stored = { part, bytes: bytes.subarray(begin, end) };
    if (part.events === undefined) return [stored];
    const index = Buffer.from(JSON.stringify(part.events));
    return [
      stored,
      { part: { role: 'index', storedBytes: 0, plainBytes: index.length, records: 1 }, bytes: index },
    ];
  });
}

function sealPiece({ random, scope }: LogSealing, key: Uint8Array, place: string, plain: Buffer): Buffer {
  const nonce = Buffer.from(Array.from({ length: 12 }, () => random.below(256)));
  const cipher = crypto.createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(`eventcore-sealed-1\n${scope}\n${place}\n`));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}
