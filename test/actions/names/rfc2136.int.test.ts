import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Rfc2136Options, rfc2136Name } from '../../../src/actions/names/rfc2136.ts';
import { parseTsigKey } from '../../../src/actions/names/tsig-key.ts';
import type { PublicName } from '../../../src/core/disaster-ports.ts';
import { type BackupError, isBackupError } from '../../../src/core/errors.ts';
import { startBind, type TestBind, whyNoBind } from '../../harness/bind.ts';
import { startCuttingProxy } from '../../harness/cutting-proxy.ts';

const DEADLINE_MS = 5000;
const ALGORITHMS = ['hmac-sha256', 'hmac-sha384', 'hmac-sha512'] as const;
const call = (ms = DEADLINE_MS) => ({ signal: AbortSignal.timeout(ms) });

describe('a name of a real BIND', { skip: whyNoBind() }, () => {
  let bind: TestBind;
  before(async () => {
    bind = await startBind({
      grants: [
        {
          key: 'dr-key',
          names: ['db', 'v4', 'v6', 'new', 'both', 'many', 'race', 'cut', 'case'].map(inZone),
        },
        ...ALGORITHMS.map((algorithm) => ({ key: algorithm, names: [inZone('db')], algorithm })),
        { key: 'other-key', names: [inZone('elsewhere')] },
      ],
      records: [
        'db 30 IN CNAME east.example.com.',
        'v4 30 IN A 192.0.2.1',
        'v6 30 IN AAAA 2001:db8::1',
        'both 30 IN A 192.0.2.1\nboth 30 IN AAAA 2001:db8::1',
        'many 30 IN A 192.0.2.1\nmany 30 IN A 192.0.2.2',
        'race 30 IN A 192.0.2.1',
        'cut 30 IN A 192.0.2.1',
        'case 30 IN CNAME EaSt.Example.COM.',
      ],
    });
  });
  after(() => bind.stop());

  const open = (name: string, options: Partial<Rfc2136Options> = {}): PublicName =>
    rfc2136Name({
      ...{ server: { host: bind.host, port: bind.port }, zone: bind.zone, name: inZone(name) },
      ...{ type: 'A', ttl: 5, key: parseTsigKey(bind.keys['dr-key']!), ...options },
    });

  for (const algorithm of ALGORITHMS) {
    it(`is read and switched with a key of ${algorithm}`, async () => {
      const name = open('db', { type: 'CNAME', key: parseTsigKey(bind.keys[algorithm]!) });
      assert.equal(await name.read(call()), 'east.example.com');
      await name.switchTo({ from: 'East.Example.com.', to: 'west.example.com' }, call());
      assert.equal(await name.read(call()), 'west.example.com');
      await name.switchTo({ from: 'west.example.com', to: 'east.example.com.' }, call());
      assert.equal(await name.read(call()), 'east.example.com');
    });
  }

  it('holds an address of IPv4 or IPv6 as well, and may be new', async () => {
    const [v4, v6, fresh] = [open('v4'), open('v6', { type: 'AAAA' }), open('new', { type: 'CNAME' })];
    await v4.switchTo({ from: '192.0.2.1', to: '192.0.2.9' }, call());
    assert.equal(await v4.read(call()), '192.0.2.9');
    await v6.switchTo({ from: '2001:0DB8:0::1', to: '2001:db8::9' }, call());
    assert.equal(await v6.read(call()), '2001:db8::9');
    assert.equal(await fresh.read(call()), null);
    await fresh.switchTo({ from: null, to: 'west.example.com' }, call());
    assert.equal(await fresh.read(call()), 'west.example.com');
    await refuses(fresh.switchTo({ from: null, to: 'east.example.com' }, call()), 'name_changed', /west/);
  });

  it('is the same name whatever its case', async () => {
    const name = open('CASE', { type: 'CNAME', zone: 'EventCore.test.' });
    assert.equal(await name.read(call()), 'east.example.com');
    await name.switchTo({ from: 'east.example.com', to: 'west.example.com' }, call());
    assert.equal(await name.read(call()), 'west.example.com');
  });

  it('is not switched by a change that was made already, and what it is now is told', async () => {
    const name = open('v4');
    const now = (await name.read(call()))!;
    await name.switchTo({ from: now, to: '192.0.2.77' }, call());
    await name.switchTo({ from: '192.0.2.77', to: '192.0.2.78' }, call());
    const error = await refuses(name.switchTo({ from: now, to: '192.0.2.77' }, call()), 'name_changed');
    assert.equal(error.facts.found, '192.0.2.78');
    assert.equal(await name.read(call()), '192.0.2.78');
  });

  it('is switched by exactly one of many at once', async () => {
    const name = open('race');
    const ends = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) =>
        name.switchTo({ from: '192.0.2.1', to: `192.0.2.${100 + i}` }, call()),
      ),
    );
    const won = ends.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []));
    assert.equal(won.length, 1);
    for (const end of ends)
      assert.ok(end.status === 'fulfilled' || isBackupError(end.reason, 'name_changed'));
    assert.equal(await name.read(call()), `192.0.2.${100 + won[0]!}`);
  });

  it('is refused where it has several records, or one of the other kind of address', async () => {
    const change = { from: '192.0.2.1', to: '192.0.2.9' };
    await refuses(open('many').read(call()), 'name_refused', /2 records A/);
    await refuses(open('many').switchTo(change, call()), 'name_refused', /2 records A|other/);
    await refuses(open('both').switchTo(change, call()), 'name_refused', /other types/);
    assert.equal(await open('both').read(call()), '192.0.2.1');
    await refuses(open('db').read(call()), 'name_refused', /CNAME/);
    await refuses(
      open('v4', { type: 'CNAME' }).switchTo({ from: null, to: 'x.example.com' }, call()),
      'name_refused',
    );
  });

  it('is refused to a wrong secret, an unknown key and a key without the right', async () => {
    const secret = Buffer.alloc(32, 1).toString('base64');
    const change = { from: '192.0.2.1', to: '192.0.2.9' };
    const wrong = open('cut', { key: parseTsigKey(`dr-key:hmac-sha256:${secret}`) });
    const error = await refuses(wrong.switchTo(change, call()), 'name_refused', /BADSIG/);
    assert.ok(!`${error.message}${error.hint}`.includes(secret));
    assert.match(error.hint!, /^the server needs the same key: name dr-key, algorithm hmac-sha256/);
    const unknown = open('cut', { key: parseTsigKey(`nobody:hmac-sha256:${secret}`) });
    await refuses(unknown.read(call()), 'name_refused', /BADKEY/);
    const other = open('cut', { key: parseTsigKey(bind.keys['other-key']!) });
    const refusal = await refuses(other.switchTo(change, call()), 'name_refused', /REFUSED/);
    assert.match(refusal.hint!, /grant other-key name cut\.eventcore\.test\. A/);
    const foreign = open('cut', { zone: 'example.org', name: 'db.example.org' });
    await refuses(foreign.switchTo(change, call()), 'name_refused', /NOTAUTH|REFUSED/);
    await refuses(foreign.read(call()), 'name_refused');
    assert.equal(await open('cut').read(call()), '192.0.2.1');
  });

  it('says how far clocks are apart where they are too far', async () => {
    for (const [apartS, words] of [
      [-3600, /3(599|600|601) s ahead of/],
      [3600, /3(599|600|601) s behind/],
    ] as const) {
      const name = open('cut', { now: () => Date.now() + apartS * 1000 });
      const change = { from: '192.0.2.1', to: '192.0.2.9' };
      const error = await refuses(name.switchTo(change, call()), 'name_refused', words);
      assert.match(error.message, /BADTIME/);
      assert.match(error.hint!, /^signatures hold for 300 s/);
    }
    assert.equal(await open('cut', { now: () => Date.now() + 200_000 }).read(call()), '192.0.2.1');
  });

  it('asks what became of a change whose answer was lost', async () => {
    const proxy = await startCuttingProxy(`http://${bind.host}:${bind.port}`);
    const server = { host: '127.0.0.1', port: Number(new URL(proxy.endpoint).port) };
    try {
      proxy.begin((n) => (n === 1 ? 'lose-answer' : null));
      const facts = await open('cut', { server }).switchTo({ from: '192.0.2.1', to: '192.0.2.50' }, call());
      assert.equal(facts.answered, false);
      assert.equal(await open('cut').read(call()), '192.0.2.50');
      proxy.begin((n) => (n === 1 ? { afterSent: 10 } : null));
      await open('cut', { server })
        .switchTo({ from: '192.0.2.50', to: '192.0.2.1' }, call())
        .catch(() => {});
      const now = await open('cut').read(call());
      assert.ok(now === '192.0.2.50' || now === '192.0.2.1');
      proxy.begin(() => 'lose-answer');
      const lost = open('cut', { server }).switchTo({ from: now, to: '192.0.2.51' }, call());
      const error = await refuses(lost, 'name_refused', /broke off/);
      assert.match(error.hint!, /is not known/);
      assert.equal(await open('cut').read(call()), '192.0.2.51');
    } finally {
      await proxy.stop();
    }
  });

  it('waits no longer than it may for a server that says nothing, and keeps a change over a crash', async () => {
    const silent = createServer((socket: Socket) => void socket.on('error', () => {}).resume());
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const startMs = performance.now();
    const mute = open('db', { server: { host: '127.0.0.1', port } });
    await refuses(mute.read(call(200)), 'name_refused', /did not answer in time/);
    await refuses(
      open('db', { server: { host: '127.0.0.1', port }, answerMs: 200 }).read(call()),
      'name_refused',
    );
    assert.ok(performance.now() - startMs < 1500);
    silent.close();
    const name = open('v4');
    const from = await name.read(call());
    await name.switchTo({ from, to: '192.0.2.200' }, call());
    await bind.kill();
    await refuses(name.read(call()), 'name_refused', /cannot be reached/);
    await bind.restart();
    assert.equal(await name.read(call()), '192.0.2.200');
  });

  it('is whole when the server is killed in the midst of changes', async () => {
    const name = open('v4');
    let value = await name.read(call());
    const told: (string | null)[] = [];
    let isOver = false;
    const writer = (async () => {
      for (let i = 0; !isOver; i = (i + 1) % 200) {
        const to = `192.0.2.${i}`;
        if (to === value) continue;
        await name.switchTo({ from: value, to }, call()).then(
          () => {
            value = to;
            told.push(to);
          },
          () => undefined,
        );
        if (told.at(-1) !== to) return to;
      }
      return null;
    })();
    await sleep(100);
    await bind.kill();
    isOver = true;
    const underway = await writer;
    await bind.restart();
    const now = await name.read(call());
    assert.ok(now === value || now === underway, `${now} is neither ${value} nor ${underway}`);
    assert.ok(told.length > 0);
  });
});

function inZone(name: string): string {
  return `${name}.eventcore.test`;
}

async function refuses(
  work: Promise<unknown>,
  code: 'name_refused' | 'name_changed',
  words = /./,
): Promise<BackupError> {
  const error = await work.then(
    () => assert.fail('it was not refused'),
    (thrown: unknown) => thrown,
  );
  assert.ok(isBackupError(error, code), String(error));
  assert.match(error.message, words);
  return error;
}
