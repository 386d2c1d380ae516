import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type SalvageView, salvageLines } from '../../src/cli/render/salvage.ts';
import type { SalvagedStream } from '../../src/disaster/salvage-table.ts';

const plain = (_: string, text: string): string => text;

const RECORD: SalvageView['record'] = {
  ...{ planId: 'p', number: 1, createdAt: '2026-11-29T03:04:05.678Z', software: 's' },
  ...{ from: 'postgres://old/shop', into: 'postgres://new/shop', events: 7, streams: 2, conflicts: 1 },
  ...{ differing: 1, earliest: '2026-11-29T03:00:00.000000Z', latest: '2026-11-29T03:00:01.437000Z' },
  ...{ contentDigest: 'd', sealing: null, files: [] as unknown as SalvageView['record']['files'] },
};

function stream(changes: Partial<SalvagedStream>): SalvagedStream {
  return {
    ...{ streamId: 'order-1', events: 3, firstVersion: 4, lastVersion: 6, earliest: null, latest: null },
    ...{ merged: 0, differing: 0, retried: 0, newLast: 3, verdict: 'mergeable' },
    ...changes,
  };
}

describe('what is shown of a salvage', () => {
  it('names what is left to people first, and says of each stream what becomes of it', () => {
    const streams = [
      stream({}),
      stream({ streamId: 'order-\u001b[2J', newLast: 6, verdict: 'conflict', differing: 1 }),
      stream({ streamId: 'order-3', newLast: null }),
    ];
    const lines = salvageLines({ record: RECORD, object: 'disaster/runs/p/salvage-1.jsonl', streams }, plain);
    const text = lines.join('\n');
    assert.match(lines[0]!, /Salvage 1: 7 events in 2 streams/);
    assert.match(text, /1\.4 s/);
    assert.match(text, /disaster\/runs\/p\/salvage-1\.jsonl/);
    assert.match(text, /conflict: 1 with other content/);
    assert.match(text, /order-1 +3 +4–6 +3 +can be merged/);
    assert.match(text, /order-3 .*is not there/);
    assert.ok(text.indexOf('with other content') < text.indexOf('order-1 '), text);
    assert.ok(!text.includes('\u001b'), 'no control signs of a name reach the terminal');
  });

  it('tells how many there are where no key opens which', () => {
    const text = salvageLines({ record: RECORD, object: 'o', streams: null }, plain).join('\n');
    assert.match(text, /--identity FILE/);
  });

  it('counts what is too much to be named', () => {
    const streams = Array.from({ length: 40 }, (_, i) => stream({ streamId: `s-${i}` }));
    const lines = salvageLines({ record: RECORD, object: 'o', streams }, plain);
    assert.equal(lines.at(-1), 'and 10 more: --json lists all');
  });
});
