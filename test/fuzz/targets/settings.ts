import { InvalidArgumentError } from 'commander';
import {
  isSameStore,
  redactAddress,
  redactText,
  resolveStoreAddress,
  resolveVaultAddress,
  storeScheme,
  vaultPath,
} from '../../../src/cli/address.ts';
import { readSize, wholeNumber } from '../../../src/cli/arguments.ts';
import { readLevel } from '../../../src/cli/backup/format.ts';
import { parseConfig } from '../../../src/cli/config/file.ts';
import { configTemplate } from '../../../src/cli/config/template.ts';
import { BackupError } from '../../../src/core/errors.ts';
import type { StoreCursor } from '../../../src/core/event-store.ts';
import { isTooDeep } from '../../../src/format/json-depth.ts';
import { basePoint, isInBase, parseSnapshot } from '../../../src/recovery/meeting.ts';
import { formatPosition, parsePosition } from '../../../src/recovery/position.ts';
import { parsePostgresAddress } from '../../../src/stores/postgres/config.ts';
import { whyMoved, whyNotComparable } from '../../../src/stores/postgres/cursor.ts';
import { blocksOf, conditionsOf, narrowRanges, rangeSource } from '../../../src/stores/postgres/range.ts';
import { parseToken } from '../../../src/stores/postgres/reader.ts';
import { parseSqliteAddress } from '../../../src/stores/sqlite/config.ts';
import { parseS3Address } from '../../../src/vaults/s3/address.ts';
import { mutateJson } from '../engine/mutate-json.ts';
import { demand, type FuzzTarget } from '../engine/target.ts';

const texts = (...all: readonly string[]): Uint8Array[] => all.map((text) => Buffer.from(text));
const textOf = (input: Uint8Array): string => Buffer.from(input).toString('utf8');

const config: FuzzTarget = {
  name: 'config',
  refusals: ['config_invalid'],
  seeds: () =>
    texts(
      'store: sqlite:./events.db\nvault: file:./backups\nbackup:\n  format: jsonl\n  level: 3\n  parallel: 2\n',
      'monitor: {check_interval: 1h, sample_percentage: 5%, jitter: 10%, rate_limit: 10MB/s, repair_kinds: [rebuild_index]}\nnotify: [log, {webhook: {url: "https://x.example", secret: "env:A"}}, {mail: {server: "smtps://a@b", from: a, to: [b]}}, {command: [a, b]}]\n',
      'store: postgres://app:secret@db/shop\nchange_log: {flush_ms: 500, outage_limit: 20GB, on_outage: spool, spool: ./x}\n',
      configTemplate('sqlite:./events.db', './backups'),
      ...['', '# nothing\n', '---\nvault: "x"\n...\n', 'vault: |\n  path\n  of\n', "vault: &v './x'\n"],
    ),
  run: (input) => void parseConfig(textOf(input), 'eventcore.config.yaml'),
};

const CANARY = 'kanarienvogel';

/** The parser's own refusal, or that of a flag. */
function refusedOr<Value>(work: () => Value, messages: string[] = []): Value | null {
  try {
    return work();
  } catch (error) {
    if (error instanceof BackupError) {
      messages.push(`${error.message} ${error.hint}`);
      if (!['usage', 'store_unsupported'].includes(error.code)) throw error;
      return null;
    }
    if (error instanceof InvalidArgumentError) return null;
    throw error;
  }
}

const addresses: FuzzTarget = {
  name: 'addresses',
  refusals: [],
  seeds: () =>
    texts(
      'sqlite:./events.db',
      'sqlite:///var/lib/events.db?layout=eventcore',
      `postgres://app:${CANARY}@db.example:5433/shop?schema=public&sslmode=require&layout=eventcore`,
      `postgresql://app@[::1]/shop?password=${CANARY}`,
      'postgres:///shop?host=/var/run/postgresql',
      `postgres:app:${CANARY}@db/shop`,
      ...['file:./backups', 'file:///srv/backups', 'C:\\backups', 's3://bucket/x'],
      's3://bucket/a/b?region=x&endpoint=http://127.0.0.1:9000&forcePathStyle=true&lock=governance&lockDays=30',
      'glacier://bucket/a?asOf=2026-03-01T12:00:00Z&recallDays=3&sse=aws:kms&sseKmsKeyId=x',
      ...[`s3://key:${CANARY}@bucket/x`, `s3://bucket/x?secretAccessKey=${CANARY}`],
    ),
  run: (input) => {
    const text = textOf(input);
    const messages: string[] = [];
    for (const read of [storeScheme, vaultPath, parsePostgresAddress, parseS3Address]) {
      refusedOr<unknown>(() => read(text), messages);
    }
    refusedOr(() => parseSqliteAddress(text));
    refusedOr(() => resolveStoreAddress(text, '/srv'));
    refusedOr(() => resolveVaultAddress(text, '/srv'));
    const bucket = refusedOr(() => parseS3Address(text));
    if (bucket !== null)
      demand(parseS3Address(bucket.text).text === bucket.text, 'an address reads back otherwise');
    refusedOr(() => isSameStore(text, 'postgres://app@db.example/shop'));
    redactText(text);
    const isElsewhere = text.split(CANARY).length > 2;
    if (!URL.canParse(text) || !/^(?:postgres(?:ql)?|s3|glacier):/i.test(text) || isElsewhere) return;
    const { password, searchParams } = new URL(text);
    const named = [password, searchParams.get('password'), searchParams.get('secretAccessKey')];
    // Where the slashes are missing, it may be anywhere.
    const isSecret = named.includes(CANARY) || (/^postgres/i.test(text) && !text.includes('//'));
    const shown = [redactAddress(text), ...messages].join(' ');
    if (isSecret) demand(!shown.includes(CANARY), 'an address is shown without its password');
  },
};

const flags: FuzzTarget = {
  name: 'arguments',
  refusals: [],
  seeds: () =>
    texts(
      '500MB',
      '20 GB',
      '1.5TB',
      '17',
      '-3',
      'max',
      '0/16B3748',
      'FFFFFFFF/FFFFFFFF',
      '740:744:740,742',
      '740:740:',
    ),
  run: (input) => {
    const text = textOf(input);
    const size = refusedOr(() => readSize(text));
    demand(size === null || Number.isSafeInteger(size), 'a size is an exact number of bytes');
    const number = refusedOr(() => wholeNumber(-5, 64)(text));
    demand(
      number === null || (Number.isSafeInteger(number) && number >= -5 && number <= 64),
      'a number in its range',
    );
    const level = refusedOr(() => readLevel(text));
    demand(level === null || level === 'max' || Number.isSafeInteger(level), 'a level is a whole number');
    const position = parsePosition(text);
    if (position !== null)
      demand(parsePosition(formatPosition(position, 'postgres')) === position, 'one position');
    const snapshot = parseSnapshot(text);
    if (snapshot !== null) isInBase(snapshot, 741);
    refusedOr(() => parseToken(text));
  },
};

/** Ranges come from the words that a backup that died left of itself: they become SQL. */
const ranges: FuzzTarget = {
  name: 'postgres-ranges',
  refusals: ['usage'],
  seeds: () =>
    texts(
      '{"from":0,"to":400}',
      '{"from":400,"to":null,"changes":{"since":"740:744:740,742","until":"750:752:"},"workers":1}',
      '{"tails":[["account-1",3],["o\'b",1]]}',
    ),
  reshape: (random, seed) => Buffer.from(mutateJson(random, textOf(seed), 0)),
  run: (input) => {
    const range = { index: 0, spec: textOf(input) };
    const sql = rangeSource(range, 'events');
    if (sql.startsWith('FROM (VALUES')) return;
    const known =
      /^FROM events( WHERE (ctid >= '\(\d+,0\)'|ctid < '\(\d+,0\)'|\(?xidsend\(xmin\) [<>]=? [^;]*|false)( AND [^;]*)?)?\s*$/s;
    demand(known.test(sql), `a range is a condition on blocks: ${sql}`);
    conditionsOf(blocksOf(range));
    narrowRanges([range], { since: '740:744:', until: '750:752:' });
  },
};

const here: StoreCursor = {
  kind: 'postgres',
  ...{
    systemIdentifier: '7301',
    timeline: 1,
    database: 'shop',
    relation: '16385',
    filenode: '7',
    started: 'x',
  },
  ...{ lsn: '0/16B3748', snapshot: '740:744:740,742', role: 'primary', headsDigest: 'c'.repeat(64) },
} as StoreCursor;

/** What a manifest says of the view that it was taken from. */
const cursors: FuzzTarget = {
  name: 'cursors',
  refusals: ['store_behind', 'damaged'],
  seeds: () => texts(JSON.stringify(here), '{"kind":"sqlite","maxRowid":9}', '{"kind":"memory","events":3}'),
  reshape: (random, seed) => Buffer.from(mutateJson(random, textOf(seed), 0)),
  run: (input) => {
    let cursor: StoreCursor;
    try {
      cursor = JSON.parse(textOf(input)) as StoreCursor;
    } catch {
      return false;
    }
    // A manifest is refused where it has no cursor of some kind.
    if (isTooDeep(cursor) || typeof cursor?.kind !== 'string') return false;
    const point = basePoint(cursor);
    if (typeof point !== 'string' && point.snapshot !== null) isInBase(point.snapshot, 741);
    whyNotComparable(cursor, here, '0/16B3749');
    whyMoved(cursor, here);
    return true;
  },
};

export const SETTING_TARGETS: readonly FuzzTarget[] = [config, addresses, flags, ranges, cursors];
