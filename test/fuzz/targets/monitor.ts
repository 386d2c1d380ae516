import {
  decodeReport,
  decodeSent,
  encodeReport,
  encodeSent,
  type MonitorReport,
  parseReportName,
  reportName,
} from '../../../src/format/monitor-report.ts';
import { readSweep } from '../../../src/policy/sweep.ts';
import { demand, type FuzzTarget, sameBytes } from '../engine/target.ts';
import { reshapeDocument } from './documents.ts';

const alertId = '0d5b52ef-6f0a-4c8e-9a3d-2f8d6c1e5b4a';
const backupId = '0b7e6c1e-6f0a-4c8e-9a3d-2f8d6c1e5b4a';

export const sampleReport: MonitorReport = {
  ...{
    runId: '0b7e6c1e-6f0a-4c8e-9a3d-2f8d6c1e5b4a',
    startedAt: '2026-11-23T04:05:06.789Z',
    durationMs: 1234,
  },
  ...{ software: 'eventcore-backup 0.1.0', outcome: 'damaged' },
  checks: [
    { name: 'stream_gaps', verdict: 'found', findings: 2, events: 3 },
    { name: 'guards', verdict: 'sound', findings: 0, events: 0 },
  ],
  looked: { blocks: 4, buckets: 50, streams: 17, events: 1700, compared: 1690, comparedWith: backupId },
  sweep: {
    seed: 7,
    blocks: { group: 2, round: 1, startedAt: '2026-11-23T04:05:06.789Z', from: 4, finishedAt: null },
    buckets: { group: 1, round: 0, startedAt: null, from: 0, finishedAt: null },
    suspects: [{ kind: 'bucket', number: 3 }],
    strikes: [{ block: 9, times: 1 }],
  },
  blind: [{ cause: 'comparison', times: 2 }],
  open: [
    {
      ...{ check: 'stream_gaps', place: 'bucket 3', severity: 'critical', findings: 2, events: 3 },
      ...{ since: '2026-11-23T04:05:06.789Z', seenRound: 1 },
      told: { at: '2026-11-23T04:05:06.789Z', severity: 'critical', sizeClass: 0, to: ['mail'] },
    },
  ],
  owed: [
    {
      ...{
        id: alertId,
        check: 'stream_gaps',
        place: 'bucket 3',
        state: 'raised',
        severity: 'critical',
      },
      ...{ findings: 2, events: 3, since: '2026-11-23T04:05:06.789Z', at: '2026-11-23T04:05:06.789Z' },
      to: ['mail', 'webhook'],
    },
  ],
};

const monitorReport: FuzzTarget = {
  name: 'monitor report',
  refusals: [],
  seeds: () => [
    encodeReport(sampleReport),
    encodeReport({
      ...sampleReport,
      outcome: 'blind',
      sweep: null,
      checks: [],
      open: [],
      owed: [],
      blind: [],
    }),
    encodeSent({
      ...{ runId: sampleReport.runId, sentAt: sampleReport.startedAt },
      sent: [{ id: alertId, to: ['mail'] }],
    }),
    Buffer.from(reportName(Date.UTC(2026, 10, 23), sampleReport.runId, 'sent')),
  ],
  reshape: reshapeDocument('checksum'),
  run: (input) => {
    const [report, sent] = [decodeReport(input), decodeSent(input)];
    demand(report === null || sameBytes(encodeReport(report), input), 'a report encodes to the same bytes');
    demand(
      sent === null || sameBytes(encodeSent(sent), input),
      'a note of what was sent encodes to the same bytes',
    );
    demand(report === null || sent === null, 'nothing is both');
    if (report?.sweep != null) readSweep(report.sweep);
    const name = parseReportName(Buffer.from(input).toString());
    demand(name === null || reportName(name.atMs, name.runId, name.kind) === name.name, 'a name is its own');
  },
};

export const MONITOR_TARGETS: readonly FuzzTarget[] = [monitorReport];
