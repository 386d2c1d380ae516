import crypto from 'node:crypto';
import { BackupError } from '../../core/errors.ts';
import {
  type DecodedMessage,
  DNS_CLASS,
  DNS_TYPE,
  type DnsMessage,
  type DnsRecord,
  decodeName,
  encodeMessage,
  encodeName,
  rcodeOf,
} from './dns-message.ts';
import type { TsigKey } from './tsig-key.ts';

/** How far clocks may be apart, in seconds: what RFC 8945 recommends. */
export const FUDGE_S = 300;
const BAD = { signature: 16, key: 17, time: 18, truncation: 22 } as const;

export interface SignedMessage {
  readonly bytes: Buffer;
  /** The answer's is over this one too: an answer to another question does not fit. */
  readonly mac: Buffer;
}

interface Signature {
  readonly name: string;
  readonly algorithm: string;
  readonly timeS: number;
  readonly fudgeS: number;
  readonly mac: Buffer;
  readonly originalId: number;
  readonly error: number;
  readonly other: Buffer;
}

/** Signs a message as RFC 8945 has it. */
export function signMessage(message: DnsMessage, key: TsigKey, nowMs: number): SignedMessage {
  const body = encodeMessage(message);
  const signature: Signature = {
    ...{ name: key.name, algorithm: key.algorithm, timeS: Math.floor(nowMs / 1000), fudgeS: FUDGE_S },
    ...{ mac: Buffer.alloc(0), originalId: message.id, error: 0, other: Buffer.alloc(0) },
  };
  const mac = hmac(key, [body, variablesOf(signature)]);
  const record = recordOf({ ...signature, mac });
  const additionals = [...message.additionals, record];
  return { bytes: encodeMessage({ ...message, additionals }), mac };
}

/**
 * That an answer is from somebody who has the key, belongs to this request and is new. Throws `name_refused`, with the
 * way out where the server says what it did not like.
 */
export function verifyAnswer(
  bytes: Buffer,
  message: DecodedMessage,
  { key, mac, nowMs }: { readonly key: TsigKey; readonly mac: Buffer; readonly nowMs: number },
): void {
  const last = message.additionals.at(-1);
  if (last?.type !== DNS_TYPE.TSIG) {
    throw refused(`answered without a signature (${rcodeName(rcodeOf(message.flags))})`, NO_SIGNATURE);
  }
  const signature = decodeSignature(last);
  if (signature.error === BAD.key) throw refused('does not know the key (BADKEY)', WRONG_KEY(key));
  if (signature.error === BAD.signature || signature.error === BAD.truncation) {
    throw refused('has another secret under the name of the key (BADSIG)', WRONG_KEY(key));
  }
  const isOurs = signature.name === key.name && signature.algorithm === key.algorithm;
  const unsigned = Buffer.from(bytes.subarray(0, message.lastRecordAt));
  unsigned.writeUInt16BE(signature.originalId, 0);
  unsigned.writeUInt16BE(message.additionals.length - 1, 10);
  const expected = hmac(key, [lengthOf(mac), mac, unsigned, variablesOf(signature)]);
  const fits = isOurs && signature.mac.length === expected.length;
  if (!fits || !crypto.timingSafeEqual(signature.mac, expected)) {
    throw refused('gave an answer whose signature does not fit', NO_SIGNATURE);
  }
  if (signature.error === BAD.time) throw clocksApart(signature, nowMs);
  if (signature.error !== 0)
    throw refused(`refused the signature (error ${signature.error})`, WRONG_KEY(key));
  const apartS = Math.abs(signature.timeS - nowMs / 1000);
  if (apartS > Math.min(signature.fudgeS, FUDGE_S)) throw clocksApart(signature, nowMs);
}

function clocksApart({ timeS, other }: Signature, nowMs: number): BackupError {
  const theirs = other.length === 6 ? other.readUIntBE(0, 6) : timeS;
  const apartS = Math.round(theirs - nowMs / 1000);
  const words = `${Math.abs(apartS)} s ${apartS > 0 ? 'ahead of' : 'behind'} this host's`;
  return refused(`has a clock that is ${words} (BADTIME)`, {
    hint: `signatures hold for ${FUDGE_S} s: set both clocks by a time server, then resume`,
    facts: { clockAheadS: apartS, ...NOT_TAKEN.facts },
  });
}

const NO_SIGNATURE = {
  hint: 'an answer that is not signed may be anybody’s: check that the address is that of the primary server of the zone, and that it has the key',
};
const NOT_TAKEN = { facts: { isTaken: false } };
const WRONG_KEY = ({ name, algorithm }: TsigKey) => ({
  ...NOT_TAKEN,
  hint: `the server needs the same key: name ${name}, algorithm ${algorithm}, the same secret`,
});

function refused(
  reason: string,
  { hint, facts = {} }: { readonly hint: string; readonly facts?: Record<string, number | boolean> },
): BackupError {
  return new BackupError('name_refused', `the name server ${reason}`, { hint, facts });
}

const RCODES = [
  ...['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'],
  ...['YXDOMAIN', 'YXRRSET', 'NXRRSET', 'NOTAUTH', 'NOTZONE'],
];

export function rcodeName(rcode: number): string {
  return RCODES[rcode] ?? `RCODE ${rcode}`;
}

function hmac({ algorithm, secret }: TsigKey, parts: readonly Buffer[]): Buffer {
  const digest = crypto.createHmac(algorithm.slice('hmac-'.length), secret);
  for (const part of parts) digest.update(part);
  return digest.digest();
}

function lengthOf(bytes: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return length;
}

/** What is signed beside the message (RFC 8945 §4.3.3). */
function variablesOf({ name, algorithm, timeS, fudgeS, error, other }: Signature): Buffer {
  const fixed = Buffer.alloc(6);
  fixed.writeUInt16BE(DNS_CLASS.ANY, 0);
  const head = [encodeName(name), fixed, encodeName(algorithm), timeOf(timeS, fudgeS)];
  const tail = Buffer.alloc(2);
  tail.writeUInt16BE(error, 0);
  return Buffer.concat([...head, tail, lengthOf(other), other]);
}

function timeOf(timeS: number, fudgeS: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUIntBE(timeS, 0, 6);
  bytes.writeUInt16BE(fudgeS, 6);
  return bytes;
}

function recordOf(signature: Signature): DnsRecord {
  const { name, algorithm, timeS, fudgeS, mac, originalId, error, other } = signature;
  const tail = Buffer.alloc(4);
  tail.writeUInt16BE(originalId, 0);
  tail.writeUInt16BE(error, 2);
  const start = [encodeName(algorithm), timeOf(timeS, fudgeS), lengthOf(mac), mac];
  const data = Buffer.concat([...start, tail, lengthOf(other), other]);
  return { name, type: DNS_TYPE.TSIG, class: DNS_CLASS.ANY, ttl: 0, data };
}

function decodeSignature({ name, class: of, ttl, data }: DnsRecord): Signature {
  const cursor = { bytes: data, at: 0 };
  const algorithm = decodeName(cursor);
  const macAt = cursor.at + 10;
  const macLength = macAt <= data.length ? data.readUInt16BE(macAt - 2) : 0;
  const tailAt = macAt + macLength;
  const isWhole = tailAt + 6 <= data.length && tailAt + 6 + data.readUInt16BE(tailAt + 4) === data.length;
  if (of !== DNS_CLASS.ANY || ttl !== 0 || !isWhole) {
    throw refused('gave an answer whose signature has another form', NO_SIGNATURE);
  }
  return {
    ...{ name, algorithm, timeS: data.readUIntBE(cursor.at, 6), fudgeS: data.readUInt16BE(cursor.at + 6) },
    ...{ mac: data.subarray(macAt, tailAt), originalId: data.readUInt16BE(tailAt) },
    ...{ error: data.readUInt16BE(tailAt + 2), other: data.subarray(tailAt + 6) },
  };
}
