import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeLimit } from '../../src/console/access/limits.ts';
import {
  hostOf,
  isLoopback,
  isLoopbackHost,
  isNetwork,
  limitKey,
  networksOf,
  plainAddress,
} from '../../src/console/access/peers.ts';
import { makeSessions, SESSION_IDLE_MS, SESSION_LONGEST_MS } from '../../src/console/access/sessions.ts';
import {
  findToken,
  hashToken,
  isToken,
  makeToken,
  type TokenEntry,
} from '../../src/console/access/tokens.ts';
import { isWithin } from '../../src/console/access/within.ts';

const bytes = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

describe('a token', () => {
  const token = makeToken(bytes(7));
  const entry: TokenEntry = { name: 'alice', role: 'operator', hash: hashToken(token) };

  it('is known by its shape, and a mistyped one by its last digits', () => {
    assert.match(token, /^ect_[0-9a-f]{72}$/);
    assert.ok(isToken(token));
    for (let i = 4; i < token.length; i += 1) {
      const other = token[i] === '0' ? '1' : '0';
      assert.ok(!isToken(`${token.slice(0, i)}${other}${token.slice(i + 1)}`), `digit ${i}`);
    }
    for (const text of ['', 'ect_', token.toUpperCase(), ` ${token}`, `${token}\n`])
      assert.ok(!isToken(text));
  });

  it('is found by its hash alone', () => {
    const others = [1, 2, 3].map(
      (n): TokenEntry => ({ name: `${n}`, role: 'viewer', hash: hashToken(makeToken(bytes(n))) }),
    );
    assert.equal(findToken(token, [...others, entry]), entry);
    assert.equal(findToken(token, others), null);
    assert.equal(findToken(entry.hash, [entry]), null);
    assert.equal(findToken('hunter2', [{ ...entry, hash: hashToken('hunter2') }]), null);
  });
});

describe('a session', () => {
  const entry: TokenEntry = { name: 'alice', role: 'operator', hash: hashToken('a') };
  const make = () => {
    const clock = { ms: 0 };
    let made = 0;
    const random = (): Uint8Array => {
      made += 1;
      return Buffer.alloc(32, String(made).padStart(8, '0'));
    };
    return { clock, sessions: makeSessions({ nowMs: () => clock.ms, random }) };
  };

  it('ends when nobody uses it for 12 hours, and after 7 days in any case', () => {
    const { clock, sessions } = make();
    const [idle, used] = [sessions.begin(entry), sessions.begin(entry)];
    clock.ms = SESSION_IDLE_MS;
    assert.ok(sessions.find(used));
    clock.ms = SESSION_IDLE_MS + 1;
    assert.equal(sessions.find(idle), null);
    for (; clock.ms <= SESSION_LONGEST_MS; clock.ms += SESSION_IDLE_MS)
      assert.ok(sessions.find(used), `${clock.ms}`);
    assert.equal(sessions.find(used), null);
  });

  it('ends with its token, and with logging out', () => {
    const { sessions } = make();
    const other = { ...entry, hash: hashToken('b') };
    const [first, second, third] = [sessions.begin(entry), sessions.begin(other), sessions.begin(other)];
    sessions.end(third!);
    sessions.keepOnly(new Set([other.hash]));
    assert.deepEqual(
      [first, second, third].map((id) => sessions.find(id!)?.tokenHash ?? null),
      [null, other.hash, null],
    );
  });

  it('makes room for another where there are a thousand: the one not used for longest ends', () => {
    const { sessions } = make();
    const ids = Array.from({ length: 1000 }, () => sessions.begin(entry));
    assert.ok(sessions.find(ids[0]!));
    sessions.begin(entry);
    assert.ok(sessions.find(ids[0]!));
    assert.equal(sessions.find(ids[1]!), null);
    assert.ok(sessions.find(ids[2]!));
  });
});

describe('a limit', () => {
  it('lets through what it allows at once, then at its rate, and says how long to wait', () => {
    let now = 0;
    const limit = makeLimit({ burst: 3, perMinute: 6, maxKeys: 10, nowMs: () => now });
    assert.deepEqual(
      [1, 2, 3, 4].map(() => limit.take('a')),
      [null, null, null, 10_000],
    );
    assert.equal(limit.take('b'), null);
    now = 4000;
    assert.equal(limit.take('a'), 6000);
    now = 10_000;
    assert.deepEqual([limit.take('a'), limit.take('a')], [null, 10_000]);
    now = 1_000_000_000;
    assert.deepEqual(
      [1, 2, 3, 4].map(() => limit.take('a') === null),
      [true, true, true, false],
    );
  });

  it('remembers so many and no more', () => {
    const limit = makeLimit({ burst: 1, perMinute: 1, maxKeys: 2, nowMs: () => 0 });
    for (const key of ['a', 'b', 'b']) limit.take(key);
    assert.notEqual(limit.take('a'), null);
    limit.take('c');
    assert.notEqual(limit.take('a'), null);
    assert.equal(limit.take('b'), null);
  });
});

describe('an address', () => {
  it('of IPv4 is one, also where it comes mapped into IPv6', () => {
    assert.equal(plainAddress('::ffff:10.0.0.5'), '10.0.0.5');
    assert.equal(plainAddress('::FFFF:10.0.0.5'), '10.0.0.5');
    assert.equal(plainAddress('fe80::1%eth0'), 'fe80::1');
  });

  it('is in a network, or not', () => {
    const isIn = networksOf(['10.0.0.5', '10.1.0.0/16', 'fd00:1::/32', '2001:db8::7']);
    for (const one of ['10.0.0.5', '::ffff:10.0.0.5', '10.1.255.255', 'fd00:1:ffff::1', '2001:db8::7'])
      assert.ok(isIn(one), one);
    for (const one of ['10.0.0.6', '10.2.0.0', 'fd00:2::1', '2001:db8::8', '', 'localhost', '10.1', '::'])
      assert.ok(!isIn(one), one);
    for (const one of ['10.0.0.0/8', '::1', '::/0', '0.0.0.0/0']) assert.ok(isNetwork(one), one);
    for (const one of [
      '',
      '10.0.0.0/33',
      '10.0.0/8',
      '::/129',
      '10.0.0.0/',
      '10.0.0.0/8/8',
      'proxy.local',
      '10.0.0.0/x',
    ])
      assert.ok(!isNetwork(one), one);
  });

  it('is on this host, or not', () => {
    for (const one of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) assert.ok(isLoopback(one), one);
    for (const one of ['', '128.0.0.1', '127.0.0.1.evil.example', '127.1', '::2', '0.0.0.0', '::'])
      assert.ok(!isLoopback(one), one);
    for (const one of ['localhost', '127.0.0.1', '[::1]']) assert.ok(isLoopbackHost(one), one);
    for (const one of ['localhost.evil.example', '127.0.0.1.evil.example', 'evil', '[::2]'])
      assert.ok(!isLoopbackHost(one), one);
    assert.deepEqual(['LOCALHOST:1', '[::1]:80', '[::1]', 'a.b'].map(hostOf), [
      'localhost',
      '[::1]',
      '[::1]',
      'a.b',
    ]);
    for (const one of ['', 'a b', 'a:b', 'a:1:2', 'a/b', 'a@b', 'a:123456'])
      assert.equal(hostOf(one), null, one);
  });

  it('of IPv6 is counted with its network', () => {
    assert.equal(limitKey('2001:db8:1:2:3:4:5:6'), limitKey('2001:db8:1:2::1'));
    assert.notEqual(limitKey('2001:db8:1:2::1'), limitKey('2001:db8:1:3::1'));
    assert.equal(limitKey('::1'), '0:0:0:0::/64');
    assert.equal(limitKey('::ffff:10.0.0.1'), '10.0.0.1');
  });
});

describe('an address within the console', () => {
  it('leads nowhere else, however it is read', () => {
    for (const to of ['/', '/stores/shop?at=2026-11-29T10%3A00', '/a//b', '/a#b'])
      assert.ok(isWithin(to), to);
    const out = [
      '',
      'a',
      '//evil.example',
      '/\\evil.example',
      '/\t/evil.example',
      '\\/evil.example',
      'https://evil.example',
      'javascript:alert(1)',
      '/\n/evil.example',
      '/é',
      ` /`,
      `/${'a'.repeat(2000)}`,
    ];
    for (const to of out) assert.ok(!isWithin(to), to);
  });
});
