import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startS3Server } from '../../harness/s3-server/server.ts';
import { holdDrill } from './attack-drill.ts';

/** What the host of the backups has no right to. */
const DENIED = [
  ...['BypassGovernanceRetention', 'PutBucketVersioning', 'PutBucketObjectLockConfiguration'],
  ...['DeleteBucket', 'CreateBucket'],
];

test('whoever has the rights of the backup host takes no restore point from a locked bucket', async () => {
  const server = await startS3Server();
  const { by } = await holdDrill(server, () => server.addUser({ denied: DENIED }));
  assert.ok(by['write over a name']!.done > 3);
  assert.ok(by['hide a name']!.done > 3);
  assert.ok(by['remove a version, bypassing']!.refused > 3);
  assert.ok(by['shorten a lock']!.refused > 3);
  for (const name of ['keep no more versions', 'lock no more objects', 'delete the bucket']) {
    assert.deepEqual(by[name], { done: 0, refused: 1 }, name);
  }
  await server.stop();
});
