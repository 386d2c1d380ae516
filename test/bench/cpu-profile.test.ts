import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { busySeconds, type CpuProfile, selfTimes } from '../../bench/cpu-profile.ts';

const frame = (id: number, functionName: string, url = '', lineNumber = 0) => ({
  id,
  callFrame: { functionName, url, lineNumber },
});

const profile: CpuProfile = {
  nodes: [
    frame(1, '(idle)'),
    frame(2, 'encode', 'file:///somewhere/dist/format/columns.js', 9),
    frame(3, '', 'node:internal/streams/writable', 4),
    // The same function, called from elsewhere.
    frame(4, 'encode', 'file:///somewhere/dist/format/columns.js', 9),
  ],
  samples: [1, 2, 3, 4, 2],
  timeDeltas: [5_000_000, 1_000_000, 500_000, 250_000, 250_000],
};

describe('the times of a CPU profile', () => {
  it('are those of each function itself, wherever it was called, the longest first', () => {
    assert.deepEqual(selfTimes(profile), [
      { name: '(idle)', place: '', seconds: 5 },
      { name: 'encode', place: 'format/columns.js:10', seconds: 1.5 },
      { name: '(anonymous)', place: 'streams/writable:5', seconds: 0.5 },
    ]);
  });

  it('are busy without waiting', () => {
    assert.equal(busySeconds(selfTimes(profile)), 2);
  });
});
