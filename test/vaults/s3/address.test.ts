import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBackupError } from '../../../src/core/errors.ts';
import { parseS3Address } from '../../../src/vaults/s3/address.ts';

describe('the address of a bucket', () => {
  it('names bucket and prefix, and says nothing of the rest', () => {
    const at = parseS3Address('s3://my.bucket-1/eventcore/shop/');
    assert.equal(at.bucket, 'my.bucket-1');
    assert.equal(at.root, 'eventcore/shop/');
    assert.equal(at.text, 's3://my.bucket-1/eventcore/shop');
    assert.deepEqual(
      [at.region, at.endpoint, at.forcePathStyle, at.storageClass, at.sse, at.lock, at.view],
      [null, null, false, null, null, null, null],
    );
    for (const text of ['s3://bucket', 's3://bucket/', 'S3://bucket//'])
      assert.equal(parseS3Address(text).root, '');
  });

  it('says all that can be said', () => {
    const text =
      's3://bucket/x?region=eu-central-1&endpoint=http://127.0.0.1:9000&forcePathStyle=true&storageClass=STANDARD_IA' +
      '&sse=aws:kms&sseKmsKeyId=arn:aws:kms:eu-central-1:1:key/2&lock=compliance&lockDays=30&recallDays=3';
    const at = parseS3Address(text);
    assert.equal(at.text, text);
    assert.equal(at.endpoint, 'http://127.0.0.1:9000');
    assert.equal(at.forcePathStyle, true);
    assert.equal(at.storageClass, 'STANDARD_IA');
    assert.equal(at.sse, 'aws:kms');
    assert.equal(at.sseKmsKeyId, 'arn:aws:kms:eu-central-1:1:key/2');
    assert.deepEqual(at.lock, { mode: 'compliance', days: 30 });
    assert.equal(at.recallDays, 3);
  });

  it('of glacier names the archive, or another class', () => {
    assert.equal(parseS3Address('glacier://bucket/x').storageClass, 'GLACIER');
    const deep = parseS3Address('glacier://bucket/x?storageClass=DEEP_ARCHIVE');
    assert.equal(deep.storageClass, 'DEEP_ARCHIVE');
    assert.equal(deep.text, 'glacier://bucket/x?storageClass=DEEP_ARCHIVE');
  });

  it('may name a view of earlier versions', () => {
    assert.equal(parseS3Address('s3://bucket?versions=first').view, 'first');
    const noonMs = Date.UTC(2026, 2, 1, 12);
    for (const time of ['2026-03-01T12:00:00Z', '2026-03-01T14:00+02:00', '2026-03-01T14:00%2B02:00']) {
      const { view, text } = parseS3Address(`s3://bucket?asOf=${time}`);
      assert.deepEqual(view, { asOfMs: noonMs });
      assert.deepEqual(parseS3Address(text).view, view);
    }
  });

  it('is the same when it is read again', () => {
    for (const text of [
      's3://b-1/a=b/!_.*()?region=x&endpoint=https://h/p%20q',
      'glacier://bbb?lockDays=1&lock=governance',
    ]) {
      const once = parseS3Address(text);
      assert.deepEqual(parseS3Address(once.text), once);
    }
  });

  for (const [text, reason] of [
    ['https://bucket/x', /does not begin with s3/],
    ['s3:bucket', /does not begin with s3/],
    ['s3:///x', /no name that a bucket can have/],
    ['s3://Bucket/x', /no name that a bucket can have/],
    ['s3://b/x', /no name that a bucket can have/],
    ['s3://bucket/a/../b', /its prefix/],
    ['s3://bucket/a//b', /its prefix/],
    ['s3://bucket/a b', /its prefix/],
    ['s3://bucket?colour=red', /unknown parameter "colour"/],
    ['s3://bucket?region=a&region=b', /region twice/],
    ['s3://bucket?region=', /region is empty/],
    ['s3://bucket?region=a b', /region is none/],
    ['s3://bucket?endpoint=localhost:9000', /endpoint is no URL/],
    ['s3://bucket?endpoint=http://h/?x=y', /endpoint is no URL/],
    ['s3://bucket?forcePathStyle=yes', /neither true nor false/],
    ['s3://bucket?sse=on', /neither AES256 nor aws:kms/],
    ['s3://bucket?sseKmsKeyId=x', /goes with sse=aws:kms/],
    ['s3://bucket?lock=governance', /goes with lockDays/],
    ['s3://bucket?lockDays=3', /neither governance nor compliance/],
    ['s3://bucket?lock=forever&lockDays=3', /neither governance nor compliance/],
    ['s3://bucket?lock=governance&lockDays=0', /no number of days/],
    ['s3://bucket?recallDays=1.5', /no number of days/],
    ['s3://bucket?versions=all', /versions is not first/],
    ['s3://bucket?versions=first&asOf=2026-03-01T12:00:00Z', /exclude each other/],
    ['s3://bucket?asOf=yesterday', /asOf is no time/],
    ['s3://bucket?asOf=2026-03-01T12:00:00', /asOf is no time/],
  ] as const) {
    it(`is refused when it is ${text}, and says what can be said`, () => {
      assert.throws(
        () => parseS3Address(text),
        (error) =>
          isBackupError(error, 'usage') && reason.test(error.message) && /lockDays/.test(error.hint ?? ''),
      );
    });
  }

  const secret = 's3cr3t';
  for (const text of [
    `s3://AKIA:${secret}@bucket/x`,
    `s3://${secret}@bucket/x`,
    `s3://bucket/x?secretAccessKey=${secret}`,
    `s3://bucket/x?accessKeyId=${secret}`,
    `s3://bucket/x?sessionToken=${secret}`,
    `s3://bucket/x?endpoint=http://u:${secret}@host:9000`,
  ]) {
    it(`is refused with credentials in it (${text.replace(secret, '•••')}), which are not repeated`, () => {
      assert.throws(
        () => parseS3Address(text),
        (error) =>
          isBackupError(error, 'usage') &&
          /credentials/.test(error.message) &&
          !`${error.message}${error.hint}`.includes(secret),
      );
    });
  }
});
