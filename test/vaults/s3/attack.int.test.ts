import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startRgw, whyNoRgw } from '../../harness/ceph-rgw.ts';
import { holdDrill } from './attack-drill.ts';

/** Ten of them are more than fits into one part of an upload: there the server forgets the lock that was asked for. */
const EVENT_BYTES = 1 << 20;

test('whoever has the rights of the backup host takes no restore point from a locked bucket of Ceph RGW', {
  skip: whyNoRgw(),
}, async () => {
  const rgw = await startRgw();
  try {
    const { by, inParts } = await holdDrill(rgw, (bucket) => rgw.addUser([bucket]), EVENT_BYTES);
    assert.ok(inParts > 0, 'nothing was large enough for an upload in parts');
    assert.ok(by['write over a name']!.done > 3);
    assert.ok(by['remove a version, bypassing']!.refused > 3);
    assert.ok(by['shorten a lock']!.refused > 3);
    assert.equal(by['keep no more versions']!.done, 0);
  } finally {
    await rgw.stop();
  }
});
