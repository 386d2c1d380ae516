import crypto from 'node:crypto';
import {
  DNS_TYPE,
  type DnsMessage,
  decodeMessage,
  decodeName,
  encodeMessage,
  encodeName,
} from '../../src/actions/names/dns-message.ts';
import type { TsigKey } from '../../src/actions/names/tsig-key.ts';

export interface Signer {
  readonly key: TsigKey;
  /** Of the request: an answer's signature is over it too. */
  readonly mac: Buffer;
  readonly nowMs: number;
}

/** An answer as a name server signs it, with HMAC-SHA256. */
export function signAnswer(reply: DnsMessage, { key, mac, nowMs }: Signer): Buffer {
  const time = Buffer.alloc(8);
  time.writeUIntBE(Math.floor(nowMs / 1000), 0, 6);
  time.writeUInt16BE(300, 6);
  const prefix = Buffer.concat([Buffer.of(0, mac.length), mac]);
  const names = [encodeName(key.name), Buffer.from('00ff00000000', 'hex'), encodeName(key.algorithm)];
  const signed = Buffer.concat([prefix, encodeMessage(reply), ...names, time, Buffer.alloc(4)]);
  const digest = crypto.createHmac('sha256', key.secret).update(signed).digest();
  const id = Buffer.of(reply.id >> 8, reply.id & 255);
  const data = [encodeName(key.algorithm), time, Buffer.of(0, 32), digest, id, Buffer.alloc(4)];
  const tsig = { name: key.name, type: DNS_TYPE.TSIG, class: 255, ttl: 0, data: Buffer.concat(data) };
  return encodeMessage({ ...reply, additionals: [...reply.additionals, tsig] });
}

/** A request as it came over TCP, and its signature. */
export function readRequest(bytes: Buffer): { readonly request: DnsMessage; readonly mac: Buffer } {
  const request = decodeMessage(bytes.subarray(2));
  const { data } = request.additionals.at(-1)!;
  const cursor = { bytes: data, at: 0 };
  decodeName(cursor);
  const at = cursor.at + 10;
  return { request: { ...request, additionals: [] }, mac: data.subarray(at, at + data.readUInt16BE(at - 2)) };
}
