import crypto from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the server answers; an error by its name, or nothing at all. */
export type KmsMood =
  | 'well'
  | 'silent'
  | 'AccessDeniedException'
  | 'ThrottlingException'
  | 'DisabledException';

export interface KmsServer {
  readonly url: string;
  mood: KmsMood;
  /** Names of the calls that came. */
  readonly calls: string[];
  close(): Promise<void>;
}

interface KmsRequest {
  readonly KeyId: string;
  readonly Plaintext?: string;
  readonly CiphertextBlob?: string;
  readonly EncryptionContext?: Readonly<Record<string, string>>;
}

class KmsFault extends Error {}

/** Encrypt and Decrypt of AWS KMS, really encrypting: a key for each ARN, the context held by the tag. */
export async function startKmsServer(): Promise<KmsServer> {
  const master = crypto.randomBytes(32);
  const server = http.createServer((request, response) => void answer(request, response));
  const kms = { mood: 'well' as KmsMood, calls: [] as string[] };
  const answer = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const call = String(request.headers['x-amz-target']).replace('TrentService.', '');
    kms.calls.push(call);
    if (kms.mood === 'silent') return;
    const reply = replyTo(kms.mood, master, call, JSON.parse(Buffer.concat(parts).toString()) as KmsRequest);
    response.writeHead(reply.status, { 'content-type': 'application/x-amz-json-1.1' });
    response.end(JSON.stringify(reply.body));
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(kms, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  });
}

function replyTo(mood: KmsMood, master: Buffer, call: string, request: KmsRequest) {
  try {
    if (mood !== 'well') throw new KmsFault(mood);
    return { status: 200, body: call === 'Encrypt' ? encrypt(master, request) : decrypt(master, request) };
  } catch (error) {
    return { status: 400, body: { __type: (error as Error).message, message: 'no' } };
  }
}

function keyOf(master: Buffer, arn: string): Buffer {
  return crypto.createHmac('sha256', master).update(arn).digest();
}

function encrypt(master: Buffer, { KeyId, Plaintext, EncryptionContext = {} }: KmsRequest) {
  const nonce = crypto.randomBytes(12);
  const cipher = crypto.createCipheriv('aes-256-gcm', keyOf(master, KeyId), nonce);
  cipher.setAAD(Buffer.from(JSON.stringify(EncryptionContext)));
  const sealed = Buffer.concat([cipher.update(Plaintext!, 'base64'), cipher.final()]);
  const blob = Buffer.concat([nonce, sealed, cipher.getAuthTag()]);
  return { CiphertextBlob: blob.toString('base64'), KeyId, EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' };
}

function decrypt(master: Buffer, { KeyId, CiphertextBlob, EncryptionContext = {} }: KmsRequest) {
  const blob = Buffer.from(CiphertextBlob ?? '', 'base64');
  try {
    const decipher = crypto.createDecipheriv('aes-256-gcm', keyOf(master, KeyId), blob.subarray(0, 12), {
      authTagLength: 16,
    });
    decipher.setAAD(Buffer.from(JSON.stringify(EncryptionContext)));
    decipher.setAuthTag(blob.subarray(-16));
    const plain = Buffer.concat([decipher.update(blob.subarray(12, -16)), decipher.final()]);
    return { Plaintext: plain.toString('base64'), KeyId, EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' };
  } catch {
    throw new KmsFault('InvalidCiphertextException');
  }
}
