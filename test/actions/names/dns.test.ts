import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  DNS_CLASS,
  DNS_TYPE,
  type DnsMessage,
  type DnsRecord,
  decodeMessage,
  decodeName,
  encodeMessage,
  encodeName,
} from '../../../src/actions/names/dns-message.ts';
import { canonicalValue } from '../../../src/actions/names/record-value.ts';
import { rfc2136Name, updateOf } from '../../../src/actions/names/rfc2136.ts';
import { signMessage, verifyAnswer } from '../../../src/actions/names/tsig.ts';
import { parseTsigKey, type TsigKey } from '../../../src/actions/names/tsig-key.ts';
import { isBackupError } from '../../../src/core/errors.ts';
import { readRequest, signAnswer } from '../../harness/signed-answer.ts';

const SECRET = 'c4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4ryc4n4ryQ=';
const key: TsigKey = { name: 'dr-key', algorithm: 'hmac-sha256', secret: Buffer.from(SECRET, 'base64') };
const isRefusal = (error: unknown) => isBackupError(error, 'name_refused');

const label = fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) => Buffer.from(bytes));
const wireName = fc
  .array(label, { maxLength: 10 })
  .map((labels) => Buffer.concat([...labels.flatMap((one) => [Buffer.of(one.length), one]), Buffer.of(0)]));
const nameText = wireName.map((bytes) => decodeName({ bytes, at: 0 }));
const word = fc.nat(0xffff);
const PLAIN = { noNullPrototype: true };
const record = fc.record(
  {
    ...{ name: nameText, type: word.filter((type) => type !== DNS_TYPE.CNAME), class: word },
    ...{ ttl: fc.nat(0xffffffff), data: fc.uint8Array({ maxLength: 40 }).map((data) => Buffer.from(data)) },
  },
  PLAIN,
);
const records = fc.array(record, { maxLength: 4 });
const message: fc.Arbitrary<DnsMessage> = fc.record(
  {
    ...{ id: word, flags: word, answers: records, authorities: records, additionals: records },
    questions: fc.array(fc.record({ name: nameText, type: word, class: word }, PLAIN), { maxLength: 2 }),
  },
  PLAIN,
);

describe('messages of DNS', () => {
  it('read back as they were written, whatever names and data they have', () => {
    fc.assert(
      fc.property(message, (one) => {
        const { lastRecordAt, ...read } = decodeMessage(encodeMessage(one));
        assert.deepEqual(read, one);
        assert.ok(lastRecordAt >= 12);
      }),
    );
  });

  it('have names that are read in lower case, and written as they are read', () => {
    fc.assert(
      fc.property(wireName, (bytes) => {
        const text = decodeName({ bytes, at: 0 });
        assert.equal(decodeName({ bytes: encodeName(text), at: 0 }), text);
        assert.equal(encodeName(text).length, bytes.length);
      }),
    );
    assert.deepEqual(encodeName('DB.Example.com.'), encodeName('db.example.com'));
    assert.deepEqual(encodeName('a\\.b.c'), encodeName('a\\046b.c'));
    for (const none of ['a..b', '.', 'x'.repeat(64), `${'x'.repeat(60)}.`.repeat(5), 'a\\999', 'ä\u0416']) {
      assert.throws(
        () => encodeName(none),
        (error) => isBackupError(error, 'config_invalid'),
      );
    }
  });

  it('are refused where they are cut off, or go on', () => {
    fc.assert(
      fc.property(message, fc.nat(), (one, cut) => {
        const bytes = encodeMessage(one);
        assert.throws(() => decodeMessage(bytes.subarray(0, cut % bytes.length)), isRefusal);
        assert.throws(() => decodeMessage(Buffer.concat([bytes, Buffer.of(0)])), isRefusal);
      }),
    );
  });

  it('are refused where a name leads to itself, forwards or nowhere', () => {
    const head = Buffer.from('000081800001000000000000', 'hex');
    const tail = Buffer.from('00010001', 'hex');
    for (const name of ['c00c', 'c00e', 'ffff', '0161c00c', '40', '80', 'c0', '0361']) {
      assert.throws(() => decodeMessage(Buffer.concat([head, Buffer.from(name, 'hex'), tail])), isRefusal);
    }
    const short = Buffer.concat([head.subarray(0, 4), Buffer.from('0001000100000000', 'hex')]);
    const answer = Buffer.from('c00c000500010000000500040177c00c', 'hex');
    const whole = Buffer.concat([short, encodeName('db.test'), Buffer.from('00050001', 'hex'), answer]);
    assert.deepEqual(decodeMessage(whole).answers[0]!.data, encodeName('w.db.test'));
  });
});

describe('values of records', () => {
  it('are compared in one form', () => {
    assert.equal(canonicalValue('CNAME', 'East.Example.com.'), 'east.example.com');
    assert.equal(canonicalValue('AAAA', '2001:0DB8:0:0:0:0:0:1'), '2001:db8::1');
    assert.equal(canonicalValue('AAAA', '::ffff:192.0.2.1'), '::ffff:c000:201');
    for (const [type, text] of [
      ['A', '2001:db8::1'],
      ['A', '1.2.3'],
      ['AAAA', '1.2.3.4'],
      ['CNAME', '1.2.3.4'],
    ] as const) {
      assert.throws(
        () => canonicalValue(type, text),
        (error) => isBackupError(error, 'config_invalid'),
      );
    }
    for (const text of ['a b', '', '-a', 'a..b', 'x'.repeat(64), 'fe80::1%eth0']) {
      assert.throws(
        () => canonicalValue('CNAME', text),
        (error) => isBackupError(error, 'config_invalid'),
      );
    }
  });

  it('go into an update as they are read from it', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const to = canonicalValue('AAAA', text);
        const own = { zone: 'test', name: 'db.test', type: 'AAAA', ttl: 5 } as const;
        const [, added] = updateOf(own, { from: null, to }).authorities;
        const groups = Array.from({ length: 8 }, (_, i) => added!.data.readUInt16BE(i * 2).toString(16));
        assert.equal(canonicalValue('AAAA', groups.join(':')), to);
      }),
    );
  });
});

describe('a key for a name server', () => {
  it('is read from a key file, and from one line', () => {
    const file = `# made by hand\nkey "DR-key." {\n\talgorithm HMAC-SHA256; // strong\n\tsecret "${SECRET}";\n};\n`;
    for (const text of [file, `dr-key:hmac-sha256:${SECRET}\n`]) assert.deepEqual(parseTsigKey(text), key);
  });

  it('is refused without being shown', () => {
    const bad = [
      ...['', 'x', `dr-key:hmac-md5:${SECRET}`, `dr-key:hmac-sha256:${SECRET}!`, 'dr-key:hmac-sha256:c4n4ry'],
      ...[
        `${SECRET}`,
        `key "dr key" { algorithm hmac-sha256; secret "${SECRET}"; };`,
        `a:b:hmac-sha256:${SECRET}`,
      ],
    ];
    for (const text of bad) {
      assert.throws(
        () => parseTsigKey(text),
        (error) =>
          isBackupError(error, 'key_refused') && !`${error.message} ${error.hint}`.includes('c4n4ry'),
        text,
      );
    }
  });
});

describe('a signature of DNS', () => {
  const NOW_MS = Date.UTC(2026, 10, 29, 12);
  const asked = updateOf(
    { zone: 'eventcore.test', name: 'db.eventcore.test', type: 'A', ttl: 5 },
    { from: '192.0.2.1', to: '192.0.2.2' },
  );
  const mac = signMessage(asked, key, NOW_MS).mac;

  /** As a server signs: over the request's signature too. */
  function answer(
    change: { readonly key?: TsigKey; readonly mac?: Buffer; readonly nowMs?: number } = {},
  ): Buffer {
    const reply = { ...asked, flags: 0xa800, answers: [], authorities: [] };
    return signAnswer(reply, { key, mac, nowMs: NOW_MS, ...change });
  }

  const verify = (bytes: Buffer): void =>
    verifyAnswer(bytes, decodeMessage(bytes), { key, mac, nowMs: NOW_MS });

  it('holds for the answer to this request, from the holder of the key, now', () => {
    verify(answer());
    for (const other of [
      answer({ mac: Buffer.alloc(32) }),
      answer({ key: { ...key, secret: Buffer.alloc(32) } }),
      answer({ key: { ...key, name: 'other' } }),
    ]) {
      assert.throws(() => verify(other), isRefusal);
    }
    assert.throws(() => verify(answer({ nowMs: NOW_MS + 301_000 })), /301 s ahead of.*BADTIME/);
    assert.throws(() => verify(answer({ nowMs: NOW_MS - 400_000 })), /400 s behind.*BADTIME/);
    verify(answer({ nowMs: NOW_MS + 299_000 }));
  });

  it('does not hold once any bit is another', () => {
    const bytes = answer();
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      // The id of an answer may be changed on its way; and case means nothing in names.
      const isLetter = /[A-Za-z]/.test(String.fromCharCode(bytes[bit >> 3]!));
      const isFree = bit < 16 || (isLetter && (bit & 7) === 5);
      if (isFree) continue;
      assert.throws(() => verify(changed), isRefusal, `bit ${bit}`);
    }
  });
});

describe('a name server that is none', () => {
  const replies: Readonly<Record<string, Buffer>> = {
    'sends noise': crypto.randomBytes(300),
    'sends an empty message': Buffer.of(0, 0),
    'sends half a message': Buffer.from('00400000', 'hex'),
    'sends a message without end': Buffer.concat([Buffer.of(0xff, 0xff), Buffer.alloc(70_000)]),
    'speaks HTTP': Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
    'closes at once': Buffer.alloc(0),
    'answers without a signature': Buffer.from('000c0000a8000000000000000000', 'hex'),
  };
  for (const [what, reply] of Object.entries(replies)) {
    it(`${what}, and is refused`, async () => {
      const server = createServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => socket.end(reply));
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const name = rfc2136Name({
        ...{ server: { host: '127.0.0.1', port }, zone: 'test', name: 'db.test', type: 'A', ttl: 5, key },
      });
      const signal = AbortSignal.timeout(2000);
      await assert.rejects(name.read({ signal }), isRefusal);
      await assert.rejects(name.switchTo({ from: null, to: '192.0.2.1' }, { signal }), isRefusal);
      server.close();
    });
  }
});

describe('a name server that has the key', () => {
  const NAME = 'db.test';
  const address = (name: string, last: number): DnsRecord => ({
    ...{ name, type: DNS_TYPE.A, class: DNS_CLASS.IN, ttl: 5, data: Buffer.of(192, 0, 2, last) },
  });

  /** What `read` makes of an answer that is signed well. */
  async function read(change: (right: DnsMessage) => DnsMessage): Promise<string | null> {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (bytes) => {
        const { request, mac } = readRequest(bytes as Buffer);
        const right = { ...request, flags: 0x8400, answers: [address(NAME, 1)] };
        const answer = signAnswer(change(right), { key, mac, nowMs: Date.now() });
        socket.end(Buffer.concat([Buffer.of(answer.length >> 8, answer.length & 255), answer]));
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const record = { zone: 'test', name: NAME, type: 'A', ttl: 5, key } as const;
    const name = rfc2136Name({ ...record, server: { host: '127.0.0.1', port } });
    return name.read({ signal: AbortSignal.timeout(2000) }).finally(() => server.close());
  }

  it('is believed where it serves the zone itself, and answers what was asked', async () => {
    assert.equal(await read((right) => right), '192.0.2.1');
    assert.equal(await read((right) => ({ ...right, answers: [] })), null);
    assert.equal(await read((right) => ({ ...right, answers: [], flags: 0x8403 })), null);
    assert.equal(await read((right) => ({ ...right, answers: [address('other.test', 9)] })), null);
  });

  it('is not believed otherwise', async () => {
    const odd: readonly [words: RegExp, change: (right: DnsMessage) => DnsMessage][] = [
      [/does not serve the zone/, (right) => ({ ...right, flags: 0x8000 })],
      [/another question/, (right) => ({ ...right, id: right.id ^ 1 })],
      [/another question/, (right) => ({ ...right, flags: 0x0400 })],
      [/another question/, (right) => ({ ...right, flags: 0xac00 })],
      [
        /another question/,
        (right) => ({ ...right, questions: [{ ...right.questions[0]!, name: 'x.test' }] }),
      ],
      [/another question/, (right) => ({ ...right, questions: [] })],
      [/half an answer/, (right) => ({ ...right, flags: 0x8600 })],
      [/2 records A/, (right) => ({ ...right, answers: [address(NAME, 1), address(NAME, 2)] })],
      [/holds 3 bytes/, (right) => ({ ...right, answers: [{ ...address(NAME, 1), data: Buffer.alloc(3) }] })],
      [/SERVFAIL/, (right) => ({ ...right, flags: 0x8402 })],
    ];
    for (const [words, change] of odd) {
      await assert.rejects(
        read(change),
        (error) => isRefusal(error) && words.test((error as Error).message),
        String(words),
      );
    }
  });
});
