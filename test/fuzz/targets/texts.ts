import { nameBytes, nameText } from '../../../src/core/name-text.ts';
import { isObjectName } from '../../../src/core/object-name.ts';
import { formatTime, parseTime } from '../../../src/core/time.ts';
import { formatUuid, parseUuid } from '../../../src/core/uuid-text.ts';
import { parseAttemptName } from '../../../src/format/attempt-codec.ts';
import { readBase64, writeBase64 } from '../../../src/format/base64.ts';
import { bundleFolder, parseBundleName } from '../../../src/format/bundle.ts';
import { byteSource } from '../../../src/format/byte-source.ts';
import { makeByteWriter, writtenBytes } from '../../../src/format/byte-writer.ts';
import {
  fractionDigits,
  makeInstantDay,
  readInstant,
  writeInstant,
} from '../../../src/format/columns/instants.ts';
import { closingQuote, readJsonText, writeJsonText } from '../../../src/format/json-text.ts';
import { isJson, isJsonLine } from '../../../src/format/json-value.ts';
import {
  gapFileName,
  logFileName,
  parseLogName,
  parseQuietName,
  quietFileName,
} from '../../../src/format/log-name.ts';
import { makeDayCache, readRecordedAt, writeRecordedAt } from '../../../src/format/recorded-at.ts';
import { timeWords } from '../../../src/format/time-words.ts';
import { isUtf8 } from '../../../src/format/utf8.ts';
import { keyRangesOf } from '../../../src/stores/sqlite/ranges.ts';
import { timeColumn, timeReader, usualTimeText } from '../../../src/stores/sqlite/time-text.ts';
import { parseProcess } from '../../../src/vaults/fs/process-name.ts';
import { parseClaimName, parseUnfinishedName } from '../../../src/vaults/fs/unfinished.ts';
import { demand, type FuzzTarget, sameBytes } from '../engine/target.ts';

const texts = (...all: readonly string[]): Uint8Array[] => all.map((text) => Buffer.from(text));
const textOf = (input: Uint8Array): string => Buffer.from(input).toString('utf8');

const TIMES = texts(
  ...[
    '2026-11-23T04:05:06.123456Z',
    '2026-11-23T04:05:06.123Z',
    '2026-11-23 04:05:06+02',
    'infinity',
    '-infinity',
  ],
  ...['+294277-01-09T04:00:54.775806Z', '-000001-12-31T23:59:59.999999Z', '0000-02-29T00:00:00.000000Z'],
  ...['1800-01-01T00:00:00.000001Z', '2200-12-31T23:59:59.999Z', '2026-02-30T00:00:00.000Z'],
);

/** An input may be refused or not: a yes or no is no refusal. */
const target = (name: string, seeds: () => readonly Uint8Array[], run: FuzzTarget['run']): FuzzTarget => ({
  ...{ name, seeds, refusals: [] },
  run: (input) => void run(input),
});

const objectNames = target(
  'object-names',
  () =>
    texts(
      ...[
        'log/7301234567890123456-1/0000000150000000-0000000150003001.log',
        'attempt-3.json',
        '.claim-events',
      ],
      ...['log/a-0/0000000000000001-0000000000000001.gap', '.tmp-0a1b2c3d-4711-12345-89abcdef-manifest.json'],
      'backups/full-backup-0b7e6c1e-6f0a-4c8e-9a3d-2f8d6c1e5b4a.eventcore/events-00001.index',
      'log/a-0/0000000000000001-0003039C2A6E4F40.quiet',
      '0a1b2c3d-4711-123456',
    ),
  (input) => {
    const name = textOf(input);
    const log = parseLogName(name);
    if (log !== null) {
      const { folder, kind, from, to } = log;
      const file = kind === 'log' ? logFileName(from, to) : gapFileName(from, to);
      demand(folder + file === name, 'the name of a log file is the only one for what it says');
    }
    const quiet = parseQuietName(name);
    if (quiet !== null) {
      demand(log === null, 'a quiet mark is no file of a log');
      demand(quiet.folder + quietFileName(quiet.at, quiet.asOf) === name, 'one name a quiet mark');
    }
    const bundle = parseBundleName(name);
    if (bundle !== null)
      demand(bundleFolder(bundle.kind, bundle.backupId) === bundle.folder, 'one folder a backup');
    const number = parseAttemptName(name);
    demand(number === null || (number > 0 && name === `attempt-${number}.json`), 'one name an attempt');
    const unfinished = parseUnfinishedName(name) ?? parseProcess(name);
    demand(unfinished === null || Number.isSafeInteger(unfinished.start), 'the start of a process is exact');
    parseClaimName(name);
    if (isObjectName(name)) demand(!name.split('/').includes('..'), 'no name leads out of the vault');
  },
);

const times = target(
  'times',
  () => TIMES,
  (input) => {
    const time = parseTime(textOf(input));
    if (time !== null) demand(parseTime(formatTime(time)) === time, 'a time is read as it is written');
  },
);

const cache = makeDayCache();

const recordedAt = target(
  'recorded-at',
  () => TIMES,
  (input) => {
    const column = new BigInt64Array(1);
    const words = timeWords(column);
    const source = Buffer.from(input);
    const isRead = readRecordedAt(source, 0, source.length, cache, column, words, 0);
    const text = textOf(input);
    const time = parseTime(text);
    demand(isRead === (time !== null && formatTime(time) === text), 'only the written form is read');
    if (!isRead) return;
    demand(column[0] === time, 'both readers read the same time');
    const out = makeByteWriter();
    writeRecordedAt(out, cache, column, words, 0);
    demand(sameBytes(writtenBytes(out), input), 'a time is written as it was read');
  },
);

const readSqliteTime = timeReader();

const sqliteTimes = target(
  'sqlite-times',
  () => TIMES,
  (input) => {
    const column = timeColumn(new BigInt64Array(1));
    const isUsual = readSqliteTime(input, 0, input.length, column, 0);
    const text = new TextDecoder().decode(input);
    const slow = parseTime(text);
    demand(slow === null ? !isUsual : column.times[0] === slow, 'both readers read the same time');
    const gives = sameBytes(Buffer.from(usualTimeText(column.times[0]!)), input);
    demand(isUsual === (slow !== null && gives), 'it says whether the time gives the text back');
  },
);

const day = makeInstantDay();

const instants = target(
  'instants',
  () => TIMES,
  (input) => {
    const digits = fractionDigits(input.length);
    if (digits === -1) return;
    const instant = readInstant(input, 0, digits, day);
    if (Number.isNaN(instant)) return;
    const out = makeByteWriter();
    out.bytes = Buffer.alloc(64);
    writeInstant(out, instant, digits, day);
    demand(sameBytes(writtenBytes(out), input), 'an instant is written as it was read');
  },
);

const uuids = target(
  'uuids',
  () => texts('018f4e9a-1c2d-7000-8000-000000000001', '018F4E9A-1C2D-7000-8000-000000000001'),
  (input) => {
    const bytes = new Uint8Array(16);
    if (!parseUuid(input, 0, input.length, bytes, 0)) return;
    demand(formatUuid(bytes, 0) === textOf(input), 'a UUID is written as it was read');
  },
);

const json = target(
  'json-values',
  () =>
    texts(
      '{"a":[1,-0.5e+7,"\\u00e9\\n",null,true],"b":{}}',
      ' [ ] ',
      '"x"',
      '1e400',
      '\t{"a" : "\\ud800"}\n',
      '[[[[1]]]]',
    ),
  (input) => {
    const accepts = isJson(input, 0, input.length);
    demand(accepts === parses(input), 'JSON is what a JSON parser reads');
    const isLine = accepts && !input.includes(0x0a) && !input.includes(0x0d);
    demand(isJsonLine(input, 0, input.length) === isLine, 'JSON without a line break fits a line');
  },
);

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function parses(input: Uint8Array): boolean {
  try {
    JSON.parse(strictUtf8.decode(input));
    return true;
  } catch {
    return false;
  }
}

const utf8 = target(
  'utf8',
  () => texts('plain', 'é ü', '𝄞\u2028\ufeff', 'x'.repeat(40)),
  (input) => {
    let isStrict = true;
    try {
      strictUtf8.decode(input);
    } catch {
      isStrict = false;
    }
    demand(isUtf8(byteSource(input), 0, input.length) === isStrict, 'UTF-8 is what a strict decoder reads');
  },
);

const jsonTexts = target(
  'json-texts',
  () => texts('plain"', 'q\\"x\\\\ \\n\\t\\u0001"', 'é𝄞"', '\\u001f\\b"'),
  (input) => {
    const bytes = Buffer.from(input);
    const end = closingQuote(bytes, 0, bytes.length);
    const out = makeByteWriter();
    if (end === -1 || !readJsonText(bytes, 0, end, out)) return;
    const written = makeByteWriter();
    const text = Buffer.from(writtenBytes(out));
    writeJsonText(written, text, 0, text.length);
    demand(sameBytes(writtenBytes(written), bytes.subarray(0, end)), 'a string is written as it was read');
  },
);

const base64 = target(
  'base64',
  () => texts('', 'AQID', 'AQI=', 'AQ==', '+/8=', 'A'.repeat(80)),
  (input) => {
    const bytes = Buffer.from(input);
    const out = makeByteWriter();
    if (!readBase64(bytes, 0, bytes.length, out)) return;
    const read = Buffer.from(writtenBytes(out));
    const written = makeByteWriter();
    writeBase64(written, read, 0, read.length);
    demand(sameBytes(writtenBytes(written), input), 'base64 is written as it was read');
  },
);

const streamNames = target(
  'stream-names',
  () => [
    ...texts('account-1', 'base64:/w==', 'base64:', 'käse'),
    Uint8Array.of(0xff, 0xfe),
    new Uint8Array(9000).fill(0xff),
  ],
  (input) => {
    const text = textOf(input);
    demand(nameText(nameBytes(text)) === text, 'a text is its name’s text');
    // A name that is such text by itself is taken for the bytes that it stands for (FORMAT.md §6).
    if (text.startsWith('base64:')) return;
    demand(sameBytes(nameBytes(nameText(input)), input), 'a name is its text’s name');
  },
);

const sqliteRanges: FuzzTarget = {
  name: 'sqlite-ranges',
  refusals: ['usage'],
  seeds: () => texts('..', '..500', '500..1000', '4..5,17..80', '-3..9'),
  run: (input) => {
    for (const { after, last } of keyRangesOf({ index: 0, spec: textOf(input) })) {
      demand(
        typeof (after?.value ?? 0n) === 'bigint' && typeof (last?.value ?? 0n) === 'bigint',
        'ends are numbers',
      );
    }
  },
};

export const TEXT_TARGETS: readonly FuzzTarget[] = [
  ...[objectNames, times, recordedAt, sqliteTimes, instants, uuids],
  ...[json, utf8, jsonTexts, base64, streamNames, sqliteRanges],
];
