import crypto from 'node:crypto';
import { isIPv4 } from 'node:net';
import type { StepFacts } from '../../core/disaster.ts';
import type { PublicName } from '../../core/disaster-ports.ts';
import { BackupError, isBackupError } from '../../core/errors.ts';
import {
  type DecodedMessage,
  DNS_CLASS,
  DNS_FLAG,
  DNS_TYPE,
  type DnsMessage,
  type DnsRecord,
  decodeMessage,
  decodeTarget,
  encodeName,
  OPCODE,
  opcodeOf,
  rcodeOf,
} from './dns-message.ts';
import { exchange, type NameServer } from './dns-transport.ts';
import { canonicalName, canonicalValue, RECORD_TYPES, type RecordType } from './record-value.ts';
import { rcodeName, signMessage, verifyAnswer } from './tsig.ts';
import type { TsigKey } from './tsig-key.ts';

export interface Rfc2136Options {
  /** The primary server of the zone: the one that takes updates. */
  readonly server: NameServer;
  readonly zone: string;
  readonly name: string;
  readonly type: RecordType;
  /** Seconds for which others may remember the record. */
  readonly ttl: number;
  readonly key: TsigKey;
  /** This host's clock, in milliseconds since 1970. */
  readonly now?: () => number;
  /** The longest that one answer is waited for, whatever the caller would wait. */
  readonly answerMs?: number;
}

const ANSWER_MS = 10_000;

/**
 * A record of a zone whose primary server takes dynamic updates (RFC 2136), signed with a shared key (RFC 8945). What the record must be
 * before it is changed goes in the same message as the change, so nobody's change is lost. Where no answer comes, it asks what became of it.
 */
export function rfc2136Name(given: Rfc2136Options): PublicName {
  const zone = canonicalName(given.zone);
  const options = { ...given, zone, name: canonicalName(given.name) };
  if (options.name !== zone && !options.name.endsWith(`.${zone}`)) {
    throw new BackupError('config_invalid', `${options.name} does not lie in the zone ${zone}`, {
      hint: 'name the whole name, as db.example.com in the zone example.com',
    });
  }
  const { server, name, type, key } = options;
  return {
    describe: `the record ${type} of ${name}, by an update (RFC 2136) of ${server.host}:${server.port} with the key ${key.name}`,
    name,
    read: ({ signal }) => readRecord(options, signal),
    switchTo: ({ from, to }, { signal }) => {
      const [before, after] = [from === null ? null : canonicalValue(type, from), canonicalValue(type, to)];
      return switchRecord(options, { from: before, to: after }, signal);
    },
  };
}

async function readRecord(options: Rfc2136Options, signal: AbortSignal): Promise<string | null> {
  const { name, type } = options;
  const question = { name, type: DNS_TYPE[type], class: DNS_CLASS.IN };
  const answer = await ask(options, messageOf(OPCODE.query, { questions: [question] }), signal);
  const rcode = rcodeOf(answer.flags);
  if (rcode !== RCODE.ok && rcode !== RCODE.noName) throw refusedWith(options, rcode);
  if ((answer.flags & DNS_FLAG.authoritative) === 0) {
    throw refused(options, 'does not serve the zone itself: what it says may be old', SERVER_HINT);
  }
  const own = answer.answers.filter((record) => record.name === name && record.class === DNS_CLASS.IN);
  const values = own.filter((record) => record.type === DNS_TYPE[type]);
  if (values.length > 1) {
    throw refused(options, `has ${values.length} records ${type} for ${name}`, {
      hint: 'a name that is switched has one record: take the others away, or put a load balancer behind it',
    });
  }
  if (values.length === 1) return readValue(values[0]!, type);
  if (!own.some((record) => record.type === DNS_TYPE.CNAME)) return null;
  throw refused(options, `has a CNAME for ${name}, and no record ${type}`, {
    hint: 'configure the type that the record has',
  });
}

async function switchRecord(
  options: Rfc2136Options,
  change: { readonly from: string | null; readonly to: string },
  signal: AbortSignal,
): Promise<StepFacts> {
  let rcode: number;
  try {
    rcode = rcodeOf((await ask(options, updateOf(options, change), signal)).flags);
  } catch (error) {
    if (!isBackupError(error, 'name_refused') || isNotDone(error)) throw error;
    return settle(options, change, { error, signal });
  }
  if (rcode === RCODE.recordThere || rcode === RCODE.noRecord) throw await changed(options, change, signal);
  if (rcode !== RCODE.ok) throw refusedWith(options, rcode);
  // A server says yes to a record that cannot stand beside others, and leaves it out (RFC 2136 §3.4.2.2).
  const now = await readRecord(options, signal);
  if (now === change.to) return factsOf(options, change);
  throw refused(options, `took the change of ${options.name}, which now is ${shown(now)}`, {
    hint: 'another change came right behind it, or there are records of other types at the name',
  });
}

/** It did not go out, or the server says that it does not take what is signed so. */
function isNotDone({ facts }: BackupError): boolean {
  return facts.isSent === false || facts.isTaken === false;
}

/** Nobody said whether the change was made. The record does. */
async function settle(
  options: Rfc2136Options,
  change: { readonly from: string | null; readonly to: string },
  { error, signal }: { readonly error: BackupError; readonly signal: AbortSignal },
): Promise<StepFacts> {
  const now = await readRecord(options, signal).catch(() => undefined);
  if (now === change.to) return { ...factsOf(options, change), answered: false };
  throw new BackupError('name_refused', error.message, {
    hint: `${now === undefined ? 'whether the record was changed is not known' : 'the record was not changed'}; ${error.hint}`,
    facts: { ...error.facts, isChanged: now === undefined ? null : false },
    cause: error,
  });
}

function factsOf(
  { name, type, ttl }: Rfc2136Options,
  { from, to }: { readonly from: string | null; readonly to: string },
): StepFacts {
  return { name, type, from, to, ttl };
}

async function changed(
  options: Rfc2136Options,
  { from, to }: { readonly from: string | null; readonly to: string },
  signal: AbortSignal,
): Promise<BackupError> {
  // Where it cannot be read, that is the reason: there are several records, or nobody answers any longer.
  const now = await readRecord(options, signal);
  if (now === from) {
    return refused(
      options,
      `has records of other types for ${options.name}: they would still lead to the old place`,
      {
        hint: 'keep one record, of one type, at a name that is switched; take the others away',
      },
    );
  }
  return new BackupError(
    'name_changed',
    `${options.name} is ${shown(now)}, not ${shown(from)}: it was not switched to ${to}`,
    {
      hint: 'somebody else changed it: find out who, then make a new plan',
      facts: { name: options.name, found: now, expected: from },
    },
  );
}

const shown = (value: string | null): string => value ?? 'without a record';

/** All of it or nothing (RFC 2136 §3): the prerequisites stand where answers would, the changes where authorities would. */
export function updateOf(
  { zone, name, type, ttl }: Pick<Rfc2136Options, 'zone' | 'name' | 'type' | 'ttl'>,
  { from, to }: { readonly from: string | null; readonly to: string },
): DnsMessage {
  const own = { name, type: DNS_TYPE[type] };
  const nothing = { ttl: 0, data: Buffer.alloc(0) };
  const before: DnsRecord =
    from === null
      ? { ...own, class: DNS_CLASS.NONE, ...nothing }
      : { ...own, class: DNS_CLASS.IN, ttl: 0, data: dataOf(type, from) };
  const others = RECORD_TYPES.filter((other) => other !== type).map((other) => ({
    ...{ name, type: DNS_TYPE[other], class: DNS_CLASS.NONE },
    ...nothing,
  }));
  return messageOf(OPCODE.update, {
    questions: [{ name: zone, type: DNS_TYPE.SOA, class: DNS_CLASS.IN }],
    answers: [before, ...others],
    authorities: [
      { ...own, class: DNS_CLASS.ANY, ...nothing },
      { ...own, class: DNS_CLASS.IN, ttl, data: dataOf(type, to) },
    ],
  });
}

function messageOf(opcode: number, parts: Partial<DnsMessage>): DnsMessage {
  const empty = { questions: [], answers: [], authorities: [], additionals: [] };
  return { ...empty, ...parts, id: crypto.randomInt(1 << 16), flags: opcode << 11 };
}

async function ask(
  options: Rfc2136Options,
  message: DnsMessage,
  signal: AbortSignal,
): Promise<DecodedMessage> {
  const { server, key, now = Date.now, answerMs = ANSWER_MS } = options;
  const request = signMessage(message, key, now());
  const ends = AbortSignal.any([signal, AbortSignal.timeout(answerMs)]);
  const bytes = await exchange(server, request.bytes, ends);
  const answer = decodeMessage(bytes);
  verifyAnswer(bytes, answer, { key, mac: request.mac, nowMs: now() });
  requireAnswer(options, message, answer);
  return answer;
}

function requireAnswer(options: Rfc2136Options, asked: DnsMessage, answer: DecodedMessage): void {
  const isAnswer =
    (answer.flags & DNS_FLAG.response) !== 0 && opcodeOf(answer.flags) === opcodeOf(asked.flags);
  const [question] = answer.questions;
  const [wanted] = asked.questions;
  // An answer to an update may leave the zone out.
  const fits = question === undefined || (question.name === wanted!.name && question.type === wanted!.type);
  const isLeftOut = question === undefined && opcodeOf(asked.flags) === OPCODE.query;
  if (!isAnswer || !fits || answer.id !== asked.id || (isLeftOut && rcodeOf(answer.flags) === RCODE.ok)) {
    throw refused(options, 'gave an answer to another question', SERVER_HINT);
  }
  if ((answer.flags & DNS_FLAG.truncated) !== 0) {
    throw refused(options, 'gave half an answer, over TCP', SERVER_HINT);
  }
}

const RCODE = {
  ok: 0,
  noName: 3,
  refused: 5,
  nameThere: 6,
  recordThere: 7,
  noRecord: 8,
  notAuth: 9,
} as const;

const SERVER_HINT = {
  hint: 'the address must be that of the primary server of the zone, not of a resolver or of a secondary',
};

function refusedWith(options: Rfc2136Options, rcode: number): BackupError {
  const { name, type, key, zone } = options;
  const said = `said ${rcodeName(rcode)} about the record ${type} of ${name}`;
  if (rcode === RCODE.refused) {
    return refused(options, said, {
      hint: `the zone must grant it: update-policy { grant ${key.name} name ${name}. ${type}; };`,
    });
  }
  return refused(options, said, {
    hint: rcode === RCODE.notAuth ? `it is not the primary server of the zone ${zone}` : SERVER_HINT.hint,
  });
}

function refused(
  { server }: Rfc2136Options,
  reason: string,
  { hint }: { readonly hint: string },
): BackupError {
  return new BackupError('name_refused', `the name server ${server.host}:${server.port} ${reason}`, { hint });
}

function dataOf(type: RecordType, value: string): Buffer {
  if (type === 'CNAME') return encodeName(value);
  return type === 'A' ? Buffer.from(value.split('.').map(Number)) : groupsOf(value);
}

/** Of an address in the form that `canonicalValue` gives. */
function groupsOf(value: string): Buffer {
  const [head, tail] = value.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const groups =
    tail === undefined ? head! : [...head!, ...Array(8 - head!.length - tail.length).fill('0'), ...tail];
  const bytes = Buffer.alloc(16);
  for (const [i, group] of groups.entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), i * 2);
  return bytes;
}

function readValue({ data }: DnsRecord, type: RecordType): string | null {
  if (type === 'CNAME') return decodeTarget(data);
  const text =
    type === 'A'
      ? [...data].join('.')
      : Array.from({ length: data.length / 2 }, (_, i) => data.readUInt16BE(i * 2).toString(16)).join(':');
  const isWhole = type === 'A' ? isIPv4(text) : data.length === 16;
  if (isWhole) return canonicalValue(type, text);
  throw new BackupError('name_refused', `a record ${type} holds ${data.length} bytes`, SERVER_HINT);
}
