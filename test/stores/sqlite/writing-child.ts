/** A process that commits as fast as it can until it is killed: each time one event to `left` and one to `right`. */
import { DatabaseSync } from 'node:sqlite';

const db = new DatabaseSync(process.argv[2]!, { timeout: 10_000 });
db.exec('PRAGMA synchronous = OFF');
const insert = db.prepare(
  `INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data)
   VALUES (? || ' ' || ?, ?, ?, 'Tested', '{}')`,
);
for (let version = 1; ; version += 1) {
  db.exec('BEGIN IMMEDIATE');
  for (const stream of ['left', 'right']) insert.run(stream, version, stream, version);
  db.exec('COMMIT');
  if (version === 10) process.stdout.write('writing\n');
}
