import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startRgw, type TestRgw, whyNoRgw } from '../ceph-rgw.ts';
import { type Scene, setScene } from './scene.ts';
import { SENTENCES } from './sentences.ts';

/** Where Ceph RGW 16.2 differs from S3, and how. Each is checked: a newer one that has learned it fails this test. */
const DIFFERS: Readonly<Record<string, string>> = {
  'a stream is put with a checksum behind it': '411',
  'bytes that do not have their SHA-256 are refused, and not stored': 'not looked at',
  'the SHA-256 that an object was put with is told again': 'not kept',
  'If-Match takes the ETag as it was given, quotes and all': '412 unless the quotes are taken off',
  'If-Match creates nothing': '412, not 404',
  'a copy with If-None-Match: * never writes over': 'writes over',
  'a part that is not named is not used': 'refused',
  'a completion tells the ETag of the object': 'tells none',
  'parts named in the wrong order are refused': 'taken',
  'an aborted upload is gone, with its parts': 'NoSuchKey',
  'an aborted upload cannot be completed': '500, as if it were being completed',
  'an upload completed with If-None-Match: * never writes over': 'writes over',
  'a version that is gone is NoSuchVersion': 'NoSuchKey',
  'a marker is a version that cannot be read': 'NoSuchKey',
  'If-None-Match: * adds no second version': 'it does, wherever versions are kept',
  'an upload in parts is locked as it was started': 'not locked, unless the bucket locks all',
  'nothing goes into a lock without a digest of it': 'it does',
  'what is archived cannot be read before it was asked for': 'it can: the class is only a name',
  'what is archived can be read some time after it was asked for': '501',
};

const skip = whyNoRgw();
let rgw: TestRgw;
let scene: Scene;

before(async () => {
  if (skip !== false) return;
  rgw = await startRgw({ storageClasses: ['STANDARD_IA', 'GLACIER'] });
  scene = await setScene(rgw);
});

after(async () => {
  scene?.s3.destroy();
  await rgw?.stop();
});

for (const { says, see } of SENTENCES) {
  const how = DIFFERS[says];
  if (how === undefined) test(`Ceph RGW: ${says}`, { skip }, () => see(scene));
  else test(`Ceph RGW: not so (${how}): ${says}`, { skip }, () => assert.rejects(see(scene)));
}

test('the differences are of sentences that there are', () => {
  const known = SENTENCES.map(({ says }) => says);
  assert.deepEqual(
    Object.keys(DIFFERS).filter((says) => !known.includes(says)),
    [],
  );
});
