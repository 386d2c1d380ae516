/** What a daemon knows of the queues of workers: asked of the command, of a real queue, only while somebody looks. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { loadSettings } from '../../src/cli/config/config.ts';
import type { ServeContext } from '../../src/cli/serve/log.ts';
import { followWorkQueues } from '../../src/cli/serve/work-queues.ts';
import type { WorkQueueView } from '../../src/daemon/work-queue-metrics.ts';
import { openPostgresQueue } from '../../src/queues/postgres/queue.ts';
import { PROTOCOL, SILENCE_MS } from '../../src/workers/protocol.ts';
import { queueKey } from '../../src/workers/sealed.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';
import { until } from './fleet/served-fleet.ts';

const folder = mkdtempSync(join(tmpdir(), 'eventcore-work-queues-'));
const secret = randomBytes(32).toString('base64');
const stop = new AbortController();
let server: TestPostgres;

before(async () => {
  server = await startPostgres();
  writeFileSync(join(folder, 'queue.key'), secret, { mode: 0o600 });
});
after(async () => {
  stop.abort();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function storeWith(name: string, queue: string | null) {
  const file = join(folder, `${name}.yaml`);
  const section = queue === null ? '' : `queue: { address: "${queue}", key: "file:queue.key" }\n`;
  writeFileSync(file, `vault: ./vault\n${section}`);
  return {
    file,
    current: { settings: await loadSettings({ flags: { config: file }, env: {}, cwd: folder }) },
  };
}

describe('what a daemon knows of queues of workers', () => {
  it('is of each queue that stores name, once, with no password, as long as they name it', async () => {
    const address = server.address(await server.createDatabase());
    const withPassword = address.replace('postgres@', 'postgres:hidden@');
    const nowhere = 'postgres://127.0.0.1:1/none?connect_timeout=1';
    const all = [
      await storeWith('one', withPassword),
      await storeWith('two', withPassword),
      await storeWith('alone', null),
      await storeWith('away', nowhere),
    ];
    let served = all;
    const env = { PATH: process.env.PATH };
    const context = { env, cwd: folder, signal: stop.signal } as unknown as ServeContext;
    const look = followWorkQueues(context, () => served, 100);
    const seen = (): WorkQueueView['seen'] | undefined =>
      look().find(({ queue }) => queue.includes('@'))?.seen;

    assert.deepEqual(look(), [], 'nothing is known before it was asked');
    await until(() => look().length === 2, 'both were asked');
    const shown = look().map(({ queue }) => queue);
    assert.ok(!shown.join().includes('hidden'), shown.join());
    assert.deepEqual(look().find(({ queue }) => queue.includes(':1/'))?.seen, null);
    assert.deepEqual(seen(), { waiting: 0, active: 0, dead: 0, workers: 0, lanes: 0 });

    const queue = openPostgresQueue(address, { protocol: PROTOCOL, silenceMs: SILENCE_MS, name: 'one' });
    try {
      await queue.open(queueKey(secret).check);
      await until(() => seen()?.workers === 1, 'a worker that came');
    } finally {
      await queue.close();
    }
    await until(() => seen()?.workers === 0, 'and went');

    await server.crash();
    await until(() => seen() === null, 'that it cannot be asked any more');
    served = all.slice(2, 3);
    assert.deepEqual(look(), []);
  });
});
