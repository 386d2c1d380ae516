import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeReport, encodeReport, parseReportName, reportName } from '../../src/format/monitor-report.ts';
import { thinReports } from '../../src/policy/thin-reports.ts';
import { sampleReport } from '../fuzz/targets/monitor.ts';

describe('a report of the monitor', () => {
  it('reads as it was written, and as nothing when any byte of it was changed', () => {
    const bytes = encodeReport(sampleReport);
    assert.deepEqual(decodeReport(bytes), sampleReport);
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      assert.equal(decodeReport(changed), null, `byte ${at}`);
    }
  });

  it('has a name that says when and which', () => {
    const name = reportName(Date.UTC(2026, 10, 23, 4, 5, 6, 789), sampleReport.runId, 'report');
    assert.equal(name, `integrity/monitor/20261123T040506789Z-${sampleReport.runId}.json`);
    assert.equal(parseReportName(name)!.kind, 'report');
    assert.equal(parseReportName('integrity/monitor/20261323T040506789Z-x.json'), null);
  });

  it('is one of a thousand that stay, and of those before one of each day stays', () => {
    const hour = 3_600_000;
    const records = Array.from({ length: 1072 }, (_, i) => ({
      ...{ name: String(i), atMs: i * hour, kind: 'report' as const },
    }));
    const gone = thinReports(records);
    assert.equal(gone.length, 72 - 3);
    for (const stays of ['0', '24', '48', '72', '1071']) assert.ok(!gone.includes(stays));
    assert.deepEqual(thinReports(records.filter(({ name }) => !gone.includes(name))), []);
  });
});
