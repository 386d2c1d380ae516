/** What is kept for later does not keep the process alive, and what is waited for does. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openPostgresStore } from '../../../src/stores/postgres/store.ts';
import { makeFolder, runCommand, withStoreAt } from '../../harness/command.ts';
import { startFreezingProxy } from '../../harness/freezing-proxy.ts';
import { startPostgres, type TestPostgres } from '../../harness/postgres.ts';

describe('the connections that a process keeps', () => {
  let server: TestPostgres;
  let folder: Awaited<ReturnType<typeof makeFolder>>;

  before(async () => {
    server = await startPostgres();
    folder = await makeFolder();
    await withStoreAt(server.address('postgres'), (store) => store.initialise());
  });
  after(async () => {
    await server?.stop();
    await folder.remove();
  });

  it('are closed before a command ends, which then ends by itself', async () => {
    const words = ['export', '--store', server.address('postgres'), '--to', '-'];
    const { code, stderr } = await runCommand(folder.path, words);
    assert.deepEqual([code, /unsettled/.test(stderr)], [0, false], stderr);
  });

  it('hold nobody up where the network is cut', async () => {
    const proxy = await startFreezingProxy(server.port);
    const address = new URL(server.address('postgres'));
    address.port = String(proxy.port);
    const store = openPostgresStore(address.href);
    await store.inspect();
    proxy.freeze();
    const begunMs = performance.now();
    await store.close();
    proxy.close();
    assert.ok(performance.now() - begunMs < 5000, 'what was said goodbye to was waited for');
  });
});
