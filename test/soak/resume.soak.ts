/** Kills full backups and the runs that take them up, while slow writers go on: `npm run soak:resume [-- KILLS]`. */
import { makeFolder } from '../harness/command.ts';
import { startPostgres } from '../harness/postgres.ts';
import { killAndTakeUp, prepareResumeGround } from '../harness/resume-runs.ts';

const KILLS = Number(process.argv[2] ?? 200);
const EVENTS = 60_000;

const { path, remove } = await makeFolder();
const postgres = await startPostgres({ settings: { max_prepared_transactions: '20' } });
try {
  const ground = await prepareResumeGround(path, postgres, EVENTS);
  const sum = { rounds: 0, kills: 0, filesKept: 0, eventsKept: 0, eventsAdded: 0 };
  while (sum.kills < KILLS) {
    const round = await killAndTakeUp(ground, 1 + Math.floor(Math.random() * 5));
    sum.rounds += 1;
    for (const key of ['kills', 'filesKept', 'eventsKept', 'eventsAdded'] as const) sum[key] += round[key];
    console.log(JSON.stringify(sum));
  }
  console.log(`${sum.kills} kills in ${sum.rounds} backups; each held what the store held, event for event`);
} finally {
  await postgres.stop();
  await remove();
}
