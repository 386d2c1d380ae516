/** Kills backups and restores at random moments, many times: `npm run soak [-- RUNS-PER-CELL]`. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { killOneBackup, killOneRestore, prepareKillGround } from '../harness/kill-runs.ts';
import { startPostgres } from '../harness/postgres.ts';

const RUNS_PER_CELL = Number(process.argv[2] ?? 55);
const EVENTS = 30_000;

const folder = await mkdtemp(join(tmpdir(), 'eventcore-soak-'));
const postgres = await startPostgres();
const newAddress = {
  sqlite: async (): Promise<string> => `sqlite:${join(folder, `store-${randomUUID()}.db`)}`,
  postgres: async (): Promise<string> => postgres.address(await postgres.createDatabase()),
};

try {
  let kills = 0;
  for (const kind of ['sqlite', 'postgres'] as const) {
    const ground = await prepareKillGround(kind, join(folder, kind), EVENTS, newAddress[kind]);
    for (const [name, killOne] of Object.entries({ backup: killOneBackup, restore: killOneRestore })) {
      const outcomes = { killed: 0, finished: 0 };
      // A run that finished before its kill proves nothing; it does not count.
      while (outcomes.killed < RUNS_PER_CELL) outcomes[await killOne(ground)] += 1;
      kills += outcomes.killed;
      console.log(
        `${kind} ${name}: ${outcomes.killed} killed, ${outcomes.finished} finished first; all held`,
      );
    }
  }
  console.log(`${kills} kills, nothing half-done`);
} finally {
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
}
