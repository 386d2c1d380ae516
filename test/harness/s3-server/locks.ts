import {
  type Answer,
  answer,
  answerXml,
  bodyText,
  type Call,
  header,
  isoTime,
  requireRight,
} from './call.ts';
import { S3Error } from './s3-error.ts';
import {
  type Bucket,
  type DefaultRetention,
  findBucket,
  findVersion,
  type LockMode,
  type Version,
} from './world.ts';
import { malformed, readXml, textOf } from './xml.ts';

const DAY_MS = 86_400_000;
const DAYS_A_YEAR = 365;
const PROTECTED = 'Access Denied because object protected by object lock.';

/** What a write says of its lock, or what the bucket says for all that say nothing. */
export function lockOfWrite(call: Call, bucket: Bucket): Pick<Version, 'retention' | 'legalHold'> {
  const mode = header(call, 'x-amz-object-lock-mode');
  const until = header(call, 'x-amz-object-lock-retain-until-date');
  const hold = header(call, 'x-amz-object-lock-legal-hold');
  if ((mode ?? until ?? hold) !== null) requireLock(bucket);
  if ((mode === null) !== (until === null)) {
    throw new S3Error(
      'InvalidArgument',
      'x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied',
    );
  }
  if (mode !== null) requireRight(call.user, 'PutObjectRetention');
  if (hold !== null) requireRight(call.user, 'PutObjectLegalHold');
  const nowMs = call.world.now();
  const retention =
    mode === null
      ? defaultRetention(bucket, nowMs)
      : { mode: readMode(mode), untilMs: readUntil(until!, nowMs) };
  return { retention, legalHold: hold === 'ON' };
}

/** S3 takes no bytes into a locked object without a digest of them. */
export function requireDigest(call: Call, bucket: Bucket, operation: string): void {
  const isLocked =
    bucket.lock?.defaultRetention != null ||
    Object.keys(call.headers).some((name) => name.startsWith('x-amz-object-lock-'));
  if (!isLocked || call.payload.isProtected) return;
  throw new S3Error(
    'InvalidRequest',
    `Content-MD5 OR x-amz-checksum- HTTP header is required for ${operation} requests with Object Lock parameters`,
  );
}

/** Refuses to remove a version before its time. */
export function checkUnlocked(call: Call, version: Version): void {
  if (version.legalHold) throw new S3Error('AccessDenied', PROTECTED);
  const { retention } = version;
  if (retention === null || retention.untilMs <= call.world.now()) return;
  if (retention.mode === 'GOVERNANCE' && mayBypass(call)) return;
  throw new S3Error('AccessDenied', PROTECTED);
}

export function lockHeaders({ retention, legalHold }: Version): Record<string, string> {
  return {
    ...(retention === null
      ? {}
      : {
          'x-amz-object-lock-mode': retention.mode,
          'x-amz-object-lock-retain-until-date': isoTime(retention.untilMs),
        }),
    ...(legalHold ? { 'x-amz-object-lock-legal-hold': 'ON' } : {}),
  };
}

export function getLockConfiguration(call: Call): Answer {
  const { lock } = findBucket(call.world, call.bucketName);
  if (lock === null) {
    throw new S3Error(
      'ObjectLockConfigurationNotFoundError',
      'Object Lock configuration does not exist for this bucket',
    );
  }
  const rule = lock.defaultRetention;
  return answerXml('ObjectLockConfiguration', [
    ['ObjectLockEnabled', 'Enabled'],
    [
      'Rule',
      rule === null
        ? null
        : [
            [
              'DefaultRetention',
              [
                ['Mode', rule.mode],
                ['Days', rule.days],
              ],
            ],
          ],
    ],
  ]);
}

/** S3 turns Object Lock on for a bucket that exists, too, when it keeps versions. */
export function putLockConfiguration(call: Call): Answer {
  const bucket = findBucket(call.world, call.bucketName);
  const document = readXml(bodyText(call), 'ObjectLockConfiguration');
  if (bucket.versioning !== 'Enabled') {
    throw new S3Error(
      'InvalidBucketState',
      'Versioning must be Enabled on the bucket to apply an Object Lock configuration',
    );
  }
  if (textOf(document, 'ObjectLockEnabled') !== 'Enabled') throw malformed();
  const rule = document.children.find(({ name }) => name === 'Rule');
  const stated = rule?.children.find(({ name }) => name === 'DefaultRetention');
  if (stated === undefined) {
    bucket.lock = { defaultRetention: null };
    return answer(200);
  }
  const days = Number(textOf(stated, 'Days') ?? 0) + DAYS_A_YEAR * Number(textOf(stated, 'Years') ?? 0);
  if (!(days > 0))
    throw new S3Error('InvalidArgument', 'Default retention period must be a positive integer value.');
  bucket.lock = { defaultRetention: { mode: readMode(textOf(stated, 'Mode') ?? ''), days } };
  return answer(200);
}

export function getRetention(call: Call): Answer {
  const { retention } = lockedVersion(call);
  if (retention === null) throw noConfiguration();
  return answerXml('Retention', [
    ['Mode', retention.mode],
    ['RetainUntilDate', isoTime(retention.untilMs)],
  ]);
}

export function putRetention(call: Call): Answer {
  const version = lockedVersion(call);
  const document = readXml(bodyText(call), 'Retention');
  const mode = textOf(document, 'Mode');
  const nowMs = call.world.now();
  const wanted =
    mode === null
      ? null
      : { mode: readMode(mode), untilMs: readUntil(textOf(document, 'RetainUntilDate') ?? '', nowMs) };
  const { retention } = version;
  if (retention !== null && retention.untilMs > nowMs && weakens(retention, wanted)) {
    if (retention.mode === 'COMPLIANCE' || !mayBypass(call)) throw new S3Error('AccessDenied', PROTECTED);
  }
  version.retention = wanted;
  return answer(200);
}

export function getLegalHold(call: Call): Answer {
  const version = lockedVersion(call);
  return answerXml('LegalHold', [['Status', version.legalHold ? 'ON' : 'OFF']]);
}

export function putLegalHold(call: Call): Answer {
  const version = lockedVersion(call);
  const status = textOf(readXml(bodyText(call), 'LegalHold'), 'Status');
  if (status !== 'ON' && status !== 'OFF') throw malformed();
  version.legalHold = status === 'ON';
  return answer(200);
}

function weakens(now: NonNullable<Version['retention']>, wanted: Version['retention']): boolean {
  if (wanted === null || wanted.untilMs < now.untilMs) return true;
  return now.mode === 'COMPLIANCE' && wanted.mode === 'GOVERNANCE';
}

function mayBypass(call: Call): boolean {
  return (
    header(call, 'x-amz-bypass-governance-retention')?.toLowerCase() === 'true' &&
    !call.user.denied.has('BypassGovernanceRetention')
  );
}

function lockedVersion(call: Call): Version {
  const bucket = findBucket(call.world, call.bucketName);
  requireLock(bucket);
  return findVersion(bucket, call.key, call.query.get('versionId'));
}

function requireLock(bucket: Bucket): void {
  if (bucket.lock === null)
    throw new S3Error('InvalidRequest', 'Bucket is missing Object Lock Configuration');
}

function defaultRetention(bucket: Bucket, nowMs: number): Version['retention'] {
  const rule: DefaultRetention | null = bucket.lock?.defaultRetention ?? null;
  return rule === null ? null : { mode: rule.mode, untilMs: nowMs + rule.days * DAY_MS };
}

function readMode(mode: string): LockMode {
  if (mode === 'GOVERNANCE' || mode === 'COMPLIANCE') return mode;
  throw new S3Error('InvalidArgument', 'Unknown wormMode directive.');
}

function readUntil(text: string, nowMs: number): number {
  const untilMs = Date.parse(text);
  if (Number.isNaN(untilMs)) throw new S3Error('InvalidArgument', 'The retain until date is not a date');
  if (untilMs <= nowMs) throw new S3Error('InvalidArgument', 'The retain until date must be in the future!');
  return untilMs;
}

function noConfiguration(): S3Error {
  return new S3Error(
    'NoSuchObjectLockConfiguration',
    'The specified object does not have a ObjectLock configuration',
  );
}
