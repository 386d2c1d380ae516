import { isDeepStrictEqual } from 'node:util';
import { sortedStreams } from '../../../src/core/stream-order.ts';
import {
  addBatch,
  makeStreamTable,
  type StreamTable,
  streamFacts,
  streamName,
} from '../../../src/core/stream-table.ts';
import { decodeIndex, encodeIndex } from '../../../src/format/chunk-index.ts';
import { decodeHeads, encodeHeads, type HeadLine } from '../../../src/format/heads.ts';
import { readHeadsInto } from '../../../src/format/heads-table.ts';
import { decodeCompanions } from '../../../src/format/line-files.ts';
import type { BlockHeader } from '../../../src/format/log-header.ts';
import { readRemovals } from '../../../src/format/log-parts.ts';
import { mayContain } from '../../../src/format/stream-filter.ts';
import { isSnapshotAhead } from '../../../src/recovery/snapshots.ts';
import { makeBatch } from '../../../src/testing/batches.ts';
import type { Random } from '../../../src/testing/random.ts';
import { mutateJson } from '../engine/mutate-json.ts';
import { demand, type FuzzTarget, sameBytes } from '../engine/target.ts';

/** Changes what one line says; the others stay as they are. */
export function reshapeLines(random: Random, seed: Uint8Array): Uint8Array {
  const lines = Buffer.from(seed).toString('utf8').split('\n');
  const at = random.below(Math.max(1, lines.length - 1));
  lines[at] = mutateJson(random, lines[at]!, 0);
  return Buffer.from(lines.join('\n'));
}

const entry = (offset: number, storedBytes: number) => ({
  ...{ offset, storedBytes, plainBytes: 900, sha256: 'a'.repeat(64), records: 3 },
  events: {
    ...{ earliest: '2026-11-23T04:05:06.123456Z', latest: 'infinity', lowestVersion: 1, highestVersion: 7 },
    ...{ streams: 2, filter: 'AQID' },
  },
});
const INDEXED = 'events-00001.columns.zst';

/** Eight bytes say how large the data file is. */
const chunkTable: FuzzTarget = {
  name: 'chunk-table',
  refusals: ['damaged'],
  seeds: () =>
    [[], [entry(0, 100)], [entry(0, 100), entry(100, 50), entry(150, 7)]].map((entries) => {
      const head = Buffer.alloc(8);
      head.writeBigUInt64LE(BigInt(entries.reduce((sum, { storedBytes }) => sum + storedBytes, 0)));
      return Buffer.concat([head, encodeIndex(INDEXED, entries)]);
    }),
  reshape: (random, seed) => Buffer.concat([seed.subarray(0, 8), reshapeLines(random, seed.subarray(8))]),
  run: (input) => {
    if (input.length < 8) return false;
    const fileBytes = Number(Buffer.from(input).readBigUInt64LE(0));
    const entries = decodeIndex(input.subarray(8), INDEXED, fileBytes);
    for (const { events } of entries) {
      if (events !== undefined) mayContain(Buffer.from(events.filter, 'base64'), Buffer.from('account-1'));
    }
    return true;
  },
};

function sampleTable(): StreamTable {
  const table = makeStreamTable();
  const streams = ['account-1', 'käse', 'quote"\\', Uint8Array.of(0xff, 0xfe), 'base64:x', ''];
  const events = streams.flatMap((streamId, i) =>
    [1, 2, ...(i % 2 === 0 ? [5, 6, 9] : []), ...(i === 3 ? [2] : [])].map((version) => ({
      ...{ streamId, version, type: 'T' },
      ...(i === 4 ? { id: `text "${version}` } : {}),
    })),
  );
  for (const event of events) addBatch(table, makeBatch([event]));
  return table;
}

function headsSeeds(): Uint8Array[] {
  const whole = Array.from(encodeHeads(sampleTable()), ({ plain }) => Uint8Array.from(plain));
  const one = makeStreamTable();
  addBatch(one, makeBatch([{ streamId: 's', version: 1 }]));
  return [
    ...whole,
    ...Array.from(encodeHeads(one), ({ plain }) => Uint8Array.from(plain)),
    new Uint8Array(0),
  ];
}

/** What a table says of its streams, as lines. */
function linesOf(table: StreamTable): unknown[] {
  return Array.from(sortedStreams(table), (index) => [
    Buffer.from(streamName(table, index)).toString('latin1'),
    streamFacts(table, index),
  ]);
}

const heads: FuzzTarget = {
  name: 'heads',
  refusals: ['damaged'],
  seeds: headsSeeds,
  reshape: reshapeLines,
  run: (input) => {
    const table = makeStreamTable();
    const quick = errorOf(() => readHeadsInto(table, input));
    const slow = errorOf(() => decodeHeads(input));
    if (quick !== null && slow === null) throw quick;
    demand((quick === null) === (slow === null), 'both readers of heads refuse the same lines');
    if (slow !== null) throw slow;
    const first = linesOf(table);
    const plain = Buffer.concat(Array.from(encodeHeads(table), (chunk) => Uint8Array.from(chunk.plain)));
    const again = makeStreamTable();
    readHeadsInto(again, plain);
    demand(
      isDeepStrictEqual(linesOf(again), first),
      'heads that were read are the same when they are written again',
    );
    const lines: HeadLine[] = decodeHeads(plain);
    demand(lines.length === table.count, 'one line a stream');
  },
};

function errorOf(work: () => unknown): unknown {
  try {
    work();
    return null;
  } catch (error) {
    return error;
  }
}

const companions: FuzzTarget = {
  name: 'companions',
  refusals: ['damaged'],
  seeds: () => [
    Buffer.from(
      [
        { table: 'checkpoints', role: 'checkpoints', values: { name: 'mails', position: '17' } },
        { table: 's', role: 'snapshots', values: { stream_versions: '{"account-1":3}', x: null } },
        { table: 'ledger', role: 'ledger', values: {} },
      ]
        .map((row) => `${JSON.stringify(row)}\n`)
        .join(''),
    ),
    Buffer.from(
      `${JSON.stringify({ table: 't', role: 'snapshots', values: { stream_versions: '{"a":[1]}' } })}\n`,
    ),
  ],
  reshape: (random, seed) => {
    if (random.below(3) !== 0) return reshapeLines(random, seed);
    const versions = mutateJson(random, '{"account-1":3,"b":{}}', 0);
    const row = { table: 't', role: 'snapshots', values: { stream_versions: versions } };
    return Buffer.from(`${JSON.stringify(row)}\n`);
  },
  run: (input) => {
    const table = sampleTable();
    for (const row of decodeCompanions(input)) {
      isSnapshotAhead(row, table);
      demand(!Array.isArray(row.values), 'values are an object');
    }
  },
};

const removalsHeader = {
  transactions: 3,
  parts: [
    { role: 'events', storedBytes: 1, plainBytes: 1, sha256: '', records: 9 },
    { role: 'transactions', storedBytes: 1, plainBytes: 1, sha256: '', records: 3 },
    { role: 'removals', storedBytes: 1, plainBytes: 1, sha256: '', records: 2 },
  ],
} as unknown as BlockHeader;

const removals: FuzzTarget = {
  name: 'log-removals',
  refusals: ['damaged'],
  seeds: () => [
    Buffer.from(
      '{"afterEvents":3,"transaction":0,"kind":"delete","eventId":"é"}\n{"afterEvents":9,"transaction":2,"kind":"truncate","eventId":null}\n',
    ),
  ],
  reshape: reshapeLines,
  run: (input) => {
    const read = readRemovals(removalsHeader, input);
    const text = read
      .map(
        ({ afterEvents, transaction, kind, eventId }) =>
          `${JSON.stringify({ afterEvents, transaction, kind, eventId })}\n`,
      )
      .join('');
    demand(sameBytes(Buffer.from(text), input), 'what decodes encodes to the same bytes');
  },
};

const filter: FuzzTarget = {
  name: 'stream-filter',
  refusals: [],
  seeds: () => [Buffer.from('AQID'), Buffer.from('//////////8='), Buffer.from('')],
  run: (input) => mayContain(Buffer.from(Buffer.from(input).toString('latin1'), 'base64'), input),
};

export const LINE_TARGETS: readonly FuzzTarget[] = [
  chunkTable,
  heads,
  companions,
  removals,
  // A filter that says "not here" is no refusal.
  { ...filter, run: (input) => void filter.run(input) },
];
