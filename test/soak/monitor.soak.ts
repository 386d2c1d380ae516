/** A monitor over a healthy store under load reports nothing, at length: `npm run soak:monitor [-- SECONDS]`. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { soakMonitor } from '../harness/monitor-soak.ts';
import { startPostgres } from '../harness/postgres.ts';

const seconds = Number(process.argv[2] ?? 600);
const server = await startPostgres({ settings: { max_prepared_transactions: '40', max_wal_size: '4GB' } });
const folder = await mkdtemp(join(tmpdir(), 'eventcore-monitor-'));
let saidAt = 0;
const MOST_SHOWN = 20;
try {
  const result = await soakMonitor(server, {
    ...{ folder, seconds, sample: '20%', intervalMs: 1000, events: 50_000, writers: 6 },
    onProgress: (text) => {
      if (Date.now() - saidAt < 10_000) return;
      saidAt = Date.now();
      console.log(text);
    },
  });
  const { runs, compared, eventsLooked, eventsCompared, eventsWritten, backups, rebuilds, medianMs } = result;
  console.log(`${runs} runs at 20 %, one each second or as soon as it could; median ${medianMs} ms`);
  console.log(
    `${compared} of them compared with the newest backup: ${eventsCompared} of ${eventsLooked} events`,
  );
  console.log(`meanwhile ${eventsWritten} events, ${backups} backups, ${rebuilds} indexes built anew`);
  for (const [reason, times] of Object.entries(result.skipped))
    console.log(`not done ${times} times: ${reason}`);
  console.log(`${result.falseAlarms.length} false alarms`);
  for (const { check, message } of result.falseAlarms.slice(0, MOST_SHOWN))
    console.log(`${check}: ${message}`);
  console.log(`an event that was changed in the end was found after ${result.foundAfterRuns} runs`);
  if (result.falseAlarms.length > 0) process.exitCode = 1;
} finally {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
}
