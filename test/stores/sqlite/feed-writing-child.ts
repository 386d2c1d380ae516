/**
 * A process that commits to `argv[2]` until it is killed: each time two events to the stream `argv[3]` and one to `shared`, from
 * where these streams are. It rests for a moment now and then: SQLite's locks are not fair, and another writer may never get one.
 */
import { randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';

const COMMITS_BEFORE_REST = 20;
const resting = new Int32Array(new SharedArrayBuffer(4));

const db = new DatabaseSync(process.argv[2]!, { timeout: 60_000 });
db.exec('PRAGMA synchronous = OFF');
const name = process.argv[3]!;
const head = db.prepare(
  'SELECT ifnull(max(stream_version), 0) AS version FROM eventcore_events WHERE stream_id = ?',
);
const insert = db.prepare(
  `INSERT INTO eventcore_events (event_id, stream_id, stream_version, event_type, event_data)
   VALUES (?, ?, ?, 'Tested', ?)`,
);
for (let n = 1; ; n += 1) {
  db.exec('BEGIN IMMEDIATE');
  for (const stream of [name, name, 'shared']) {
    const version = Number(head.get(stream)?.version) + 1;
    insert.run(randomUUID(), stream, version, `"${name} ${n} ${'x'.repeat(version % 500)}"`);
  }
  db.exec('COMMIT');
  if (n % COMMITS_BEFORE_REST === 0) Atomics.wait(resting, 0, 0, 2);
  if (n === 5) process.stdout.write('writing\n');
}
