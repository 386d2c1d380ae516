/** Whatever is sent, what is not allowed is not done, and nothing breaks. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ROUTES } from '../../src/console/routes.ts';
import { ALICE, addressOf, HOST, makeDoor, SAMPLE_ROUTES, WITHOUT_ACCESS } from '../harness/console-door.ts';

const RUNS = 800;
const ALL = [...ROUTES, ...SAMPLE_ROUTES.filter(({ path }) => path !== '/sample/acting')];

const ODD = [
  ...[
    '%2f',
    '%2F..%2f',
    '..',
    '%00',
    '%0d%0aset-cookie:a=b',
    '//',
    '/./',
    '%',
    '%zz',
    '%e0%a4',
    '\\',
    ';a=b',
    '?',
    '#',
  ],
  ...['%25%32%66', 'é', '%c0%ae', ' ', '\u2028', '__proto__', 'constructor', '*', ':store', 'x'.repeat(5000)],
];
const part = fc.oneof(fc.constantFrom(...ODD), fc.string({ maxLength: 12 }));
const path = fc.oneof(
  fc.constantFrom(...ALL.map(addressOf), '/log-in', '/log-out', '/livez', '/metrics', '/assets/console.css'),
  fc.array(part, { maxLength: 6 }).map((parts) => `/${parts.join('/')}`),
  fc.tuple(fc.constantFrom(...ALL.map(addressOf)), part).map(([base, end]) => `${base}${end}`),
  fc.tuple(fc.constantFrom(...ALL), part).map(([route, word]) => route.path.replace(/:[a-zA-Z]+/g, word)),
);

/** What a header may hold: the parser of the server lets nothing else through. */
const value = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'aZ09 ,;=:/%"\\[]@.-_~\t\u00e9'.split('')), maxLength: 60 }),
  fc.constantFrom(
    'null',
    'dba',
    'Bearer',
    `Bearer ${ALICE}x`,
    `Bearer  ${ALICE.slice(1)}`,
    'Basic YTpi',
    '[object Object]',
    '0',
    '-1',
    '1e9',
  ),
  fc.constantFrom(
    '10.1.0.1',
    `http://${HOST}`,
    HOST,
    'same-origin',
    'none',
    'eventcore-session-8321=',
    '__Host-eventcore-session=x',
  ),
);
const name = fc.constantFrom(
  ...[
    'authorization',
    'cookie',
    'host',
    'origin',
    'referer',
    'accept',
    'content-type',
    'content-length',
    'sec-fetch-site',
  ],
  ...[
    'sec-fetch-mode',
    'x-forwarded-for',
    'x-forwarded-user',
    'x-forwarded-groups',
    'forwarded',
    'via',
    'range',
    'expect',
  ],
  ...[
    'x-http-method-override',
    'transfer-encoding',
    'upgrade',
    'if-none-match',
    'x-forwarded-host',
    'x-original-url',
  ],
);
const request = fc.record({
  path,
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'),
  headers: fc.array(fc.tuple(name, value), { maxLength: 6 }).map((pairs) => Object.fromEntries(pairs)),
  body: fc.oneof(fc.constant(''), fc.string({ maxLength: 200 }), fc.constant('form_token=x&_method=POST')),
  peer: fc.constantFrom('127.0.0.1', '::ffff:127.0.0.1', '203.0.113.9', '2001:db8::1', ''),
});

describe('a request of any kind', () => {
  for (const [what, config] of [
    ['where people log in', undefined],
    ['where nobody can', WITHOUT_ACCESS],
  ] as const) {
    it(`breaks nothing and does nothing ${what}`, async () => {
      const door = await makeDoor({ routes: ALL, ...(config === undefined ? {} : { config }) });
      const asked = fc.asyncProperty(request, async ({ path: target, method, headers, body, peer }) => {
        door.clock.ms += 60_000;
        const hasBody = method !== 'GET' && method !== 'HEAD';
        let response: Response;
        try {
          response = await door.ask(target, { method, headers, peer, ...(hasBody ? { body } : {}) });
        } catch (error) {
          // Not even a request: the server refuses it before.
          assert.ok(error instanceof TypeError, String(error));
          return;
        }
        assert.ok(response.status < 500, `${response.status} ${door.errors.join()}`);
        if (config === undefined) assert.deepEqual(door.handled, []);
        assert.deepEqual([door.acted, door.errors], [[], []]);
        const location = response.headers.get('location');
        if (location !== null) assert.match(location, /^\/(?![/\\])/);
        assert.match(response.headers.get('content-security-policy') ?? '', /default-src 'none'/);
      });
      await fc.assert(asked, { numRuns: RUNS });
    });
  }

  it('of an operator shows a page or says why not, whatever the address', async () => {
    const door = await makeDoor({ routes: ALL });
    const headers = { authorization: `Bearer ${ALICE}`, accept: 'text/html' };
    const asked = fc.asyncProperty(path, fc.string({ maxLength: 40 }), async (target, query) => {
      const address = `${target}?q=${encodeURIComponent(query)}`;
      const response = await door.ask(address, { headers });
      assert.ok(response.status < 500 || response.status === 503, `${response.status} ${door.errors.join()}`);
      assert.deepEqual(door.acted, []);
    });
    await fc.assert(asked, { numRuns: RUNS });
  });
});
