import crypto from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { planRest } from '../../../src/backup/attempts.ts';
import { backupDocument } from '../../../src/cli/backup/names.ts';
import { drillLines } from '../../../src/cli/render/drill-report.ts';
import type { Manifest } from '../../../src/core/manifest.ts';
import { assertObjectName } from '../../../src/core/object-name.ts';
import { NO_TRUST_POLICY } from '../../../src/core/trust.ts';
import { renderReport } from '../../../src/drills/render-report.ts';
import { type Attempt, decodeAttempt, encodeAttempt } from '../../../src/format/attempt-codec.ts';
import { assertChain } from '../../../src/format/chain.ts';
import {
  decodeEvidence,
  encodeEvidence,
  evidenceName,
  findEvidenceSignature,
  parseEvidenceName,
} from '../../../src/format/drill-evidence.ts';
import { decodeFreeze, decodeHold, encodeFreeze, encodeHold } from '../../../src/format/keep-marks.ts';
import { decodeGap, encodeGap } from '../../../src/format/log-gap.ts';
import {
  type BlockHeader,
  decodeHeader,
  decodePrefix,
  encodeHeader,
  PREFIX_BYTES,
} from '../../../src/format/log-header.ts';
import { decodeManifest, encodeManifest } from '../../../src/format/manifest-codec.ts';
import { decodeRepairRecord, encodeRepairRecord } from '../../../src/format/repair-record.ts';
import {
  decodeVerified,
  encodeVerified,
  type VerifiedRecord,
  verifiedName,
} from '../../../src/format/verified-record.ts';
import { foldVerified, planRecords, unitsOf } from '../../../src/policy/verified-memory.ts';
import { planShare } from '../../../src/policy/verify-share.ts';
import { basePoint } from '../../../src/recovery/meeting.ts';
import type { Random } from '../../../src/testing/random.ts';
import { sampleEvidence } from '../../harness/sample-evidence.ts';
import { sampleManifest } from '../../harness/sample-manifest.ts';
import { makeSigner } from '../../harness/test-keys.ts';
import { changeJson, writeJson } from '../engine/mutate-json.ts';
import { demand, type FuzzTarget, sameBytes } from '../engine/target.ts';

const VECTORS = join(import.meta.dirname, '../../vectors/v1');

/** Documents in the form of a manifest: JSON with an indent, the last key a checksum of what is before it. */
export function reshapeDocument(checksumKey: string): NonNullable<FuzzTarget['reshape']> {
  return (random: Random, seed) => {
    try {
      const value = JSON.parse(Buffer.from(seed).toString()) as Record<string, unknown>;
      if (typeof value !== 'object' || value === null) return seed;
      const { [checksumKey]: _, ...rest } = value;
      return withChecksum(random, changeJson(random, rest), checksumKey);
    } catch {
      // No JSON, or nested too deep for this program.
      return seed;
    }
  };
}

/** What is nested so deep that it cannot be written keeps no checksum: it is to be refused before that. */
export function withChecksum(random: Random, value: unknown, checksumKey: string): Uint8Array {
  const text = writeJson(random, value, 2);
  const checksum = crypto.hash('sha256', text, 'hex');
  if (!text.endsWith('\n}')) return Buffer.from(`${text}\n`);
  return Buffer.from(`${text.slice(0, -2)},\n  "${checksumKey}": "${checksum}"\n}\n`);
}

function goldenManifests(): Uint8Array[] {
  return globSync('{bundles,chain}/backups/*/manifest.json', { cwd: VECTORS })
    .sort()
    .map((name) => readFileSync(join(VECTORS, name)));
}

const postgresCursor = {
  kind: 'postgres' as const,
  systemIdentifier: '7301234567890123456',
  timeline: 1,
  database: 'shop',
  relation: '16385',
  lsn: '0/16B3748',
  snapshot: '740:744:740,742',
  headsDigest: 'c'.repeat(64),
};

const manifest: FuzzTarget = {
  name: 'manifest',
  refusals: ['damaged', 'store_unsupported'],
  seeds: () => [
    ...goldenManifests(),
    encodeManifest(sampleManifest()),
    encodeManifest(sampleManifest({ cursor: postgresCursor })),
  ],
  reshape: reshapeDocument('manifestChecksum'),
  run: (input) => {
    const read = decodeManifest(input);
    demand(sameBytes(encodeManifest(read), input), 'what decodes encodes to the same bytes');
    useManifest(read);
  },
};

/** What reads a manifest further on must bear all that the decoder lets through. */
function useManifest(read: Manifest): void {
  JSON.stringify(backupDocument(read));
  basePoint(read.cursor);
  if (read.kind === 'full') assertChain([{ manifest: read, folder: 'backups/' }]);
}

const sampleAttempt: Attempt = {
  attemptVersion: 1,
  backupId: '0b7e6c1e-6f0a-4c8e-9a3d-2f8d6c1e5b4a',
  number: 1,
  startedAt: '2026-11-23T04:05:06.789Z',
  writer: '0a1b2c3d-4711-123456',
  format: 'columns',
  compression: 'zstd',
  level: null,
  cursor: postgresCursor,
  reads: [
    { part: 0, file: 1, spec: '{"from":0,"to":400}' },
    { part: 1, file: 2, spec: '{"from":400,"to":null}' },
  ],
};

const attempt: FuzzTarget = {
  name: 'attempt',
  refusals: [],
  seeds: () => [encodeAttempt(sampleAttempt), encodeAttempt({ ...sampleAttempt, number: 2, reads: [] })],
  reshape: reshapeDocument('checksum'),
  run: (input) => {
    const read = decodeAttempt(input);
    if (read === null) return false;
    demand(sameBytes(encodeAttempt(read), input), 'what decodes encodes to the same bytes');
    planRest([read], new Set(['events-00001.columns.zst', 'events-00001.index']));
    return true;
  },
};

const gap: FuzzTarget = {
  name: 'log-gap',
  refusals: [],
  seeds: () => [
    encodeGap({
      from: 10n,
      to: 20n,
      reason: 'slot_lost',
      message: 'gone',
      noticedAt: '2026-11-23T04:05:06.000Z',
    }),
    ...globSync('log/log/*/*.gap', { cwd: VECTORS }).map((name) => readFileSync(join(VECTORS, name))),
  ],
  reshape: reshapeDocument('checksum'),
  run: (input) => {
    const read = decodeGap(input);
    if (read === null) return false;
    demand(sameBytes(encodeGap(read), input), 'what decodes encodes to the same bytes');
    return true;
  },
};

const sampleHeader: BlockHeader = {
  previous: 'd'.repeat(64),
  source: {
    kind: 'postgres',
    systemIdentifier: '7301',
    timeline: 1,
    database: 'shop',
    relation: 'public.events',
  },
  format: 'columns',
  compression: 'zstd',
  to: 50n,
  asOf: 849_000_000_000_000n,
  horizon: { position: 45n, xid: 10n },
  transactions: 2,
  isContinued: false,
  isOpen: false,
  firstCommit: 10n,
  lastCommit: 20n,
  earliest: 4n,
  latest: 5n,
  parts: [
    {
      ...{ role: 'events', storedBytes: 200, plainBytes: 300, sha256: 'a'.repeat(64), records: 3 },
      events: {
        ...{ earliest: '2000-01-01T00:00:00.000001Z', latest: '2000-01-01T00:00:00.000002Z' },
        ...{ lowestVersion: 1, highestVersion: 3, streams: 1, filter: '+/8=' },
      },
    },
    { role: 'transactions', storedBytes: 8, plainBytes: 8, sha256: 'b'.repeat(64), records: 2 },
    { role: 'removals', storedBytes: 90, plainBytes: 95, sha256: 'c'.repeat(64), records: 1 },
  ],
};

/** A header with the prefix that names it. */
export function frameHeader(text: string): Buffer {
  const bytes = Buffer.from(text);
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.write('ECL1', 'latin1');
  prefix.writeUInt32LE(bytes.length, 4);
  prefix.write(crypto.hash('sha256', bytes, 'hex'), 8, 'hex');
  return Buffer.concat([prefix, bytes]);
}

const header: FuzzTarget = {
  name: 'log-header',
  refusals: ['damaged', 'store_unsupported'],
  seeds: () =>
    [
      sampleHeader,
      { ...sampleHeader, to: null, isOpen: true, horizon: null, previous: null },
      {
        ...{
          ...sampleHeader,
          transactions: 0,
          firstCommit: null,
          lastCommit: null,
          earliest: null,
          latest: null,
        },
        parts: [
          {
            role: 'transactions' as const,
            storedBytes: 0,
            plainBytes: 0,
            sha256: 'b'.repeat(64),
            records: 0,
          },
        ],
      },
    ].map((one) => Uint8Array.from(encodeHeader(one as BlockHeader).bytes)),
  reshape: (random, seed) => {
    try {
      const value: unknown = JSON.parse(Buffer.from(seed.subarray(PREFIX_BYTES)).toString());
      return frameHeader(writeJson(random, changeJson(random, value), 0));
    } catch {
      return seed;
    }
  },
  run: (input) => {
    const { headerBytes, digest } = decodePrefix(input);
    if (headerBytes !== input.length - PREFIX_BYTES) return false;
    const read = decodeHeader(input.subarray(PREFIX_BYTES), digest);
    demand(sameBytes(encodeHeader(read).bytes, input), 'what decodes encodes to the same bytes');
    return true;
  },
};

const sampleMark = {
  id: '0d5b52ef-6f0a-4c8e-9a3d-2f8d6c1e5b4a',
  reason: 'audit 2026',
  createdAt: '2026-11-23T04:05:06.789Z',
  software: 'eventcore-backup 0.1.0',
};
const backupId = '0b7e6c1e-6f0a-4c8e-9a3d-2f8d6c1e5b4a';

const keepMark: FuzzTarget = {
  name: 'keep mark',
  refusals: [],
  seeds: () => [
    encodeFreeze(sampleMark),
    encodeHold({ ...sampleMark, backupId, until: null }),
    encodeHold({ ...sampleMark, backupId, until: '2027-06-30T00:00:00.000Z' }),
  ],
  reshape: reshapeDocument('checksum'),
  run: (input) => {
    const [hold, freeze] = [decodeHold(input), decodeFreeze(input)];
    demand(hold === null || sameBytes(encodeHold(hold), input), 'a hold encodes to the same bytes');
    demand(freeze === null || sameBytes(encodeFreeze(freeze), input), 'a freeze encodes to the same bytes');
    demand(hold === null || freeze === null, 'nothing is both');
  },
};

const evidence: FuzzTarget = {
  name: 'drill evidence',
  refusals: ['damaged'],
  seeds: () => [
    encodeEvidence(sampleEvidence(), null),
    encodeEvidence(sampleEvidence({ previous: sampleEvidence().report, store: null }), makeSigner()),
  ],
  reshape: reshapeDocument('checksum'),
  run: (input) => {
    const read = decodeEvidence(input);
    demand(parseEvidenceName(evidenceName(read)) !== null, 'what decodes has a name');
    findEvidenceSignature(read, NO_TRUST_POLICY);
    const found = { name: '', drillId: '', sha256: '', signature: null, problem: null, evidence: read };
    demand(!renderReport(read, [found]).includes('<script'), 'a report runs nothing');
    drillLines(read, (_, text) => text);
    return true;
  },
};

const folder = `backups/full-backup-${backupId}.eventcore/`;
const sampleVerified: VerifiedRecord = {
  ...{ recordId: sampleMark.id, recordedAt: '2026-11-23T04:05:07.000Z', software: sampleMark.software },
  units: [
    {
      ...{ name: folder, digest: sampleManifest().checksum, verifiedAt: '2026-11-23T04:05:06.789Z' },
      ...{ passed: ['existence', 'size', 'checksum'], failed: ['decode'] },
    },
    {
      ...{ name: `${folder}events-00001.columns.zst`, digest: 'a'.repeat(64) },
      ...{ verifiedAt: '2026-11-23T04:05:06.999Z', passed: ['existence', 'size'], failed: ['checksum'] },
    },
    {
      ...{ name: 'log/7301-1/000000000000000A-0000000000000014.log', digest: null },
      ...{ verifiedAt: '2026-11-23T04:05:06.999Z', passed: ['existence', 'counts'], failed: [] },
    },
  ],
};

const verifiedRecord: FuzzTarget = {
  name: 'verified record',
  refusals: [],
  seeds: () => [
    encodeVerified(sampleVerified),
    encodeVerified({ ...sampleVerified, units: sampleVerified.units.slice(1) }),
  ],
  reshape: reshapeDocument('checksum'),
  run: (input) => {
    const read = decodeVerified(input);
    if (read === null) return false;
    demand(sameBytes(encodeVerified(read), input), 'what decodes encodes to the same bytes');
    assertObjectName(verifiedName(read));
    const nowMs = Date.parse('2026-11-24T00:00:00Z');
    const memory = foldVerified(read.units, nowMs);
    const backup = { folder, manifest: sampleManifest() };
    const units = unitsOf(memory, [backup], []);
    demand(
      units.every(({ verifiedAtMs }) => verifiedAtMs === null || verifiedAtMs <= nowMs),
      'nothing was verified in the future',
    );
    planShare(units, { share: 0.5, notSinceMs: 1, nowMs });
    planRecords(
      [{ name: verifiedName(read), sizeBytes: input.length, units: read.units }],
      [backup],
      [],
      nowMs,
    );
    return true;
  },
};

const sampleRepair = {
  ...{ repairId: sampleMark.id, at: sampleMark.createdAt, software: sampleMark.software, backupId },
  steps: [{ kind: 'put_back_events', count: 3 }],
} as const;

const repairRecord: FuzzTarget = {
  name: 'repair record',
  refusals: [],
  seeds: () => [
    encodeRepairRecord({ ...sampleRepair, state: 'intended' }),
    encodeRepairRecord({ ...sampleRepair, state: 'intended', backupId: null, steps: [] }),
    encodeRepairRecord({
      ...sampleRepair,
      state: 'done',
      steps: sampleRepair.steps.map((step) => ({ ...step, outcome: 'repaired' })),
    }),
  ],
  reshape: reshapeDocument('checksum'),
  run: (input) => {
    const record = decodeRepairRecord(input);
    demand(
      record === null || sameBytes(encodeRepairRecord(record), input),
      'a record encodes to the same bytes',
    );
  },
};

export const DOCUMENT_TARGETS: readonly FuzzTarget[] = [
  ...[manifest, attempt, gap, header, keepMark, verifiedRecord, repairRecord],
  evidence,
];
