/** The server of the daemon over real sockets: TLS, its limits, and what no client library would send. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get as getHttp } from 'node:http';
import { Agent, get as getHttps } from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import type { Log } from '../../src/cli/log.ts';
import type { HttpSettings } from '../../src/cli/serve/access.ts';
import { type OpenServer, openHttp } from '../../src/cli/serve/http.ts';
import { makeRegistry } from '../../src/daemon/registry.ts';
import { makeCertificate, whyNoCertificates } from '../harness/certificate.ts';
import { ALICE, WITH_ACCESS, WITHOUT_ACCESS } from '../harness/console-door.ts';

const folder = mkdtempSync(join(tmpdir(), 'eventcore-http-'));
const servers: OpenServer[] = [];
after(async () => {
  await Promise.all(servers.map((server) => server.close()));
  rmSync(folder, { recursive: true, force: true });
});

async function open(settings: HttpSettings) {
  const lines: string[] = [];
  const add = (line: string): void => {
    lines.push(line);
  };
  const log: Log = { error: add, warn: add, info: add, debug: add, tell: add };
  const server = await openHttp({
    ...{ address: '127.0.0.1:0', settings, registry: makeRegistry(), log, lookMs: 50, stores: () => [] },
    missing: () => [],
    mostShown: () => 500,
    queues: () => [{ name: 'jobs', waiting: 2 }],
    workQueues: () => [],
    ports: {
      ...{
        stores: () => [],
        look: () => undefined,
        operations: () => [],
        now: Date.now,
        software: 'eventcore-backup test',
      },
      ask: () => Promise.resolve({ state: 'busy' }),
      actions: {
        runJob: () => 'unknown',
        restore: () => ({ state: 'refused', message: '', hint: '' }),
        verify: () => ({ state: 'refused', message: '', hint: '' }),
        cancel: () => 'unknown',
      },
    },
  });
  servers.push(server);
  return { server, port: Number(server.address.split(':').at(-1)), said: () => lines.join('\n') };
}

/** Sends these bytes and gives the first line of what comes back; '' where the connection is just closed. */
function sendRaw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.end(bytes, 'latin1'));
    socket.on('data', (part) => {
      answer += part.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer.split('\r\n')[0] ?? ''));
    socket.setTimeout(5000, () => socket.destroy());
  });
}

async function sendAndLeave(port: number, bytes: string): Promise<void> {
  const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
  await sleep(100);
  socket.destroy();
  await sleep(100);
}

describe('the server of the daemon', () => {
  it('refuses what is no request, and goes on', async () => {
    const { port, said } = await open({ access: WITH_ACCESS, tls: null });
    const host = `Host: 127.0.0.1:${port}\r\n`;
    const sent = [
      '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
      'GET / HTTP/1.1\r\n\r\n',
      `GET / HTTP/1.1\r\n${host}${host}\r\n`,
      'GET / HTTP/1.1\r\nHost: a b\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: @evil\r\n\r\n',
      `GET \\..\\ HTTP/1.1\r\n${host}\r\n`,
      `GET /a\0b HTTP/1.1\r\n${host}\r\n`,
      `GET http://evil.example/ HTTP/1.1\r\n${host}\r\n`,
      `TRACE / HTTP/1.1\r\n${host}\r\n`,
      `CONNECT evil.example:443 HTTP/1.1\r\n${host}\r\n`,
      `OPTIONS * HTTP/1.1\r\n${host}\r\n`,
      `GET /${'a'.repeat(20_000)} HTTP/1.1\r\n${host}\r\n`,
      `GET / HTTP/1.1\r\n${host}Cookie: ${'a'.repeat(20_000)}\r\n\r\n`,
      `POST /log-in HTTP/1.1\r\n${host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `POST /log-in HTTP/1.1\r\n${host}Content-Length: -1\r\n\r\n`,
      `GET / HTTP/1.1\r\n${host}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
      `GET / HTTP/1.1\r\n${host}Expect: 100-continue\r\nAuthorization: Bearer \xff\r\n\r\n`,
    ];
    for (const bytes of sent) {
      const answer = await sendRaw(port, bytes);
      assert.ok(
        answer === '' || /^HTTP\/1\.1 (100|303|4\d\d) /.test(answer),
        `${JSON.stringify(bytes.slice(0, 60))}: ${answer}`,
      );
    }
    assert.match(await sendRaw(port, `GET /livez HTTP/1.1\r\n${host}Connection: close\r\n\r\n`), / 200 /);
    const cookie = 'Cookie: eventcore-log-in-'.concat(`${port}=x\r\n`);
    const cutOff = `POST /log-in HTTP/1.1\r\n${host}${cookie}Content-Length: 500\r\n\r\ntoken=`;
    await sendAndLeave(port, cutOff);
    assert.doesNotMatch(said(), /failed/);
  });

  it('answers while hundreds of connections begin a request and do not end it', async () => {
    const { port } = await open({ access: WITHOUT_ACCESS, tls: null });
    const half: Socket[] = [];
    let closed = 0;
    for (let i = 0; i < 400; i += 1) {
      const socket = connect(port, '127.0.0.1', () =>
        socket.write(i % 2 === 0 ? '' : 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: '),
      );
      socket.on('error', () => undefined);
      socket.on('close', () => {
        closed += 1;
      });
      half.push(socket);
    }
    await sleep(200);
    const began = performance.now();
    for (let i = 0; i < 20; i += 1)
      assert.equal((await request(`http://127.0.0.1:${port}/livez`)).status, 200);
    const perPageMs = (performance.now() - began) / 20;
    assert.ok(perPageMs < 250, `${perPageMs} ms`);
    assert.equal(closed, 0);
    for (const socket of half) socket.destroy();
  });

  it('stops at once, whoever is connected', async () => {
    const { server, port } = await open({ access: WITHOUT_ACCESS, tls: null });
    const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.1\r\n'));
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.on('error', () => undefined);
    await sleep(50);
    const began = performance.now();
    await server.close();
    await closed;
    assert.ok(performance.now() - began < 2500);
  });
});

const why = whyNoCertificates();
describe('TLS', { skip: why ?? false }, () => {
  it('is of version 1.2 at least, follows its files, and drops nobody for that', async () => {
    const [first, second] = [makeCertificate(folder, 'first'), makeCertificate(folder, 'second')];
    const tls = { cert: join(folder, 'tls.pem'), key: join(folder, 'tls.key.pem') };
    copyFileSync(first.cert, tls.cert);
    copyFileSync(first.key, tls.key);
    const { server, port, said } = await open({ access: { ...WITH_ACCESS, hasTls: true }, tls });
    const url = `https://127.0.0.1:${port}/metrics`;
    const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
    const headers = { authorization: `Bearer ${ALICE}`, host: 'db1.example' };
    const kept = await request(url, { agent, headers });
    assert.deepEqual([kept.status, kept.peer], [200, 'first']);
    assert.match(kept.headers['strict-transport-security'] ?? '', /max-age=/);
    assert.match(await refusedTls(port), /version/i);
    assert.equal(await sendRaw(port, 'GET /livez HTTP/1.1\r\nHost: a\r\n\r\n'), '');

    copyFileSync(second.cert, tls.cert);
    await until(() => /old certificate stays in force/.test(said()), said);
    assert.equal((await request(url)).peer, 'first');
    copyFileSync(second.key, tls.key);
    await until(() => /certificate was read anew/.test(said()), said);
    assert.equal((await request(url)).peer, 'second');
    const again = await request(url, { agent, headers });
    assert.deepEqual([again.status, again.reused], [200, true]);
    agent.destroy();

    server.configure({ access: WITH_ACCESS, tls: null });
    assert.match(said(), /start the daemon anew/);
    assert.equal((await request(url)).peer, 'second');
  });

  it('does not begin with what is no certificate and its key, and says which', async () => {
    const one = makeCertificate(folder, 'one');
    const other = makeCertificate(folder, 'other');
    const broken = join(folder, 'broken.pem');
    writeFileSync(broken, 'not a certificate');
    const access = { ...WITH_ACCESS, hasTls: true };
    await assert.rejects(
      open({ access, tls: { cert: one.cert, key: other.key } }),
      /no certificate and its key/,
    );
    await assert.rejects(open({ access, tls: { cert: broken, key: one.key } }), /broken\.pem/);
    await assert.rejects(
      open({ access, tls: { cert: join(folder, 'none.pem'), key: one.key } }),
      /serve\.tls\.cert.*ENOENT/,
    );
  });
});

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Common name of the certificate. */
  readonly peer: string | null;
  readonly reused: boolean;
}

function request(
  url: string,
  options: { agent?: Agent; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const get = url.startsWith('https:') ? getHttps : getHttp;
    const sent = get(url, { ...{ rejectUnauthorized: false, agent: false }, ...options }, (response) => {
      const { socket } = response as unknown as {
        socket: { getPeerCertificate?: () => { subject: { CN: string } } };
      };
      const peer = socket.getPeerCertificate?.().subject.CN ?? null;
      response.resume().on('end', () =>
        resolve({
          ...{ status: response.statusCode!, peer, reused: sent.reusedSocket },
          headers: response.headers as Record<string, string | undefined>,
        }),
      );
    });
    sent.on('error', reject);
  });
}

function refusedTls(port: number): Promise<string> {
  return new Promise((resolve) => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...old }, () => {
      socket.destroy();
      resolve('taken');
    });
    socket.on('error', (error) => resolve(error.message));
  });
}

async function until(isSo: () => boolean, what: () => string): Promise<void> {
  for (const endMs = Date.now() + 20_000; Date.now() < endMs; await sleep(50)) if (isSo()) return;
  assert.fail(`did not come about: ${what()}`);
}
