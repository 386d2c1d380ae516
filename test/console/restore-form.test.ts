import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  formQuery,
  formWords,
  MOST_STREAMS,
  POINT_KINDS,
  pointWords,
  type RestoreForm,
  readRestoreForm,
  shortTime,
} from '../../src/console/restore-form.ts';

function read(fields: Record<string, string>) {
  return readRestoreForm((name) => fields[name] ?? null);
}

function problems(fields: Record<string, string>): string[] {
  const found = read(fields);
  return found.state === 'wrong' ? found.problems.map(({ field }) => field) : [];
}

/** As a parser of command lines reads them: an option takes the word after it, or what stands behind its `=`. */
function valuesOf(words: readonly string[]): string[] {
  const values: string[] = [];
  for (let i = 0; i < words.length; i += 1) {
    const [option, ...rest] = words[i]!.split('=');
    assert.match(option!, /^--(?:at|backup|before-event|lsn|stream)$/);
    if (rest.length === 0) i += 1;
    const value = rest.length === 0 ? words[i]! : rest.join('=');
    if (rest.length === 0) assert.doesNotMatch(value, /^-/);
    values.push(value);
  }
  return values;
}

const EVENT = '0193a6e2-8f31-7c55-9d0a-4b6f1e2a7c3d';

describe('the form of a restore', () => {
  it('is empty where no point is asked for', () => {
    assert.deepEqual(read({}), { state: 'empty' });
    assert.deepEqual(read({ streams: 'a' }), { state: 'empty' });
  });

  it('reads each point as a command takes it', () => {
    const cases: [Record<string, string>, string[]][] = [
      [{ point: 'newest', at: 'nonsense of a field that was not chosen' }, []],
      [{ point: 'at', at: ' 2026-11-23 04:05:06 ' }, ['--at', '2026-11-23T04:05:06Z']],
      [{ point: 'at', at: '2026-11-23T05:05:06.120+01:00' }, ['--at', '2026-11-23T04:05:06.12Z']],
      [{ point: 'at', at: '2026-11-23T04:05:00.000001Z' }, ['--at', '2026-11-23T04:05:00.000001Z']],
      [{ point: 'backup', backup: '3f2a9c1e' }, ['--backup', '3f2a9c1e']],
      [{ point: 'before-event', 'before-event': EVENT }, ['--before-event', EVENT]],
      [{ point: 'before-event', 'before-event': '-x' }, ['--before-event=-x']],
      [{ point: 'lsn', lsn: '0/16B3748' }, ['--lsn', '0/16B3748']],
      [{ point: 'lsn', lsn: '17' }, ['--lsn', '17']],
    ];
    for (const [fields, words] of cases) {
      const found = read(fields);
      assert.equal(found.state, 'read', JSON.stringify(fields));
      if (found.state === 'read') assert.deepEqual(formWords(found.form), words);
    }
  });

  it('takes streams one a line, each once, as they are', () => {
    const found = read({ point: 'newest', streams: "a\r\n b \n\n-c\na\nit's \u{1F600}\n" });
    assert.equal(found.state, 'read');
    if (found.state !== 'read') return;
    assert.deepEqual(found.form.streams, ['a', ' b ', '-c', "it's \u{1F600}"]);
    assert.deepEqual(formWords(found.form), [
      ...['--stream', 'a', '--stream', ' b ', '--stream=-c', '--stream', "it's \u{1F600}"],
    ]);
  });

  it('refuses what no command could mean, and says which field', () => {
    const wrong: [Record<string, string>, string[]][] = [
      [{ point: '' }, ['point']],
      [{ point: 'constructor' }, ['point']],
      [{ point: 'at' }, ['at']],
      [{ point: 'at', at: 'yesterday' }, ['at']],
      [{ point: 'at', at: 'infinity' }, ['at']],
      [{ point: 'at', at: '2026-13-01T00:00:00Z' }, ['at']],
      [{ point: 'at', at: `2026-11-23T04:05:06Z${' '.repeat(10)}x`.padEnd(60, 'x') }, ['at']],
      [{ point: 'backup', backup: '3f2' }, ['backup']],
      [{ point: 'backup', backup: '--json' }, ['backup']],
      [{ point: 'backup', backup: '../../etc/passwd' }, ['backup']],
      [{ point: 'before-event', 'before-event': '' }, ['before-event']],
      [{ point: 'before-event', 'before-event': 'a\u001bb' }, ['before-event']],
      [{ point: 'lsn', lsn: '0/' }, ['lsn']],
      [{ point: 'lsn', lsn: '-1' }, ['lsn']],
      [{ point: 'lsn', lsn: '1'.repeat(19) }, ['lsn']],
      [{ point: 'newest', streams: 'x'.repeat(1001) }, ['streams']],
      [{ point: 'newest', streams: 'a\0b' }, ['streams']],
      [{ point: 'newest', streams: '\ud800' }, ['streams']],
      [
        { point: 'newest', streams: Array.from({ length: MOST_STREAMS + 1 }, (_, i) => i).join('\n') },
        ['streams'],
      ],
      [{ point: 'at', at: 'x', streams: 'a\0' }, ['at', 'streams']],
    ];
    for (const [fields, fieldsAtFault] of wrong) {
      assert.deepEqual(problems(fields), fieldsAtFault, JSON.stringify(fields).slice(0, 80));
    }
  });

  it('is the same after it went through an address', () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .filter((text) => !/[\r\n\0]/.test(text));
    const values: Record<string, fc.Arbitrary<string>> = {
      newest: fc.constant(''),
      at: fc
        .date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true })
        .map((date) => shortTime(date.toISOString())),
      backup: fc.uuid(),
      'before-event': fc.stringMatching(/^[!-~]{1,40}$/),
      lsn: fc.nat().map(String),
    };
    const form = fc
      .constantFrom(...POINT_KINDS)
      .chain((kind) =>
        fc.record(
          { kind: fc.constant(kind), value: values[kind]!, streams: fc.uniqueArray(name, { maxLength: 5 }) },
          { noNullPrototype: true },
        ),
      );
    fc.assert(
      fc.property(form, (wanted: RestoreForm) => {
        const query = new URLSearchParams();
        for (const [key, value] of Object.entries(formQuery(wanted)))
          if (value !== null) query.append(key, value);
        const again = new URLSearchParams(query.toString());
        assert.deepEqual(
          readRestoreForm((key) => again.get(key)),
          { state: 'read', form: wanted },
        );
        const given = [...(wanted.kind === 'newest' ? [] : [wanted.value]), ...wanted.streams];
        assert.deepEqual(valuesOf(formWords(wanted)), given);
      }),
    );
  });

  it('says the point in words', () => {
    assert.equal(pointWords({ kind: 'newest', value: '' }), 'the newest point');
    assert.equal(
      pointWords({ kind: 'at', value: '2026-11-23T04:05:06Z' }),
      'the state of 2026-11-23T04:05:06Z',
    );
  });
});
