import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isJson, isJsonLine, jsonLineEnd } from '../../src/format/json-value.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** What the JavaScript engine itself says. */
function parses(bytes: Uint8Array): boolean {
  try {
    JSON.parse(decoder.decode(bytes));
    return true;
  } catch {
    return false;
  }
}

const hasBreak = (bytes: Uint8Array) => bytes.includes(0x0a) || bytes.includes(0x0d);

function agreesWithTheEngine(bytes: Uint8Array): void {
  const expected = parses(bytes);
  assert.equal(isJson(bytes, 0, bytes.length), expected);
  assert.equal(isJsonLine(bytes, 0, bytes.length), expected && !hasBreak(bytes));
  // Between foreign bytes that would go on with a number, a string or white space.
  for (const foreign of ['1', '"', ' ', '}', ']']) {
    const framed = Buffer.from(`${foreign}${Buffer.from(bytes).toString('latin1')}${foreign}`, 'latin1');
    assert.equal(isJson(framed, 1, framed.length - 1), expected, `between ${foreign}`);
  }
}

const VALUES = [
  ...[
    '',
    ' ',
    '{}',
    '[]',
    ' {\t} ',
    '[ ]',
    '{"a":1}',
    '{"a" : [1 , 2] , "b":{}}',
    '[[],{}]',
    'true',
    'false',
    'null',
  ],
  ...[
    'tru',
    'nul',
    'True',
    'truefalse',
    'nulll',
    '0',
    '-0',
    '-',
    '01',
    '1.',
    '.5',
    '1.5e',
    '1e+',
    '1E-7',
    '1e5',
    '--1',
    '+1',
  ],
  ...[
    '1e5.5',
    'NaN',
    '[1,]',
    '[,1]',
    '{"a"}',
    '{"a":}',
    '{a:1}',
    '{"a":1,}',
    '{,}',
    '[1 2]',
    '{"a":1 "b":2}',
    '{"a",1}',
  ],
  ...[
    '[}',
    '{]',
    '[1}',
    '{"a":1]',
    ']',
    '}',
    '[',
    '{',
    '[[',
    '{"a":',
    '{"a"',
    '{} {}',
    '1 2',
    ',',
    ':',
    '"',
    '"\\',
  ],
  ...[
    '"a"',
    '"\\n\\u12aF\\/\\""',
    '"\\u12a"',
    '"\\u12ag"',
    '"\\x"',
    '"\\ud800"',
    '"\n"',
    '"\t"',
    '"\u007f"',
    '"\u2028"',
  ],
  ...['\ufeff{}', '\u00a01', '[\n1\r]', '\v1', '"é𝄞"', '{"é":"ü"}', '"\0"', 'null\0'],
];

test('says of every odd value what the engine says', () => {
  for (const value of VALUES) agreesWithTheEngine(Buffer.from(value));
});

test('says of any value, and of any damage to it, what the engine says', () => {
  const damage = fc.array(
    fc.tuple(fc.nat(), fc.constantFrom(...Buffer.from(' \n{}[]",:\\u0-.eE1tn\0\x80\xc3', 'latin1'))),
    {
      maxLength: 3,
    },
  );
  fc.assert(
    fc.property(fc.json({ maxDepth: 4 }), damage, (json, changes) => {
      const bytes = Buffer.from(json);
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      agreesWithTheEngine(bytes);
    }),
    { numRuns: 1000 },
  );
});

test('refuses strings that are not UTF-8', () => {
  for (const hex of ['80', 'c3', 'c328', 'c080', 'eda080', 'f4908080', 'f0808080', 'e28028', 'ff']) {
    agreesWithTheEngine(Buffer.from(`22${hex}22`, 'hex'));
  }
});

test('finds where a value ends, white space with it', () => {
  const bytes = Buffer.from('x {"a": [1, "}"]} \t,"data"');
  assert.equal(jsonLineEnd(bytes, 1, bytes.length), bytes.indexOf(',"data"'));
  assert.equal(jsonLineEnd(Buffer.from('[1'), 0, 2), -1);
});

test('follows a million levels down without a stack to overflow', { timeout: 10_000 }, () => {
  const depth = 1_000_000;
  const whole = Buffer.from(`${'[{"a":'.repeat(depth)}1${'}]'.repeat(depth)}`);
  assert.equal(isJson(whole, 0, whole.length), true);
  assert.equal(isJson(whole, 0, whole.length - 1), false);
  assert.equal(isJson(whole, 1, whole.length), false);
});
