import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isBackupError } from '../../src/core/errors.ts';
import { assertAppends } from '../../src/core/new-event.ts';

const event = { type: 'Tested', data: '{}' };

test('what a store can take is taken', () => {
  assertAppends([]);
  assertAppends([{ streamId: 'a', events: [] }]);
  assertAppends([{ streamId: '\u{1F600}', events: [event, { ...event, id: 'x', metadata: 'null' }] }]);
});

for (const [what, appends, message] of [
  ['an empty stream id', [{ streamId: '', events: [event] }], /an append has an empty stream id/],
  ['an empty type', [{ streamId: 'a', events: [event, { ...event, type: '' }] }], /event 2 .* empty type/],
  ['an empty id', [{ streamId: 'a', events: [{ ...event, id: '' }] }], /empty id/],
  [
    'data that is no JSON',
    [{ streamId: 'a', events: [{ ...event, data: '{' }] }],
    /"a" has data that is no JSON/,
  ],
  ['empty data', [{ streamId: 'a', events: [{ ...event, data: '' }] }], /no JSON/],
  ['metadata that is no JSON', [{ streamId: 'a', events: [{ ...event, metadata: 'x' }] }], /metadata/],
  ['half of a surrogate pair', [{ streamId: 'a', events: [{ ...event, data: '"\ud800"' }] }], /surrogate/],
  ['a broken stream id', [{ streamId: 'a\udc00', events: [event] }], /surrogate/],
] as const) {
  test(`${what} is refused`, () => {
    assert.throws(
      () => assertAppends(appends),
      (error) => isBackupError(error, 'event_invalid') && message.test(error.message),
    );
  });
}
