import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { shortIds } from '../../src/cli/backup/names.ts';
import { makePaint } from '../../src/cli/output.ts';
import { progressLine } from '../../src/cli/progress.ts';
import { renderPairs, renderTable } from '../../src/cli/render/table.ts';
import { verificationLines } from '../../src/cli/render/verification.ts';
import type { BackupVerification, FoundProblem } from '../../src/core/report.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatInstant,
  formatRate,
  plural,
  printable,
} from '../../src/core/units.ts';
import { climb } from '../../src/integrity/verify/ladder.ts';

describe('numbers for people', () => {
  it('have sizes in powers of 1000 that never round up to a thousand', () => {
    const sizes = [0, 1, 999, 1000, 999_949, 999_950, 12_345_678, 1e15];
    assert.deepEqual(sizes.map(formatBytes), [
      ...['0 B', '1 B', '999 B', '1.0 kB', '999.9 kB', '1.0 MB', '12.3 MB', '1.0 PB'],
    ]);
  });

  it('have counts with separators, and the right plural', () => {
    assert.equal(formatCount(1_234_567), '1,234,567');
    assert.deepEqual([0, 999.5, -1000, 123_456].map(formatCount), ['0', '1,000', '-1,000', '123,456']);
    assert.equal(formatCount(9_007_199_254_740_993n), '9,007,199,254,740,993');
    assert.deepEqual(
      [0, 1, 2].map((count) => plural(count, 'event')),
      ['0 events', '1 event', '2 events'],
    );
    assert.equal(plural(2, 'piece of luck', 'pieces of luck'), '2 pieces of luck');
  });

  it('have durations that change their unit without a jump', () => {
    const times = [0, 999.4, 999.6, 59_949, 59_951, 3_599_400, 3_599_600, 172_740_000, 172_800_000];
    assert.deepEqual(times.map(formatDuration), [
      ...[
        '0 ms',
        '999 ms',
        '1.0 s',
        '59.9 s',
        '1 min 00 s',
        '59 min 59 s',
        '1 h 00 min',
        '47 h 59 min',
        '2 d 0 h',
      ],
    ]);
  });

  it('have no rate where no time passed', () => {
    assert.equal(formatRate(5000, 0, 'event'), null);
    assert.equal(formatRate(5000, 500, 'event'), '10,000 events/s');
  });

  it('have instants without their fractions, and other texts as they are', () => {
    assert.equal(formatInstant('2026-11-23T04:05:06.123456Z'), '2026-11-23 04:05:06 UTC');
    assert.equal(formatInstant('-infinity'), '-infinity');
  });
});

describe('text from a store', () => {
  it('cannot move the cursor, hide what was printed or turn the direction', () => {
    assert.equal(printable('a\u001b[2Jb\r\nc\u202ed\u009b'), 'a\\u{1b}[2Jb\\u{d}\\u{a}c\\u{202e}d\\u{9b}');
  });

  it('keeps letters of all scripts', () => {
    assert.equal(printable('Łódź 山田 🎁 é'), 'Łódź 山田 🎁 é');
  });
});

describe('tables', () => {
  it('are aligned by what is seen, not by bytes, and leave no blanks behind', () => {
    const lines = renderTable(
      [{ title: 'ID' }, { title: 'N', align: 'right' }, { title: 'X' }],
      [
        ['山田', '1', ''],
        ['abcde', '1,000', 'x'],
      ],
    );
    assert.deepEqual(lines, ['  ID         N  X', '  山田       1', '  abcde  1,000  x']);
  });

  it('of pairs have their words padded', () => {
    assert.deepEqual(
      renderPairs([
        ['a', '1'],
        ['long', '2'],
      ]),
      ['  a     1', '  long  2'],
    );
  });
});

describe('colours', () => {
  const terminal = { isTTY: true };
  it('are for terminals only', () => {
    assert.equal(makePaint({ isTTY: false }, {})('bad', 'x'), 'x');
    assert.equal(makePaint({}, { FORCE_COLOR: '1' })('bad', 'x'), 'x');
    assert.notEqual(makePaint(terminal, {})('bad', 'x'), 'x');
  });

  it('are never there with NO_COLOR or a terminal that has none', () => {
    assert.equal(makePaint(terminal, { NO_COLOR: '1' })('bad', 'x'), 'x');
    assert.equal(makePaint(terminal, { TERM: 'dumb' })('bad', 'x'), 'x');
    assert.notEqual(makePaint(terminal, { NO_COLOR: '' })('bad', 'x'), 'x');
  });
});

describe('short ids', () => {
  it('have eight characters, or as many as tell them apart', () => {
    const [a, b] = ['3f2a9c1e-0000', '3f2a9c1e-0010'];
    assert.equal(shortIds([a]).get(a), '3f2a9c1e');
    assert.equal(shortIds([a, b]).get(b), '3f2a9c1e-001');
    assert.equal(shortIds([a, a]).get(a), '3f2a9c1e');
    assert.equal(shortIds([]).size, 0);
  });
});

describe('progress', () => {
  const state = { name: 'reading events', bytes: 20e6, totalBytes: null, elapsedMs: 1000 };
  it('shows the share, the rate and the time left', () => {
    const line = progressLine({ ...state, value: 250_000, total: 1_000_000 });
    assert.equal(line, 'reading events  ██████░░░░░░░░░░░░░░░░░░  25 %  250,000 events  20.0 MB/s  3 s left');
  });

  it('shows what is done when nobody knows how much there is', () => {
    assert.equal(progressLine({ ...state, value: 5, total: 0 }), 'reading events  5 events  20.0 MB/s');
  });

  it('is never fuller than full when an estimate fell short', () => {
    assert.match(
      progressLine({ ...state, value: 20, total: 10 }),
      /█{24} {2}100 % {2}20 events {2}20\.0 MB\/s$/,
    );
  });
});

describe('the account of a verification', () => {
  const plain = makePaint({}, {});
  const sound: BackupVerification = {
    ...{ backupId: 'aaaaaaaa-0001', checksumValid: true, metadataConsistent: true, eventsValid: true },
    ...{ completenessVerified: false, missingEvents: 0, overallValid: true, eventsChecked: 3 },
    malformedPayloads: null,
    signature: { state: 'unsigned', signer: null },
    ...{ rungs: climb(new Set(), { completeness: 'no store was named' }), isWhole: true },
    ...{ problems: [], problemsOmitted: 0, verificationTime: '2026-11-23T04:05:06.000Z', durationMs: 12 },
  };
  const problem: FoundProblem = {
    rung: 'checksum',
    ...{
      code: 'chunk_checksum',
      file: 'events-00001.columns.zst',
      chunk: 7,
      streamId: 'order-1',
      version: '1',
    },
    message: 'chunk 7 of events-00001.columns.zst does not have its checksum',
  };
  const render = (verification: BackupVerification, quick = false): string =>
    verificationLines([{ verification, manifest: null }], { vault: 'file:/v', quick }, plain).join('\n');

  it('of a sound backup is short', () => {
    assert.match(
      render(sound),
      /^Sound: 1 backup in file:\/v\n.*\n {2}aaaaaaaa {2}sound {3}up to counts .*12 ms$/,
    );
    assert.match(
      render({ ...sound, eventsValid: null }, true),
      /quick: existence, sizes and tables; no event/,
    );
  });

  it('of a damaged one names file, chunk, stream and version, each once', () => {
    const rungs = climb(new Set(['checksum'] as const), { completeness: 'no store was named' });
    const text = render({ ...sound, overallValid: false, rungs, problems: [problem] });
    assert.match(text, /^FAILED: 1 of 1 backup in/);
    assert.match(text, /aaaaaaaa {2}FAILED {2}fails at checksum/);
    assert.match(text, / {2}ladder: existence ✓ {2}size ✓ {2}checksum ✗ {2}seal – {2}.* completeness –\n/);
    assert.match(text, /checksum: chunk_checksum/);
    assert.match(text, /chunk_checksum {2}stream "order-1", version 1: chunk 7 of events-00001/);
    assert.equal(text.match(/events-00001/g)?.length, 1);
  });

  it('shows twenty problems and counts the others', () => {
    const problems = Array.from({ length: 25 }, () => problem);
    const text = render({ ...sound, overallValid: false, problems, problemsOmitted: 1000 });
    assert.equal(text.match(/chunk_checksum/g)?.length, 20);
    assert.match(text, /and 1,005 more \(--json lists them\)/);
  });

  it('says how many events of the store a backup lacks', () => {
    const text = render({ ...sound, overallValid: false, completenessVerified: true, missingEvents: 3 });
    assert.match(text, /lacks 3 events/);
    assert.match(text, /back up again/);
  });

  it('lets no name of a stream reach the terminal raw', () => {
    const message = 'stream "\u001b[2J" has no event';
    const text = render({ ...sound, overallValid: false, problems: [{ ...problem, message }] });
    assert.ok(!text.includes('\u001b'));
  });
});
