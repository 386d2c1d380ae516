import { type Answer, answer, bodyText, type Call, header } from './call.ts';
import { S3Error } from './s3-error.ts';
import { findBucket, findVersion, isArchiveClass, isFrozen, type Version } from './world.ts';
import { readXml, textOf } from './xml.ts';

const DAY_MS = 86_400_000;

/** Asks for a readable copy of an archived object for some days; asking again while it is there makes it last. */
export function restoreObject(call: Call): Answer {
  const version = findVersion(findBucket(call.world, call.bucketName), call.key, call.query.get('versionId'));
  const days = Number(textOf(readXml(bodyText(call), 'RestoreRequest'), 'Days'));
  if (!Number.isInteger(days) || days < 1)
    throw new S3Error('InvalidArgument', 'restoration days should be positive');
  if (!isArchiveClass(version.traits.storageClass)) {
    throw new S3Error('InvalidObjectState', "Restore is not allowed for the object's current storage class");
  }
  const nowMs = call.world.now();
  if (isUnderWay(version, nowMs))
    throw new S3Error('RestoreAlreadyInProgress', 'Object restore is already in progress');
  const isThere = !isFrozen(version, nowMs);
  const fromMs = isThere ? version.restored!.fromMs : nowMs + call.world.settings.restoreMs;
  version.restored = { fromMs, untilMs: Math.max(fromMs, nowMs) + days * DAY_MS };
  return answer(isThere ? 200 : 202);
}

export function requireReadable(version: Version, nowMs: number): void {
  if (!isFrozen(version, nowMs)) return;
  throw new S3Error('InvalidObjectState', "The operation is not valid for the object's storage class", {
    facts: { StorageClass: version.traits.storageClass },
  });
}

export function restoreHeader(version: Version, nowMs: number): Record<string, string> {
  if (isUnderWay(version, nowMs)) return { 'x-amz-restore': 'ongoing-request="true"' };
  if (version.restored === null || isFrozen(version, nowMs)) return {};
  const until = new Date(version.restored.untilMs).toUTCString();
  return { 'x-amz-restore': `ongoing-request="false", expiry-date="${until}"` };
}

/** The class that a write asks for. */
export function storageClassOf(call: Call): string {
  const asked = header(call, 'x-amz-storage-class') ?? 'STANDARD';
  if (KNOWN_CLASSES.includes(asked)) return asked;
  throw new S3Error('InvalidArgument', 'The storage class you specified is not valid');
}

const KNOWN_CLASSES = [
  ...['STANDARD', 'REDUCED_REDUNDANCY', 'STANDARD_IA', 'ONEZONE_IA', 'INTELLIGENT_TIERING'],
  ...['GLACIER_IR', 'GLACIER', 'DEEP_ARCHIVE'],
];

function isUnderWay({ restored }: Version, nowMs: number): boolean {
  return restored !== null && nowMs < restored.fromMs;
}
