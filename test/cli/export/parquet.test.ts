import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { zstdDecompressSync } from 'node:zlib';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import { parquetWriter } from '../../../src/cli/export/parquet.ts';
import { isBackupError } from '../../../src/core/errors.ts';
import { selectRows } from '../../../src/core/event-batch.ts';
import { TIME_INFINITY } from '../../../src/core/time.ts';
import { makeBatch } from '../../../src/testing/batches.ts';
import { fillStore, makeFolder, type Ran, runHere } from '../../harness/command.ts';

const EVENTS = 4000;

/** Texts are told from bytes that only look like one; times are microseconds. */
async function readRows(file: Uint8Array): Promise<Record<string, unknown>[]> {
  const bytes = Uint8Array.from(file).buffer;
  return parquetReadObjects({
    file: { byteLength: bytes.byteLength, slice: (from: number, to?: number) => bytes.slice(from, to) },
    compressors: { ZSTD: (input: Uint8Array) => zstdDecompressSync(input) },
    parsers: {
      stringFromBytes: (value: Uint8Array | undefined) => {
        if (value === undefined) return value;
        assert.ok(isUtf8(value));
        return Buffer.from(value).toString();
      },
      timestampFromMicroseconds: (value: bigint) => value,
    } as never,
  });
}

describe('an export as Parquet', () => {
  let folder: string;
  let remove: () => Promise<void>;
  const run = (...words: string[]): Promise<Ran> => runHere([...words, '--vault', join(folder, 'vault')]);
  const exported = async (name: string, ...words: string[]): Promise<Buffer> => {
    const to = join(folder, name);
    const ran = await run('export', ...words, '--as', 'parquet', '--to', to, '--json');
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(JSON.parse(ran.stdout).sizeBytes, statSync(to).size);
    return readFileSync(to);
  };
  const storeAt = (name: string): string => `sqlite:${folder}/${name}.db`;

  before(async () => {
    ({ path: folder, remove } = await makeFolder());
    await fillStore(storeAt('events'), EVENTS);
  });
  after(() => remove());

  it('has a row for each event, and says all that JSON Lines say', async () => {
    const taken = await run('backup', 'full', '--store', storeAt('events'), '--json');
    const id: string = JSON.parse(taken.stdout).backupId;
    const file = await exported('events.parquet', id);
    const { num_rows, created_by } = parquetMetadata(Uint8Array.from(file).buffer);
    assert.equal(num_rows, BigInt(EVENTS));
    assert.match(created_by!, /^eventcore-backup /);
    const lines = (await run('export', id, '--to', '-')).stdout.trimEnd().split('\n');
    const rows = await readRows(file);
    assert.equal(rows.length, lines.length);
    rows.forEach((row, i) => {
      const { data, metadata, recordedAt, ...line } = JSON.parse(lines[i]!);
      const { id, streamId, version, type } = row;
      assert.deepEqual({ id, streamId, version: Number(version), type }, line);
      assert.equal(row.recordedAt, BigInt(Date.parse(recordedAt)) * 1000n + BigInt(recordedAt.slice(23, 26)));
      assert.ok(lines[i]!.includes(`"data":${row.data}`), 'the very bytes');
      assert.deepEqual([JSON.parse(String(row.data)), JSON.parse(String(row.metadata))], [data, metadata]);
      assert.deepEqual([row.recordedAtText, row.notUtf8], [null, null]);
    });
    assert.deepEqual(await readRows(await exported('store.parquet', '--store', storeAt('events'))), rows);
  });

  it('has what is unusual exactly as the store has it', async () => {
    const db = new DatabaseSync(join(folder, 'events.db'));
    const create = db.prepare(`SELECT sql FROM sqlite_schema WHERE name = 'eventcore_events'`).get()!.sql;
    db.close();
    const odd = new DatabaseSync(join(folder, 'odd.db'));
    odd.exec(String(create));
    const insert = odd.prepare(
      `INSERT INTO eventcore_events VALUES (?, CAST(? AS TEXT), ?, ?, CAST(? AS TEXT), ?, ?)`,
    );
    const at = '2026-01-02 03:04:05.678901';
    const rows = [
      [
        '00000000-0000-7000-8000-000000000001',
        'å日本🦜\u0000',
        9_007_199_254_740_991,
        'T',
        '{ "n" : 1.0e2,\n"big":123456789012345678901234567890 }',
        '{}',
        at,
      ],
      [
        'not a uuid',
        Buffer.from([0x73, 0xff]),
        1,
        'T',
        Buffer.from([0x22, 0xc3, 0x28, 0x22]),
        '{"x":"\\ud800"}',
        at,
      ],
      ['00000000-0000-7000-8000-000000000002', 'utc', -3, '', '', 'null', '2026-01-02T03:04:05Z'],
    ] as const;
    for (const row of rows) insert.run(...row);
    odd.close();
    const read = await readRows(await exported('odd.parquet', '--store', storeAt('odd')));
    assert.equal(read.length, rows.length);
    for (const [id, stream, version, type, data, metadata] of rows) {
      const row = read.find((one) => one.id === id)!;
      const isText = typeof data === 'string';
      assert.deepEqual([row.version, row.type, row.metadata], [BigInt(version), type, metadata]);
      assert.equal(row.streamId, isText ? stream : null);
      assert.equal(row.data, isText ? data : null);
      const shown = isText ? null : { streamId: 'c/8=', data: Buffer.from(data).toString('base64') };
      assert.deepEqual(row.notUtf8 === null ? null : JSON.parse(String(row.notUtf8)), shown);
    }
    const utc = read.find(({ streamId }) => streamId === 'utc')!;
    assert.equal(utc.recordedAt, BigInt(Date.parse('2026-01-02T03:04:05Z')) * 1000n);
    assert.equal(utc.recordedAtText, '2026-01-02T03:04:05Z');
  });

  it('has row groups, no metadata where there is none, and a time that is no number as text', async () => {
    const parts: Buffer[] = [];
    const write = async (part: Uint8Array): Promise<boolean> => parts.push(Buffer.from(part)) > 0;
    const sink = { write, commit: async () => undefined, abort: async () => undefined };
    const writer = await parquetWriter(sink, 'test', { groupRows: 2 });
    const batch = makeBatch([
      { streamId: 's', version: 1, time: TIME_INFINITY, data: '1', metadata: null },
      { streamId: 's', version: 2, data: '2' },
    ]);
    const written: number[] = [];
    for (let n = 0; n < 3; n += 1) {
      assert.ok(await writer.write(selectRows(batch, n === 0 ? [0, 1] : [n - 1])));
      written.push(parts.length);
    }
    assert.deepEqual(written, [1, 1, 2], 'a row group goes out as soon as it is full');
    assert.ok(await writer.end());
    const file = Buffer.concat(parts);
    assert.equal(parquetMetadata(Uint8Array.from(file).buffer).row_groups.length, 2);
    const read = (await readRows(file)).slice(0, 2);
    assert.deepEqual(
      read.map(({ metadata, recordedAt, recordedAtText, data }) => [
        metadata,
        recordedAt,
        recordedAtText,
        data,
      ]),
      [
        [null, null, 'infinity', '1'],
        ['{}', 946_684_800_000_000n, null, '2'],
      ],
    );
  });

  it('says what is to be installed where it is not', async () => {
    const sink = { write: async () => true, commit: async () => undefined, abort: async () => undefined };
    const load = () => Promise.reject(new Error('Cannot find package'));
    await assert.rejects(parquetWriter(sink, 'test', { load }), (error) => {
      assert.ok(isBackupError(error, 'usage'));
      return /npm install hyparquet-writer/.test(error.hint ?? '');
    });
  });

  it('of a store without events is a file without rows', async () => {
    await fillStore(storeAt('none'), 0);
    assert.deepEqual(await readRows(await exported('none.parquet', '--store', storeAt('none'))), []);
  });
});
