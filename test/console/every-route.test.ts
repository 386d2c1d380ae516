/** What must hold of every route, those that will be added too: it is made from the list of them. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { Route } from '../../src/console/route.ts';
import { ROUTES } from '../../src/console/routes.ts';
import {
  ALICE,
  type AskOptions,
  addressOf,
  type Door,
  FORM,
  HOST,
  makeDoor,
  SAME_ORIGIN,
  SAMPLE_ROUTES,
  VICTOR,
  WITHOUT_ACCESS,
} from '../harness/console-door.ts';

const ALL = [...ROUTES, ...SAMPLE_ROUTES];
const GUARDED = ALL.filter(({ role }) => role !== 'anyone');
const ACTIONS = ALL.filter(({ method }) => method === 'POST');

/** Asked of the route, with nobody and nothing behind it touched. */
async function refused(
  door: Door,
  route: Route,
  options: AskOptions,
  statuses: readonly number[],
): Promise<Response> {
  const response = await door.ask(addressOf(route), { method: route.method, ...options });
  const what = `${route.method} ${route.path} ${JSON.stringify(options.headers ?? {})}`;
  assert.ok(statuses.includes(response.status), `${what}: ${response.status}`);
  assert.deepEqual([door.handled, door.acted, door.errors], [[], [], []], what);
  return response;
}

describe('a route', () => {
  it('stands in the list once', () => {
    const names = ALL.map(({ method, path }) => `${method} ${path}`);
    assert.deepEqual(names, [...new Set(names)]);
  });

  it('that does something is for operators', () => {
    assert.deepEqual(
      ACTIONS.filter(({ role }) => role !== 'operator').map(({ path }) => path),
      [],
    );
    assert.ok(ACTIONS.length > 0);
  });

  it('shows nobody anything: people are led to where they log in, programs are told', async () => {
    const door = await makeDoor({ routes: ALL });
    for (const route of GUARDED) {
      const forPeople = await refused(door, route, { headers: { ...SAME_ORIGIN } }, [303, 401]);
      assert.equal(forPeople.status, route.method === 'GET' ? 303 : 401);
      if (forPeople.status === 303)
        assert.match(forPeople.headers.get('location') ?? '', /^\/log-in\?to=%2F/);
      const forPrograms = await refused(door, route, { headers: { 'content-type': FORM } }, [401]);
      assert.match(forPrograms.headers.get('www-authenticate') ?? '', /^Bearer/);
    }
  });

  it('does not take a token or a cookie that is made up, cut off or of another daemon', async () => {
    const door = await makeDoor({ routes: ALL });
    const other = await makeDoor();
    const foreign = await other.logIn(ALICE);
    for (const route of GUARDED) {
      door.clock.ms += 3_600_000;
      for (const authorization of [
        `Bearer ${ALICE}0`,
        `Bearer ${ALICE.slice(0, -1)}`,
        'Bearer ',
        'Bearer null',
      ]) {
        await refused(door, route, { headers: { authorization } }, [401, 429]);
      }
      for (const cookie of [
        foreign,
        foreign.slice(0, -2),
        foreign.replace(/=.*/, '='),
        foreign.replace(/=.*/, '=x'),
      ]) {
        await refused(door, route, { headers: { cookie } }, [401]);
      }
    }
  });

  it('does not believe headers that the proxy did not send', async () => {
    const door = await makeDoor({ routes: ALL });
    const forged = { 'x-forwarded-user': 'mallory', 'x-forwarded-groups': 'dba' };
    for (const route of GUARDED) {
      for (const peer of ['127.0.0.1', '10.2.0.1', '::ffff:10.2.0.1', '2001:db8::1', '']) {
        await refused(door, route, { peer, headers: { ...forged, 'x-forwarded-for': '10.1.0.1' } }, [401]);
      }
      await refused(
        door,
        route,
        { peer: '10.1.0.1', headers: { ...forged, 'x-forwarded-groups': 'cleaners' } },
        [403],
      );
      await refused(
        door,
        route,
        { peer: '10.1.0.1', headers: { ...forged, 'x-forwarded-user': 'mallory, alice' } },
        [403],
      );
    }
  });

  it('cannot be told from one that there is not, by nobody', async () => {
    const door = await makeDoor({ routes: ALL });
    for (const accept of ['text/html', '*/*']) {
      const answers = ['/sample', '/nowhere', '/sample/shop/backup'].map(async (path) => {
        const response = await door.ask(path, { headers: { accept } });
        return [response.status, (await response.text()).length, response.headers.get('allow')];
      });
      const [known, unknown, other] = await Promise.all(answers);
      assert.deepEqual([unknown, other], [known, known]);
    }
  });

  it('knows no other method', async () => {
    const door = await makeDoor({ routes: ALL });
    const authorization = `Bearer ${ALICE}`;
    for (const route of ALL) {
      for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND']) {
        const response = await refused(door, route, { method, headers: { authorization } }, [405]);
        assert.match(response.headers.get('allow') ?? '', new RegExp(route.method));
      }
    }
  });

  it('is not there for other hosts, and not there under other names, where nobody can log in', async () => {
    const here = await makeDoor({ routes: ALL, config: WITHOUT_ACCESS });
    const elsewhere = await makeDoor({
      routes: ALL,
      config: WITHOUT_ACCESS,
      bound: { address: '0.0.0.0', host: '0.0.0.0' },
    });
    for (const route of ALL) {
      await refused(elsewhere, route, { headers: { host: HOST } }, [404]);
      const answer = await refused(elsewhere, route, { peer: '10.0.0.1', headers: SAME_ORIGIN }, [404]);
      assert.equal(await answer.text(), 'not found\n');
      await refused(here, route, { peer: '10.0.0.1' }, [404]);
      for (const host of [
        'evil.example',
        'localhost.evil.example',
        '127.0.0.1.evil.example:8321',
        '',
        'a b',
        '[::2]',
      ]) {
        await refused(here, route, { headers: { host, ...SAME_ORIGIN } }, [421]);
      }
      await refused(here, route, { headers: { 'x-forwarded-for': '127.0.0.1' } }, [403]);
    }
  });

  it('answers with headers that keep what is shown from others, whatever the answer', async () => {
    const door = await makeDoor({ routes: ALL });
    for (const path of ['/livez', '/metrics', '/log-in', '/nowhere', ...GUARDED.map(addressOf)]) {
      const { headers } = await door.ask(path);
      assert.match(
        headers.get('content-security-policy') ?? '',
        /default-src 'none'.*frame-ancestors 'none'/,
      );
      assert.equal(headers.get('x-content-type-options'), 'nosniff');
      assert.equal(headers.get('x-frame-options'), 'DENY');
      assert.equal(headers.get('referrer-policy'), 'same-origin');
      assert.equal(headers.get('cache-control'), 'no-store');
      assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin');
    }
  });
});

describe('a route that does something', () => {
  let door: Door;
  let cookie: string;
  let good: AskOptions;
  before(async () => {
    door = await makeDoor({ routes: ALL });
    cookie = await door.logIn(ALICE);
    good = await door.form(cookie);
    door.handled.length = 0;
  });

  it('is not done for a viewer, however they come', async () => {
    const victor = await door.logIn(VICTOR);
    const form = await door.form(victor);
    door.handled.length = 0;
    for (const route of ACTIONS) {
      await refused(door, route, form, [403]);
      await refused(door, route, { headers: { authorization: `Bearer ${VICTOR}` } }, [403]);
      const staff = { 'x-forwarded-user': 'vera', 'x-forwarded-groups': 'staff' };
      await refused(
        door,
        route,
        { ...form, peer: '10.1.2.3', headers: { ...form.headers, ...staff } },
        [403],
      );
    }
  });

  it('is not done without its form token, or with another one', async () => {
    const foreign = await door.form(await door.logIn(VICTOR));
    door.handled.length = 0;
    const others = [
      '',
      'form_token=',
      'form_token=AAAA',
      `form_token=${'A'.repeat(43)}`,
      'form_token[]=x',
      String(foreign.body),
    ];
    for (const route of ACTIONS) {
      for (const body of others) await refused(door, route, { ...good, body }, [403]);
    }
  });

  it('is not done for another site', async () => {
    const plain = { cookie, 'content-type': FORM };
    const sites: readonly Record<string, string>[] = [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'cross-site', origin: `http://${HOST}` },
      { origin: 'https://evil.example' },
      { origin: `https://evil.example/${HOST}` },
      { origin: 'null' },
      { origin: '' },
      { origin: 'http://127.0.0.1:9999' },
      { origin: `http://evil@${HOST}` },
      { referer: `http://${HOST}/` },
      {},
    ];
    for (const route of ACTIONS) {
      for (const site of sites)
        await refused(door, route, { ...good, headers: { ...plain, ...site } }, [403]);
    }
  });

  it('is not done with a token and a cookie in one request', async () => {
    for (const route of ACTIONS) {
      await refused(
        door,
        route,
        { ...good, headers: { ...good.headers, authorization: `Bearer ${ALICE}` } },
        [403],
      );
    }
  });

  it('is not done for a form that is too long, or none', async () => {
    const body = `${String(good.body)}&x=${'y'.repeat(64 * 1024)}`;
    const endless = new ReadableStream({
      pull: (controller) => controller.enqueue(new TextEncoder().encode('x'.repeat(4096))),
    });
    for (const route of ACTIONS) {
      await refused(door, route, { ...good, body }, [413]);
      const declared = { ...good.headers, 'content-length': '70000' };
      await refused(door, route, { ...good, headers: declared }, [413]);
      const json = { ...good.headers, 'content-type': 'application/json' };
      await refused(door, route, { ...good, headers: json, body: '{}' }, [415]);
    }
    const streamed = await door.ask(addressOf(ACTIONS[0]!), { ...good, body: endless });
    assert.equal(streamed.status, 413);
  });

  it('puts on record who was refused what, and from where', async () => {
    const [route] = ACTIONS;
    await door.ask(addressOf(route!), { ...good, peer: '192.0.2.7', body: '' });
    const [entry] = door.audit.entries();
    assert.equal(entry!.who, 'alice');
    assert.deepEqual([entry!.action, entry!.outcome, entry!.from], ['refused', 'refused', '192.0.2.7']);
    assert.match(entry!.subject, new RegExp(`^POST ${addressOf(route!)}: `));
  });

  it('is done for an operator who sends its form, once for each', async () => {
    const sample = SAMPLE_ROUTES.find(({ method }) => method === 'POST')!;
    const byForm = await door.ask(addressOf(sample), good);
    assert.deepEqual([byForm.status, byForm.headers.get('location')], [303, '/sample']);
    const byOrigin = { cookie, 'content-type': FORM, origin: `http://${HOST}` };
    assert.equal((await door.ask(addressOf(sample), { ...good, headers: byOrigin })).status, 303);
    const byToken = await door.ask(addressOf(sample), {
      method: 'POST',
      headers: { authorization: `Bearer ${ALICE}` },
    });
    assert.equal(byToken.status, 303);
    assert.deepEqual(door.acted, Array(3).fill('run full of shop for alice'));
    assert.deepEqual(
      door.logged
        .slice(-3)
        .map(({ who, action, subject, outcome }) => `${who} ${action} ${subject} ${outcome}`),
      Array(3).fill('alice run_job shop: full done'),
    );
  });
});
