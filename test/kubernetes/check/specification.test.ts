import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judge } from './judge.ts';
import { SPECIFIED } from './specified.ts';

/** All that is wrong with them, by line, and what must be said of it. */
const FAULTS: readonly (readonly [line: number, says: RegExp, hint: RegExp])[] = [
  [7, /no size is said/, /spec\.storage\.size/],
  [7, /replication is asynchronous/, /synchronous/],
  [7, /nothing limits what slots keep/, /max_slot_wal_keep_size/],
  [
    15,
    /no field `spec\.backup\.data`.*compression, encryption, jobs, immediateCheckpoint/,
    /`spec\.backup\.barmanObjectStore\.data`/,
  ],
  [
    22,
    /no field `spec\.backup\.wal`.*compression, encryption, maxParallel/,
    /`spec\.backup\.barmanObjectStore\.wal`/,
  ],
  [28, /deprecated since CloudNativePG 1\.26 and removed in 1\.31/, /plugin/],
  [28, /the comment above says that this is a schedule/, /ScheduledBackup/],
  [38, /no field `spec\.backup\.barmanObjectStore\.wal\.retention`/, /`spec\.backup\.retentionPolicy`/],
  [40, /no field `spec\.backup\.barmanObjectStore\.data\.retention`/, /`spec\.backup\.retentionPolicy`/],
  [
    49,
    /"0 2 \* \* \*" runs every hour at hh:02:00 \(the comment says: Daily at 2 AM\)/,
    /"0 0 2 \* \* \*", which runs every day at 02:00:00/,
  ],
  [54, /method barmanObjectStore.*removed in 1\.31/, /method: plugin/],
];

describe('the manifests of the specification', () => {
  const findings = judge({ 'specified.yaml': SPECIFIED });
  const lines = SPECIFIED.split('\n');

  for (const [line, says, hint] of FAULTS) {
    it(`have on line ${line} (${lines[line - 1]?.trim()}): ${says.source.slice(0, 60)}`, () => {
      const found = findings.filter((finding) => finding.line === line && says.test(finding.message));
      assert.equal(found.length, 1, JSON.stringify(findings, null, 1));
      assert.match(found[0]!.hint ?? '', hint);
    });
  }

  it('have nothing else that is reported', () => {
    assert.equal(findings.length, FAULTS.length, JSON.stringify(findings, null, 1));
  });
});
