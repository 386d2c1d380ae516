import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertSameBytes, names, put, text } from '../../../src/testing/vault/fixture.ts';
import { addressOf, startVault } from './servers.ts';

const WRITER = join(import.meta.dirname, 'endless-writer.ts');
const DAY_MS = 24 * 60 * 60 * 1000;

test('of a writer that is killed nobody sees an object, and its upload is ended when it has rested for a day', async (t) => {
  const { vault, view, server, bucket, dispose } = await startVault();
  t.after(dispose);
  const { accessKeyId, secretAccessKey } = server;
  const env = { ...process.env, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
  const child = spawn(process.execPath, [WRITER, addressOf(server, bucket), 'backups/x/events'], {
    ...{ env, stdio: ['ignore', 'ignore', 'inherit'] },
  });
  while (server.log.count('UploadPart') < 4) await sleep(10);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.deepEqual(await names(vault, ''), []);
  assert.equal(await vault.stat('backups/x/events'), null);
  assert.equal(await vault.removeLeftovers(''), 0, 'it could be living elsewhere');
  assert.equal(server.openUploads(bucket), 1);
  server.clockAheadMs = DAY_MS + 60_000;
  const later = await view('');
  assert.equal(await later.removeLeftovers('backups/'), 1);
  assert.equal(server.openUploads(bucket), 0);
  await put(later, 'backups/x/events', text('second try'));
  assertSameBytes(await later.readRange('backups/x/events', 0, 10), text('second try'));
});
