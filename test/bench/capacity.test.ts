import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { estimate, fillCapacityPage, REQUESTS, readCapacityPage } from '../../bench/capacity.ts';
import { readPublished } from '../../bench/publish.ts';
import { fillStore, makeFolder, runHere } from '../harness/command.ts';
import { startS3Server } from '../harness/s3-server/server.ts';

describe('docs/operating/capacity.md', () => {
  it('is computed from the published benchmarks', () => {
    const page = readCapacityPage();
    assert.equal(fillCapacityPage(page, readPublished()), page, 'npm run bench:capacity writes it anew');
  });

  it('shows what was measured where it was, and else a line through it', () => {
    const outcomes = readPublished();
    const at = (events: number) => estimate(outcomes, 'verify', 'peakMiB', events);
    assert.equal(at(1e7).isMeasured, true);
    assert.equal(at(1e8).isMeasured, false);
    const steps = [at(1e8).value - at(9e7).value, at(3e7).value - at(2e7).value];
    assert.ok(Math.abs(steps[0]! - steps[1]!) < 1e-6 && steps[0]! > 0, steps.join(' '));
    assert.throws(() => estimate(outcomes, 'backup, level max', 'wallSeconds', 1e8), /not measured at two/);
  });

  it('says no fewer requests than a small backup takes', async () => {
    const { path: folder, remove } = await makeFolder();
    const server = await startS3Server();
    const before = { ...process.env };
    try {
      server.createBucket('backups');
      Object.assign(process.env, {
        AWS_ACCESS_KEY_ID: server.accessKeyId,
        AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
      });
      const store = `sqlite:${join(folder, 'events.db')}`;
      await fillStore(store, 2000);
      const vault = `s3://backups/shop?endpoint=${server.endpoint}&forcePathStyle=true`;
      const ran = await runHere(['backup', 'full', '--store', store, '--vault', vault]);
      assert.equal(ran.code, 0, ran.stderr);
      const requests = server.log.count();
      assert.ok(
        requests > REQUESTS.backup.fixed / 2 && requests <= REQUESTS.backup.fixed,
        `${requests} requests`,
      );
    } finally {
      for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
      await server.stop();
      await remove();
    }
  });
});
