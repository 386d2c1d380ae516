import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { findPassword, passwordIn } from '../../src/postgres/password-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'eventcore-pgpass-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const LOGIN = { host: 'db', port: 5432, database: 'shop', user: 'ann' };

test('the first line that fits counts, with its escapes and wildcards', () => {
  const table: [text: string, password: string | null, login?: Partial<typeof LOGIN>][] = [
    ['db:5432:shop:ann:secret', 'secret'],
    ['# db:5432:shop:ann:no\n\ndb:5432:shop:ann:secret\n', 'secret'],
    ['*:*:*:*:any\ndb:5432:shop:ann:late', 'any'],
    ['db:5433:*:ann:wrong\ndb:*:*:ann:right', 'right'],
    ['db:5432:shop:ann:a\\:b\\\\c', 'a:b\\c'],
    ['db:5432:shop:ann:cut:rest', 'cut'],
    ['db:5432:shop:ann:s p\r\n', 's p'],
    ['\\:\\:1:*:*:*:six', 'six', { host: '::1' }],
    ['db:*:a\\\\b:*:back', 'back', { database: 'a\\b' }],
    ['db:*:\\*:*:star', null],
    ['db:*:\\*:*:star', 'star', { database: '*' }],
    ['db:5432:shop:ann', null],
    ['', null],
  ];
  for (const [text, password, login = {}] of table)
    assert.equal(passwordIn(text, { ...LOGIN, ...login }), password, text);
});

test('a file that others may read is refused, and one that is none says nothing', () => {
  const path = join(folder, 'pgpass');
  writeFileSync(path, 'db:5432:shop:ann:secret\n');
  for (const mode of [0o640, 0o604]) {
    chmodSync(path, mode);
    const { password, refused } = findPassword(path, LOGIN);
    assert.equal(password, null);
    assert.match(refused!, /has group or world access; permissions should be u=rw \(0600\) or less/);
  }
  chmodSync(path, 0o600);
  assert.deepEqual(findPassword(path, LOGIN), { password: 'secret', refused: null });
  for (const none of [join(folder, 'none'), folder, '/dev/null'])
    assert.deepEqual(findPassword(none, LOGIN), { password: null, refused: null });
});
