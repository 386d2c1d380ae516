import fc from 'fast-check';
import { TIME_INFINITY, TIME_MINUS_INFINITY } from '../../src/core/time.ts';
import type { TestEvent, TestText } from '../../src/testing/batches.ts';

/** Text as stores really have it: empty, any Unicode, control characters, NUL, and bytes that are no UTF-8. */
const text: fc.Arbitrary<TestText> = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 40 }) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '',
      '\0',
      '"',
      '\\',
      '\\"',
      '\u001f\u007f\u0080',
      '\u2028',
      '\ufeff',
      '𝄞é',
      ' ',
    ),
  },
);

const json: fc.Arbitrary<string> = fc.oneof(
  fc.json({ maxDepth: 3 }),
  fc
    .tuple(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(1, 2, '\t'))
    .map(([value, indent]) => JSON.stringify(value, null, indent)),
  fc.jsonValue({ maxDepth: 2 }).map((value) => ` ${JSON.stringify(value)}\t `),
);

const data: fc.Arbitrary<TestText | null> = fc.oneof(
  { weight: 4, arbitrary: json },
  { weight: 1, arbitrary: text },
  { weight: 1, arbitrary: fc.constant(null) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '{}',
      '[]',
      '{"a":"\\ud83d"}',
      '{"a":1,"a":2}',
      '{"n": 1e400}',
      '"\\u0000"',
      'NaN',
      '{"a":01}',
      '"raw\ttab"',
      '{"a":1}}',
      '{} {}',
      '[1,]',
      '\ufeff{}',
      '"}\\n"',
      Uint8Array.of(0x22, 0xff, 0x22),
      Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22),
    ),
  },
);

const version: fc.Arbitrary<number> = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -2, max: 300 }) },
  { weight: 1, arbitrary: fc.maxSafeInteger().map((value) => value + 0) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      Number.MAX_SAFE_INTEGER,
      Number.MIN_SAFE_INTEGER,
      ...[7, 8, 15, 16, 30, 31, 32, 33].flatMap((bits) => [
        2 ** bits - 1,
        2 ** bits,
        -(2 ** bits),
        -(2 ** bits) - 1,
      ]),
    ),
  },
);

const time: fc.Arbitrary<bigint> = fc.oneof(
  { weight: 4, arbitrary: fc.bigInt({ min: 849_000_000_000_000n, max: 849_000_200_000_000n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: TIME_MINUS_INFINITY, max: TIME_INFINITY }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...[
        TIME_INFINITY,
        TIME_MINUS_INFINITY,
        0n,
        -1n,
        2n ** 31n,
        2n ** 32n,
        -(2n ** 32n),
        2n ** 53n,
        -(2n ** 53n),
      ].flatMap((edge) => [edge, BigInt.asIntN(64, edge - 1n), BigInt.asIntN(64, edge + 1n)]),
    ),
  },
);

const timeText: fc.Arbitrary<TestText | null> = fc.option(text, { freq: 8 });
const uuid: fc.Arbitrary<TestText> = fc.uuid();
const streamId: fc.Arbitrary<TestText> = fc.oneof(
  fc.constantFrom('account-1', 'account-2', 'käse', ''),
  text,
);

function events(id: fc.Arbitrary<TestText>): fc.Arbitrary<Required<TestEvent>[]> {
  return fc.array(
    fc.record({
      id,
      streamId,
      version,
      type: fc.oneof(fc.constantFrom('Opened', 'Closed'), text),
      data,
      metadata: data,
      time,
      timeText,
    }),
    { maxLength: 12 },
  );
}

/** Batches of up to twelve events; in half of them every id is a UUID. */
export const arbitraryEvents: fc.Arbitrary<Required<TestEvent>[]> = fc.oneof(
  events(uuid),
  events(fc.oneof(uuid, text)),
);
