import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hashToken, makeToken } from '../../src/console/access/tokens.ts';
import {
  ALICE,
  cookieOf,
  type Door,
  FORM,
  HOST,
  makeDoor,
  SAME_ORIGIN,
  VICTOR,
  WITH_ACCESS,
  WITHOUT_ACCESS,
} from '../harness/console-door.ts';

const WRONG = makeToken(new Uint8Array(32));
const PAGE = { accept: 'text/html' };

/** The form as a browser would send it. */
async function openForm(door: Door, to = '/') {
  const shown = await door.ask(`/log-in?to=${encodeURIComponent(to)}`, { headers: PAGE });
  const text = await shown.text();
  const field = (name: string): string => new RegExp(`name="${name}" value="([^"]*)"`).exec(text)?.[1] ?? '';
  return { cookie: cookieOf(shown), form_token: field('form_token'), to: field('to'), text };
}

async function send(
  door: Door,
  token: string,
  changes: Record<string, string> = {},
  headers: Record<string, string> = {},
) {
  const { cookie, form_token, to } = await openForm(door);
  const body = new URLSearchParams({ token, form_token, to, ...changes }).toString();
  return door.ask('/log-in', { method: 'POST', headers: { ...SAME_ORIGIN, cookie, ...headers }, body });
}

describe('logging in', () => {
  it('gives a cookie that scripts, other sites and other paths do not get', async () => {
    const door = await makeDoor();
    const cookies = (await send(door, ALICE)).headers.getSetCookie();
    const session = cookies.find((one) => one.startsWith('eventcore-session-8321='))!;
    assert.match(
      session,
      /^eventcore-session-8321=[A-Za-z0-9_-]{43}; Max-Age=604800; Path=\/; HttpOnly; SameSite=Strict$/,
    );
  });

  it('gives one that only this host and TLS get, where there is TLS', async () => {
    for (const config of [{ hasTls: true }, { publicOrigin: `https://${HOST}` }]) {
      const door = await makeDoor({ config: { ...WITH_ACCESS, ...config } });
      const response = await send(door, ALICE);
      const session = response.headers.getSetCookie().find((one) => one.includes('session'))!;
      assert.match(session, /^__Host-eventcore-session-8321=.*; Path=\/; HttpOnly; Secure; SameSite=Strict$/);
      const headers = { ...PAGE, cookie: session.split(';')[0]! };
      assert.equal((await door.ask('/sample', { headers })).status, 200);
      assert.match(
        String(
          (await door.ask('/livez', { headers: { host: 'backups.example' } })).headers.get(
            'strict-transport-security',
          ),
        ),
        /max-age/,
      );
    }
  });

  it('leads where one wanted to be, and never out of the console', async () => {
    const door = await makeDoor();
    const target = async (to: string) => (await send(door, ALICE, { to })).headers.get('location');
    assert.equal(await target('/sample?a=1&b=2'), '/sample?a=1&b=2');
    for (const to of [
      '//evil.example',
      'https://evil.example',
      '/\\evil.example',
      '/log-in?to=/log-in',
      '',
    ]) {
      assert.equal(await target(to), '/', to);
    }
    const { text } = await openForm(door, '"><script>alert(1)</script>');
    assert.doesNotMatch(text, /<script>alert/);
  });

  it('shows no store, version or host to who has not', async () => {
    const door = await makeDoor({ ports: { software: 'eventcore-backup 9.9.9' } });
    const { text } = await openForm(door);
    assert.match(text, /<h1>Log in<\/h1>/);
    assert.doesNotMatch(text, /9\.9\.9/);
  });

  it('takes no form that another site could have sent', async () => {
    const door = await makeDoor();
    const { form_token } = await openForm(door);
    const statuses = [
      await send(door, ALICE, { form_token: '' }),
      await send(door, ALICE, { form_token }),
      await send(door, ALICE, {}, { cookie: '' }),
      await send(door, ALICE, {}, { 'sec-fetch-site': 'cross-site' }),
    ].map(({ status, headers }) => [status, headers.getSetCookie().some((one) => one.includes('session'))]);
    assert.deepEqual(statuses, Array(4).fill([403, false]));
  });

  it('lets wrong tokens be tried ten times at once from one place, and so many in all; a right one gets in', async () => {
    const door = await makeDoor();
    const statuses: number[] = [];
    for (let i = 0; i < 12; i += 1) statuses.push((await send(door, WRONG)).status);
    assert.deepEqual(statuses, [...Array(10).fill(401), 429, 429]);
    const limited = await send(door, WRONG);
    assert.equal(limited.headers.get('retry-after'), '10');
    assert.equal((await door.ask('/sample', { headers: { authorization: `Bearer ${WRONG}` } })).status, 429);
    assert.equal((await send(door, ALICE)).status, 303);
    const fromAnywhere = async (i: number) =>
      (await door.ask('/sample', { peer: `192.0.2.${i}`, headers: { authorization: `Bearer ${WRONG}` } }))
        .status;
    const all = [];
    for (let i = 0; i < 95; i += 1) all.push(await fromAnywhere(i));
    assert.deepEqual([all.slice(0, 90).every((s) => s === 401), all.slice(90)], [true, Array(5).fill(429)]);
    door.clock.ms += 60_000;
    assert.equal((await send(door, WRONG)).status, 401);
  });

  it('is on record, refused or not, without the token', async () => {
    const door = await makeDoor();
    await send(door, WRONG);
    await send(door, ALICE);
    const said = door.audit.entries().map(({ who, action, outcome }) => `${who} ${action} ${outcome}`);
    assert.deepEqual(said, ['alice log_in done', 'somebody log_in refused']);
    assert.doesNotMatch(JSON.stringify([door.logged, door.errors]), /ect_/);
  });

  it('has nothing to do where only a proxy logs people in, or nobody can', async () => {
    const proxied = await makeDoor({ config: { ...WITH_ACCESS, tokens: [] } });
    assert.equal((await proxied.ask('/log-in', { headers: PAGE })).status, 404);
    assert.equal((await proxied.ask('/sample', { headers: PAGE })).status, 401);
    const open = await makeDoor({ config: WITHOUT_ACCESS });
    assert.equal((await open.ask('/log-in', { headers: PAGE })).headers.get('location'), '/');
  });

  it('is not asked for again of who follows a link from elsewhere: their cookie comes with the next request', async () => {
    const door = await makeDoor();
    const link = { ...PAGE, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    const first = await door.ask('/sample?a=1', { headers: link });
    assert.equal(first.status, 200);
    assert.match(await first.text(), /http-equiv="refresh" content="0;url=\/sample\?a=1"/);
    const then = await door.ask('/sample?a=1', { headers: { ...link, 'sec-fetch-site': 'same-origin' } });
    assert.equal(then.headers.get('location'), '/log-in?to=%2Fsample%3Fa%3D1');
    assert.deepEqual(door.handled, []);
  });

  it('sends nobody who followed a link to another host, however its path is written', async () => {
    const { ask } = await makeDoor();
    const link = { ...PAGE, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' };
    for (const path of ['//evil.example/', '//evil.example', '/%2Fevil.example', '///evil.example/a?b=1']) {
      const answer = await ask(path, { headers: link });
      const said = `${answer.headers.get('location') ?? ''} ${await answer.text()}`;
      assert.doesNotMatch(said, /url=\/[/\\]|href="\/[/\\]/, path);
    }
  });
});

describe('who is logged in', () => {
  it('sees what their role may, by cookie, token or proxy', async () => {
    const door = await makeDoor();
    const see = async (headers: Record<string, string>, peer = '127.0.0.1') =>
      Promise.all(
        ['/sample', '/sample/secret'].map(async (path) => (await door.ask(path, { peer, headers })).status),
      );
    const [alice, victor] = [await door.logIn(ALICE), await door.logIn(VICTOR)];
    assert.deepEqual(await see({ cookie: alice }), [200, 200]);
    assert.deepEqual(await see({ cookie: victor }), [200, 403]);
    assert.deepEqual(await see({ authorization: `Bearer ${ALICE}` }), [200, 200]);
    assert.deepEqual(await see({ authorization: `bearer ${VICTOR}` }), [200, 403]);
    const dba = { 'x-forwarded-user': 'dora', 'x-forwarded-groups': 'staff, dba' };
    assert.deepEqual(await see(dba, '::ffff:10.1.2.3'), [200, 200]);
    assert.deepEqual(await see({ ...dba, 'x-forwarded-groups': 'staff' }, 'fd00::1'), [200, 403]);
    assert.deepEqual(
      await see({ ...dba, authorization: 'Bearer eyJhbGciOi.J9.of-the-proxy' }, '10.1.0.1'),
      [200, 200],
    );
    assert.deepEqual(await see({ ...dba, authorization: `Bearer ${VICTOR}` }, '10.1.0.1'), [200, 403]);
    assert.deepEqual(await see({ ...dba, authorization: `Bearer ${ALICE}0` }, '10.1.0.1'), [401, 401]);
  });

  it('acts from a page that the proxy let them see', async () => {
    const door = await makeDoor();
    const dora = { 'x-forwarded-user': 'dora', 'x-forwarded-groups': 'dba' };
    const from = { peer: '10.1.0.9', headers: dora };
    const identity = door.access.identify(
      {
        method: 'GET',
        target: '/',
        peer: '10.1.0.9',
        header: (name) => dora[name.toLowerCase() as keyof typeof dora] ?? null,
      },
      null,
    );
    assert.ok('subject' in identity);
    const body = new URLSearchParams({ form_token: door.access.formTokens.of(identity.subject) }).toString();
    const headers = { ...dora, ...SAME_ORIGIN };
    assert.equal(
      (await door.ask('/sample/shop/backup', { ...from, method: 'POST', headers, body })).status,
      303,
    );
    assert.deepEqual(door.acted, ['run full of shop for dora']);
    const other = { ...headers, 'x-forwarded-user': 'eve' };
    assert.equal(
      (await door.ask('/sample/shop/backup', { ...from, method: 'POST', headers: other, body })).status,
      403,
    );
  });

  it('is logged out by themselves, at once, and only by their own form', async () => {
    const door = await makeDoor();
    const cookie = await door.logIn(ALICE);
    const forged = await door.ask('/log-out', {
      method: 'POST',
      headers: { ...SAME_ORIGIN, cookie },
      body: 'form_token=x',
    });
    assert.equal(forged.status, 403);
    assert.equal((await door.ask('/sample', { headers: { cookie } })).status, 200);
    const response = await door.ask('/log-out', await door.form(cookie));
    assert.deepEqual([response.status, response.headers.get('location')], [303, '/log-in']);
    assert.match(cookieLine(response), /^eventcore-session-8321=; Max-Age=0; Path=\//);
    assert.equal((await door.ask('/sample', { headers: { cookie } })).status, 401);
    assert.equal(door.audit.entries()[0]!.action, 'log_out');
  });

  it('is logged out when their token is taken away, and gets in as the configuration has it now', async () => {
    const door = await makeDoor();
    const [alice, victor] = [await door.logIn(ALICE), await door.logIn(VICTOR)];
    door.access.configure({
      ...WITH_ACCESS,
      tokens: [{ name: 'vic', role: 'operator', hash: hashToken(VICTOR) }],
    });
    assert.equal((await door.ask('/sample', { headers: { cookie: alice } })).status, 401);
    assert.equal((await door.ask('/sample/secret', { headers: { cookie: victor } })).status, 200);
    door.access.configure(WITH_ACCESS);
    assert.equal((await door.ask('/sample', { headers: { cookie: alice } })).status, 401);
    const dora = { peer: '10.1.0.9', headers: { 'x-forwarded-user': 'dora', 'x-forwarded-groups': 'dba' } };
    assert.equal((await door.ask('/sample', dora)).status, 200);
    door.access.configure({ ...WITH_ACCESS, proxy: { ...WITH_ACCESS.proxy!, from: ['10.2.0.0/16'] } });
    assert.equal((await door.ask('/sample', dora)).status, 401);
  });

  it('acts under their own name, whatever a page says, and never by looking', async () => {
    const door = await makeDoor();
    const response = await door.ask('/sample/acting', { headers: { authorization: `Bearer ${ALICE}` } });
    assert.equal(response.status, 500);
    assert.deepEqual(door.acted, []);
  });
});

describe('this host', () => {
  it('may look where nobody can log in, and not act', async () => {
    const door = await makeDoor({ config: WITHOUT_ACCESS });
    for (const host of [HOST, 'localhost:8321', '[::1]:8321', 'localhost']) {
      assert.equal((await door.ask('/sample', { headers: { host, ...PAGE } })).status, 200, host);
    }
    assert.equal((await door.ask('/sample/secret')).status, 403);
    const response = await door.ask('/sample/shop/backup', {
      method: 'POST',
      headers: { 'content-type': FORM },
    });
    assert.equal(response.status, 403);
    assert.match(await response.text(), /eventcore tokens generate/);
  });

  it('has to log in where one can: a proxy on it is on it too', async () => {
    const door = await makeDoor();
    assert.equal((await door.ask('/sample')).status, 401);
  });

  it('reads metrics, as do programs with a token; others do not know that there are any', async () => {
    for (const config of [WITH_ACCESS, WITHOUT_ACCESS]) {
      const door = await makeDoor({ config, bound: { address: '0.0.0.0', host: '0.0.0.0' } });
      const read = async (options = {}) => (await door.ask('/metrics', options)).status;
      assert.equal(await read(), 200);
      assert.equal(await read({ peer: '10.0.0.1' }), 404);
      assert.equal(await read({ headers: { host: 'evil.example' } }), 404);
      assert.equal(await read({ headers: { 'x-forwarded-for': '203.0.113.9' } }), 404);
      const byToken = { peer: '10.0.0.1', headers: { host: 'db1:8321', authorization: `Bearer ${VICTOR}` } };
      assert.equal(await read(byToken), config === WITH_ACCESS ? 200 : 404);
      for (const path of ['/livez', '/readyz']) {
        assert.equal(
          (await door.ask(path, { peer: '203.0.113.9', headers: { host: 'evil.example' } })).status,
          200,
        );
        assert.equal((await door.ask(path, { method: 'HEAD', peer: '203.0.113.9' })).status, 200);
      }
    }
  });
});

describe('who asks too much', () => {
  it('has to wait, and nobody else does; health is answered all the same', async () => {
    const door = await makeDoor();
    const asked = { method: 'GET', target: '/', peer: '192.0.2.1', header: () => null };
    for (let i = 0; i < 10_000; i += 1) assert.equal(door.access.refuseEntry(asked), null);
    const refused = await door.ask('/sample', { peer: '192.0.2.1' });
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '1']);
    assert.equal((await door.ask('/sample', { peer: '192.0.2.2' })).status, 401);
    assert.equal((await door.ask('/livez', { peer: '192.0.2.1' })).status, 200);
  });
});

describe('a failure', () => {
  it('tells nobody more than an id; the log has the rest', async () => {
    const handle = () => {
      throw new Error('secret of the innermost kind');
    };
    const door = await makeDoor({ routes: [{ method: 'GET', path: '/broken', role: 'viewer', handle }] });
    const response = await door.ask('/broken', { headers: { authorization: `Bearer ${VICTOR}`, ...PAGE } });
    assert.equal(response.status, 500);
    const text = await response.text();
    assert.doesNotMatch(text, /secret|innermost|at .*\.ts/);
    assert.match(text, /unexpected/);
    assert.match(door.errors[0]!, /GET \/broken.*secret of the innermost kind/s);
  });
});

function cookieLine(response: Response): string {
  return response.headers.getSetCookie().find((one) => one.includes('session')) ?? '';
}
