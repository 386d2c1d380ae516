/** Seals the blocks of a log as FORMAT.md says, by other code than the program's own. */
import crypto from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ageRecipient } from '../../src/keys/age.ts';

interface Part {
  readonly role: string;
  readonly storedBytes: number;
  readonly plainBytes: number;
  readonly records: number;
}

interface Block {
  readonly header: { readonly parts: readonly Part[]; readonly [key: string]: unknown };
  readonly pieces: readonly Buffer[];
}

const sha256 = (bytes: crypto.BinaryLike): string => crypto.createHash('sha256').update(bytes).digest('hex');

function* blocksOf(file: Buffer): Generator<Block> {
  for (let at = 0; at < file.length; ) {
    const end = at + 40 + file.readUInt32LE(at + 4);
    const header: Block['header'] = JSON.parse(file.toString('utf8', at + 40, end));
    at = end;
    const pieces: Buffer[] = [];
    for (const { storedBytes } of header.parts) {
      pieces.push(file.subarray(at, at + storedBytes));
      at += storedBytes;
    }
    yield { header, pieces };
  }
}

/** Each file of a log anew, sealed for a recipient. */
export async function sealLog(folder: string, recipient: string, scope = basename(folder)): Promise<void> {
  const key = crypto.randomBytes(32);
  const keyId = crypto.createHmac('sha256', key).update('eventcore key id 1').digest('hex').slice(0, 32);
  const names = (await readdir(folder)).filter((name) => name.endsWith('.log')).sort();
  let previous: string | null = null;
  for (const name of names) {
    const written: Buffer[] = [];
    for (const block of blocksOf(await readFile(join(folder, name)))) {
      const bytes: Buffer = sealBlock(block, { key, keyId, scope, previous });
      previous = bytes.toString('hex', 8, 40);
      written.push(bytes);
    }
    await writeFile(join(folder, name), Buffer.concat(written));
  }
  const wrapped = await ageRecipient(recipient).wrap(key, keyId);
  const record = {
    ...{
      keyRecordVersion: 1,
      keyId,
      number: 1,
      scope,
      createdAt: '2026-11-24T00:00:00.000Z',
      software: 'test',
    },
    recipients: [{ kind: 'age', recipient, wrapped }],
  };
  const checksum = sha256(JSON.stringify(record, null, 2));
  const text = `${JSON.stringify({ ...record, checksum }, null, 2)}\n`;
  await writeFile(join(folder, `key-${keyId}-1.json`), text);
}

interface Sealing {
  readonly key: Buffer;
  readonly keyId: string;
  readonly scope: string;
  readonly previous: string | null;
}

function sealBlock({ header, pieces }: Block, { key, keyId, scope, previous }: Sealing): Buffer {
  const index = Buffer.from('{}');
  const isEvents = header.parts[0]!.role === 'events';
  const plain = isEvents ? [pieces[0]!, index, ...pieces.slice(1)] : pieces;
  const indexPart = { role: 'index', plainBytes: index.length, records: 1 };
  const described = isEvents ? [header.parts[0]!, indexPart, ...header.parts.slice(1)] : header.parts;
  const bound = described.map(({ role, plainBytes, records }, i) => ({
    ...{ role, storedBytes: plain[i]!.length + 28, plainBytes, records },
  }));
  const sealing = { cipher: 'AES-256-GCM', keyId, memoryKeyId: null };
  const fields = { ...header, blockVersion: 2, previous };
  const file = sha256(JSON.stringify({ ...fields, parts: bound, sealing }));
  const sealed = plain.map((bytes, i) => {
    const nonce = crypto.randomBytes(12);
    const cipher = crypto.createCipheriv('aes-256-gcm', key, nonce);
    const end = i === plain.length - 1 ? 'last' : 'more';
    cipher.setAAD(Buffer.from(`eventcore-sealed-1\n${scope}\n${file}\n${i}\n${end}\n`));
    return Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
  });
  const parts = bound.map(({ records, ...part }, i) => ({ ...part, sha256: sha256(sealed[i]!), records }));
  const text = Buffer.from(JSON.stringify({ ...fields, parts, sealing: { ...sealing, lastEvent: null } }));
  const prefix = Buffer.alloc(8);
  prefix.write('ECL1');
  prefix.writeUInt32LE(text.length, 4);
  return Buffer.concat([prefix, Buffer.from(sha256(text), 'hex'), text, ...sealed]);
}
