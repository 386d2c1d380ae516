import { isDeepStrictEqual } from 'node:util';
import { openLine, readLine } from '../../../src/disaster/guard-watchdog.ts';
import { readProbe } from '../../../src/disaster/vantage.ts';
import { deposedName, parseDeposedName } from '../../../src/format/deposed-mark.ts';
import { memoryServer } from '../../harness/memory-server.ts';
import { demand, type FuzzTarget } from '../engine/target.ts';

/** What vantage points print, guards write into pipes, and fences leave as names. */

const { state } = memoryServer('postgres://postgres@east:5432/events');
const upstream = { heardAgoMs: 12.5, host: 'east', port: 5432 };
const seen = { vantage: 'here', region: 'east', server: 'postgres://postgres@east:5432/events', ms: 4 };
const observations = [
  { ...seen, outcome: 'answered', state, reason: null },
  {
    ...seen,
    outcome: 'answered',
    state: { ...state, role: 'standby', replayed: '0/1', upstream },
    reason: null,
  },
  { ...seen, outcome: 'timed_out', state: null, reason: 'nothing came in 3000 ms' },
];

const document = (value: unknown): unknown => ({ probeVersion: 1, host: 'office', observations: value });
const textOf = (input: Uint8Array): string => Buffer.from(input).toString('utf8');

const probe: FuzzTarget = {
  name: 'answer of a vantage point',
  refusals: [],
  seeds: () =>
    [observations, observations.slice(2)].map((value) => Buffer.from(JSON.stringify(document(value)))),
  run: (input) => {
    const read = readProbe(textOf(input));
    if (read === null) return false;
    const again = readProbe(JSON.stringify(document(read)));
    demand(isDeepStrictEqual(again, read), 'what is read says the same when it is written');
    for (const { outcome, state: said } of read) {
      demand((outcome === 'answered') === (said !== null), 'only who answered says what it is');
    }
    return true;
  },
};

const line: FuzzTarget = {
  name: 'line of a guard',
  refusals: [],
  seeds: () => [openLine(123_456.789), 'closed'].map((text) => Buffer.from(text)),
  run: (input) => {
    const read = readLine(textOf(input));
    if (typeof read === 'number')
      demand(readLine(openLine(read)) === Number(read.toFixed(3)), 'it is written as it is read');
    return read !== undefined;
  },
};

const mark: FuzzTarget = {
  name: 'name of a mark of a deposed primary',
  refusals: [],
  seeds: () => [
    Buffer.from(deposedName({ systemIdentifier: '73', timeline: 4, by: 'guard', state: 'stands' })),
  ],
  run: (input) => {
    const read = parseDeposedName(textOf(input));
    if (read === null) return false;
    demand(deposedName(read) === textOf(input), 'a mark has one name');
    return true;
  },
};

export const VANTAGE_TARGETS: readonly FuzzTarget[] = [probe, line, mark];
