import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseConfig } from '../../src/cli/config/file.ts';
import { accessWarnings, httpSettings } from '../../src/cli/serve/access.ts';
import { findToken, isToken } from '../../src/console/access/tokens.ts';
import { BackupError } from '../../src/core/errors.ts';
import { runHere } from '../harness/command.ts';

const HASH = `sha256:${'a'.repeat(64)}`;
const read = (serve: string) => parseConfig(`serve:\n${serve}`, '/etc/shop.yaml');
const settingsOf = (...serves: string[]) =>
  httpSettings(serves.map((serve, i) => ({ serve: read(serve).serve ?? {}, file: `/etc/shop-${i}.yaml` })));

describe('who gets in, in a configuration', () => {
  it('is read from whichever store of the daemon says it, and files are seen from there', () => {
    const settings = settingsOf(
      '  jitter: 5m',
      `  access:
    tokens: [{ name: alice, role: operator, hash: "${HASH}" }]
    proxy: { from: [10.0.0.5, "fd00::/8"], groups_header: X-Groups, operators: [dba] }`,
      '  tls: { cert: tls/cert.pem, key: /keys/key.pem }\n  public_url: https://Backups.example.com/\n  audit_log: audit.jsonl',
    );
    assert.deepEqual(settings, {
      access: {
        tokens: [{ name: 'alice', role: 'operator', hash: HASH }],
        proxy: {
          ...{ from: ['10.0.0.5', 'fd00::/8'], userHeader: 'X-Forwarded-User', groupsHeader: 'X-Groups' },
          ...{ operators: ['dba'], viewers: [] },
        },
        ...{ publicOrigin: 'https://backups.example.com', hasTls: true, auditLog: '/etc/audit.jsonl' },
      },
      tls: { cert: '/etc/tls/cert.pem', key: '/keys/key.pem' },
    });
  });

  it('stands in one place only: what counted would else follow from an order', () => {
    assert.throws(
      () => settingsOf('  access: {}', '  access: {}'),
      (error: BackupError) =>
        error.code === 'config_invalid' && /serve\.access.*shop-0\.yaml.*shop-1\.yaml/.test(error.message),
    );
  });

  it('names the key and the way out where it is wrong', () => {
    const wrong: readonly (readonly [string, RegExp, RegExp])[] = [
      ['  access: { token: [] }', /unknown key `serve.access.token`/, /tokens, proxy/],
      [
        `  access: { tokens: [{ name: a, role: viewer, hash: "${HASH}", user: b }] }`,
        /serve.access.tokens.0.user/,
        /name, role, hash/,
      ],
      [
        '  access: { proxy: { from: [10.0.0.1], viewers: [a], header: x } }',
        /unknown key `serve.access.proxy.header`/,
        /from, user_header/,
      ],
      ['  tls: { cert: a, key: b, ca: x }', /serve.tls.ca/, /cert, key/],
      ['  access: { tokens: [{ name: a, role: admin, hash: x }] }', /role.*viewer, operator/, /./],
      [
        `  access: { tokens: [{ name: a, role: viewer, hash: "ect_${'0'.repeat(72)}" }] }`,
        /hash.*not the token itself/,
        /./,
      ],
      [
        `  access: { tokens: [{ name: a, role: viewer, hash: "${HASH}" }, { name: a, role: viewer, hash: "${HASH}" }] }`,
        /a name of its own/,
        /./,
      ],
      ['  access: { proxy: { from: [], operators: [a] } }', /at least one address/, /./],
      ['  access: { proxy: { from: [proxy.local], operators: [a] } }', /an address or a network/, /./],
      ['  access: { proxy: { from: [10.0.0.1] } }', /without one nobody gets in/, /./],
      [
        '  access: { proxy: { from: [10.0.0.1], user_header: "X User", operators: [a] } }',
        /name of a header/,
        /./,
      ],
      ['  public_url: https://example.com/backups', /without a path/, /./],
      ['  public_url: example.com', /scheme, name and port/, /./],
      ['  public_url: "javascript:alert(1)"', /scheme, name and port/, /./],
    ];
    for (const [serve, message, hint] of wrong) {
      assert.throws(
        () => read(serve),
        (error: BackupError) => {
          assert.ok(error instanceof BackupError, serve);
          assert.match(error.message, message);
          assert.match(error.hint ?? '', hint);
          assert.doesNotMatch(error.message, /ect_0/);
          return true;
        },
      );
    }
  });

  it('is warned of where nobody gets in, or secrets go in the clear', () => {
    const warnings = (serve: string, address: string) =>
      accessWarnings(settingsOf(serve).access, address).join();
    const tokens = `  access: { tokens: [{ name: a, role: viewer, hash: "${HASH}" }] }`;
    assert.equal(warnings('  jitter: 5m', '127.0.0.1'), '');
    assert.equal(warnings(tokens, '::1'), '');
    assert.match(warnings('  jitter: 5m', '0.0.0.0'), /nobody can log in/);
    assert.match(warnings(tokens, '0.0.0.0'), /in the clear/);
    assert.equal(warnings(`${tokens}\n  public_url: https://b.example`, '0.0.0.0'), '');
    assert.equal(warnings(`${tokens}\n  tls: { cert: a, key: b }`, '::'), '');
  });
});

describe('eventcore tokens generate', () => {
  it('prints a token once, and what of it stands in the configuration', async () => {
    const { code, stdout } = await runHere([
      'tokens',
      'generate',
      '--name',
      'alice: the "1st"',
      '--role',
      'operator',
    ]);
    assert.equal(code, 0);
    const [token = '', ...rest] = stdout.split('\n');
    assert.ok(isToken(token));
    const yaml = rest.slice(rest.indexOf('serve:')).join('\n');
    const [entry] = parseConfig(yaml, 'x.yaml').serve!.access!.tokens!;
    assert.deepEqual([entry!.name, entry!.role], ['alice: the "1st"', 'operator']);
    assert.equal(findToken(token, [entry!]), entry);
  });

  it('gives programs one document, and another token each time', async () => {
    const documents = [];
    for (let i = 0; i < 2; i += 1) {
      const { stdout } = await runHere(['tokens', 'generate', '--name', 'prometheus', '--json']);
      documents.push(JSON.parse(stdout) as Record<string, string>);
    }
    assert.deepEqual(Object.keys(documents[0]!), ['name', 'role', 'token', 'hash']);
    assert.equal(documents[0]!.role, 'viewer');
    assert.notEqual(documents[0]!.token, documents[1]!.token);
  });

  it('needs a name', async () => {
    assert.equal((await runHere(['tokens', 'generate'])).code, 2);
    assert.equal((await runHere(['tokens', 'generate', '--name', ''])).code, 2);
    assert.equal((await runHere(['tokens', 'generate', '--name', 'a', '--role', 'root'])).code, 2);
  });
});
