import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Observation } from '../../src/core/disaster.ts';
import { BackupError } from '../../src/core/errors.ts';
import { askVantage, readProbe } from '../../src/disaster/vantage.ts';
import { memoryServer } from '../harness/memory-server.ts';

const EAST = memoryServer('postgres://postgres@east/events');
const WEST = memoryServer('postgres://postgres@west/events', { role: 'standby' }, 'west');
const SERVERS = [EAST.server, WEST.server];

const OBSERVATIONS: readonly Observation[] = [
  {
    ...{ vantage: 'here', region: 'east', server: EAST.server.address, outcome: 'timed_out', ms: 3000 },
    ...{ state: null, reason: 'nothing came in 3000 ms' },
  },
  {
    ...{
      vantage: 'here',
      region: 'west',
      server: WEST.server.address,
      outcome: 'answered',
      ms: 4,
      reason: null,
    },
    state: { ...WEST.state, upstream: { heardAgoMs: 12.5, host: 'east', port: 5432 } },
  },
];
const DOCUMENT = { probeVersion: 1, host: 'office', observations: OBSERVATIONS };

function ask(run: () => Promise<string>, timeoutMs = 1000) {
  return askVantage({ name: 'office', run }, SERVERS, timeoutMs);
}

describe('a vantage point', () => {
  it('is believed under the name that the configuration gives it', async () => {
    const { observations, warnings } = await ask(async () => JSON.stringify(DOCUMENT));
    assert.deepEqual(
      observations,
      OBSERVATIONS.map((one) => ({ ...one, vantage: 'office' })),
    );
    assert.deepEqual(warnings, []);
  });

  it('that fails, hangs or talks nonsense did not answer', async () => {
    const failing = (): Promise<never> => Promise.reject(new BackupError('action_failed', 'ended with 255'));
    for (const [run, reason] of [
      [failing, /ended with 255/],
      [() => new Promise<never>(() => {}), /nothing came in \d+ ms/],
      [async () => 'Last login: Sunday', /is not what `eventcore dr probe --json` prints/],
      [async () => '', /is not what/],
      [async () => `"${'x'.repeat(2 << 20)}"`, /is not what/],
    ] as const) {
      const { observations, warnings } = await ask(run, 50);
      assert.deepEqual(observations, []);
      assert.match(warnings[0]!, /^vantage point office did not answer: /);
      assert.match(warnings[0]!, reason);
    }
  });

  it('says nothing of servers that are not ours, and we say of which of ours it says nothing', async () => {
    const alien = { ...OBSERVATIONS[0]!, server: 'postgres://elsewhere/events' };
    const moved = { ...OBSERVATIONS[1]!, region: 'north' };
    const { observations, warnings } = await ask(async () =>
      JSON.stringify({ ...DOCUMENT, observations: [alien, moved] }),
    );
    assert.deepEqual(observations, []);
    assert.equal(warnings.length, 2);
  });

  it('is refused as a whole when one field of one observation is not what it should be', () => {
    const changes: readonly object[] = [
      ...[{ outcome: 'well' }, { outcome: 'refused' }, { ms: -1 }, { ms: '4' }, { state: undefined }],
      ...[{ server: 7 }, { reason: 1 }, { region: 'we\u001b[2Jst' }, { vantage: 'x'.repeat(2000) }],
    ];
    for (const change of changes) {
      const observations = [OBSERVATIONS[0], { ...OBSERVATIONS[1], ...change }];
      assert.equal(readProbe(JSON.stringify({ ...DOCUMENT, observations })), null, JSON.stringify(change));
    }
    const states: readonly object[] = [
      ...[{ role: 'leader' }, { systemIdentifier: 'x' }, { timeline: 1.5 }, { position: '5000028' }],
      ...[
        { replayed: 0 },
        { isFenced: 'no' },
        { clients: -1 },
        { clockAheadMs: null },
        { applyDelayMs: '0' },
      ],
      ...[{ upstream: { heardAgoMs: 1, host: 'east' } }, { upstream: 'east' }, { isReplayPaused: null }],
    ];
    for (const change of states) {
      const state = { ...OBSERVATIONS[1]!.state, ...change };
      const observations = [{ ...OBSERVATIONS[1], state }];
      assert.equal(readProbe(JSON.stringify({ ...DOCUMENT, observations })), null, JSON.stringify(change));
    }
  });

  it('that a newer program speaks for may say more', () => {
    const newer = { ...DOCUMENT, load: 3, observations: [{ ...OBSERVATIONS[0], load: 3 }] };
    assert.deepEqual(readProbe(JSON.stringify(newer)), [OBSERVATIONS[0]]);
    assert.equal(readProbe(JSON.stringify({ ...DOCUMENT, probeVersion: 2 })), null);
  });

  it('whatever it prints, gives observations or none, and never throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.jsonValue().map((value) => JSON.stringify(value)),
        ),
        (text) => {
          assert.equal(readProbe(text), null);
        },
      ),
    );
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom('observations', 'host', 'probeVersion'), (value, key) => {
        const read = readProbe(JSON.stringify({ ...DOCUMENT, [key]: value }));
        assert.ok(read === null || Array.isArray(read));
      }),
    );
  });
});
