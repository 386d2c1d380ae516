/** Proves that the change log has neither gap nor double, at length: `npm run soak:archive [-- KILLS]`. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { proveArchive } from '../harness/archive-runs.ts';
import { startPostgres } from '../harness/postgres.ts';

const kills = Number(process.argv[2] ?? 120);
const server = await startPostgres({ settings: { max_prepared_transactions: '40', max_wal_size: '4GB' } });
const folder = await mkdtemp(join(tmpdir(), 'eventcore-archive-'));
let saidAt = 0;
try {
  const proof = await proveArchive(server, folder, {
    ...{ kills, writers: 10, maxDelayMs: 200, pauseMs: 3000 },
    onProgress: (text) => {
      if (Date.now() - saidAt < 10_000) return;
      saidAt = Date.now();
      console.log(text);
    },
  });
  const { archiver, server: crashes, vault } = proof.kills;
  console.log(`${proof.events} events, each once and in order, in ${proof.files} files`);
  console.log(`killed: archiver ${archiver}, server ${crashes}, vault ${vault} times`);
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
