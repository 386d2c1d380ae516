import { type Call, header } from './call.ts';
import { S3Error } from './s3-error.ts';
import { type Bucket, currentVersion, type Ignorable, type Version } from './world.ts';

/** Refuses a write whose `If-None-Match: *` or `If-Match` the current version does not meet. */
export function checkWriteConditions(call: Call, bucket: Bucket, ignorable: Ignorable): void {
  const { ignores } = call.world.settings;
  const ifNoneMatch = header(call, 'if-none-match');
  const ifMatch = header(call, 'if-match');
  if (ignores.has('conditions-refused') && (ifNoneMatch ?? ifMatch) !== null) {
    throw new S3Error(
      'NotImplemented',
      'A header you provided implies functionality that is not implemented',
    );
  }
  const current = currentVersion(bucket, call.key);
  if (ifNoneMatch !== null && !ignores.has(ignorable)) {
    if (ifNoneMatch !== '*') {
      throw new S3Error(
        'NotImplemented',
        'A header you provided implies functionality that is not implemented',
      );
    }
    if (current !== null) throw preconditionFailed('If-None-Match');
  }
  if (ifMatch !== null && !ignores.has('if-match')) checkIfMatch(ifMatch, current, call.key);
}

export function checkIfMatch(ifMatch: string, current: Version | null, key: string): void {
  if (current === null) {
    throw new S3Error('NoSuchKey', 'The specified key does not exist.', { facts: { Key: key } });
  }
  if (!matches(ifMatch, current)) throw preconditionFailed('If-Match');
}

export function checkReadConditions(call: Call, version: Version): void {
  const ifMatch = header(call, 'if-match');
  if (ifMatch !== null && !matches(ifMatch, version)) throw preconditionFailed('If-Match');
  const ifNoneMatch = header(call, 'if-none-match');
  if (ifNoneMatch !== null && matches(ifNoneMatch, version)) {
    throw new S3Error('NotModified', 'Not Modified', { headers: { etag: version.etag } });
  }
}

function matches(condition: string, version: Version): boolean {
  return condition === '*' || condition.replaceAll('"', '') === version.etag.replaceAll('"', '');
}

function preconditionFailed(condition: string): S3Error {
  return new S3Error('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', {
    facts: { Condition: condition },
  });
}
