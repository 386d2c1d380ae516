import {
  DNS_TYPE,
  type DnsRecord,
  decodeMessage,
  decodeName,
  decodeTarget,
  encodeMessage,
  encodeName,
} from '../../../src/actions/names/dns-message.ts';
import { canonicalValue, RECORD_TYPES } from '../../../src/actions/names/record-value.ts';
import { updateOf } from '../../../src/actions/names/rfc2136.ts';
import { signMessage, verifyAnswer } from '../../../src/actions/names/tsig.ts';
import { parseTsigKey } from '../../../src/actions/names/tsig-key.ts';
import { isBackupError } from '../../../src/core/errors.ts';
import { demand, type FuzzTarget, sameBytes } from '../engine/target.ts';

const CANARY = 'kanarienvogel+kanarienvogel/kanarienvogel+w=';
const KEY = parseTsigKey(`dr-key:hmac-sha256:${CANARY}`);
const NOW_MS = Date.UTC(2026, 10, 29);

const own = { zone: 'eventcore.test', name: 'db.eventcore.test', ttl: 5 };
const asked = updateOf({ ...own, type: 'CNAME' }, { from: 'east.example.com', to: 'west.example.com' });
const { bytes: signed, mac } = signMessage({ ...asked, id: 4711 }, KEY, NOW_MS);

/** An answer whose names point back, as those of servers do. */
const pointing = Buffer.concat([
  Buffer.from('12678400000100010000000002646204746573740000050001', 'hex'),
  Buffer.from('c00c000500010000000500040177c00f', 'hex'),
]);

const answers: FuzzTarget = {
  name: 'dns answers',
  refusals: ['name_refused'],
  seeds: () => [
    signed,
    pointing,
    encodeMessage({ ...asked, id: 4711 }),
    encodeMessage({ ...asked, id: 1, flags: 0x8400, answers: asked.authorities.slice(1), authorities: [] }),
  ],
  run: (input) => {
    const bytes = Buffer.from(input);
    const message = decodeMessage(bytes);
    const again = decodeMessage(encodeMessage(message));
    demand(sameBytes(encodeMessage(again), encodeMessage(message)), 'a message is written as it was read');
    const records: DnsRecord[] = [...message.answers, ...message.authorities, ...message.additionals];
    for (const { type, data } of records) {
      if (type === DNS_TYPE.CNAME && data.length > 0) decodeTarget(data);
    }
    try {
      verifyAnswer(bytes, message, { key: KEY, mac, nowMs: NOW_MS });
    } catch (error) {
      demand(isBackupError(error, 'name_refused'), 'a signature holds, or is refused');
      return;
    }
    demand(false, 'nobody without the key signs an answer');
  },
};

const names: FuzzTarget = {
  name: 'dns names',
  refusals: ['config_invalid'],
  seeds: () =>
    ['db.eventcore.test', '192.0.2.1', '2001:db8::1', 'a\\.b', 'x\\255.y.', '::ffff:1.2.3.4'].map((text) =>
      Buffer.from(text),
    ),
  run: (input) => {
    const text = Buffer.from(input).toString();
    for (const type of RECORD_TYPES) {
      try {
        const value = canonicalValue(type, text);
        demand(canonicalValue(type, value) === value, 'a value has one form');
        updateOf({ ...own, type }, { from: value, to: value });
      } catch (error) {
        demand(isBackupError(error, 'config_invalid'), 'a value is one, or refused');
      }
    }
    const bytes = encodeName(text);
    const read = decodeName({ bytes, at: 0 });
    demand(sameBytes(encodeName(read), bytes), 'a name is written as it was read');
  },
};

const keys: FuzzTarget = {
  name: 'dns keys',
  refusals: [],
  seeds: () =>
    [
      `dr-key:hmac-sha256:${CANARY}`,
      `key "dr-key" {\n\talgorithm hmac-sha512;\n\tsecret "${CANARY}";\n};\n`,
      `// a key\nkey dr-key { algorithm hmac-sha384; secret ${CANARY}; } # done`,
    ].map((text) => Buffer.from(text)),
  run: (input) => {
    try {
      const { secret, name } = parseTsigKey(Buffer.from(input).toString());
      demand(secret.length >= 16 && name.length > 0, 'a key has a name and a secret');
    } catch (error) {
      demand(isBackupError(error, 'key_refused'), 'a key is read, or refused');
      demand(!`${error.message} ${error.hint}`.includes('kanarien'), 'a key is not shown');
      return false;
    }
    return true;
  },
};

export const NAME_TARGETS: readonly FuzzTarget[] = [answers, names, keys];
