import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { isBackupError } from '../../../src/core/errors.ts';
import { parseSqliteAddress } from '../../../src/stores/sqlite/config.ts';

for (const [address, file] of [
  ['sqlite:./events.db', path.resolve('events.db')],
  ['sqlite:events.db', path.resolve('events.db')],
  ['sqlite:/var/lib/app/events.db', '/var/lib/app/events.db'],
  ['sqlite:///var/lib/app/events.db', '/var/lib/app/events.db'],
  ['SQLite:/e.db?layout=eventcore', '/e.db'],
  ['sqlite:/with space %41 & #1.db', '/with space %41 & #1.db'],
] as const) {
  test(`${address} names ${file}`, () => {
    const config = parseSqliteAddress(address);
    assert.equal(config.path, file);
    assert.equal(config.address, address);
    assert.equal(config.layout.name, 'eventcore');
  });
}

for (const [address, message] of [
  ['postgres://localhost/db', /does not begin with sqlite:/],
  ['sqlite:', /names no file/],
  ['sqlite:?layout=eventcore', /names no file/],
  ['sqlite:a\0b', /names no file/],
  ['sqlite://host/events.db', /another host/],
  ['sqlite::memory:', /no file that another process could open/],
  ['sqlite:file:events.db', /no file that another process could open/],
  ['sqlite:e.db?layout=marten', /no layout "marten"/],
  ['sqlite:e.db?mode=rwc', /unknown option "mode"/],
] as const) {
  test(`${JSON.stringify(address)} is refused as wrong usage`, () => {
    assert.throws(
      () => parseSqliteAddress(address),
      (error) => isBackupError(error, 'usage') && message.test(error.message) && error.hint !== null,
    );
  });
}
