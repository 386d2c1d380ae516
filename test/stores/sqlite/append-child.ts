import { isBackupError } from '../../../src/core/errors.ts';
import { openSqliteStore } from '../../../src/stores/sqlite/store.ts';

/** A process that appends `argv[3]` events to one stream of `argv[2]`, each where it found the stream's end. */

const store = openSqliteStore(process.argv[2]!);
const name = process.argv[4]!;
let conflicts = 0;
for (let n = 0; n < Number(process.argv[3]); ) {
  const last = (await store.readStream('shared', { limit: 100_000 })).at(-1);
  const event = { type: 'Tested', data: JSON.stringify(`${name} ${n}`) };
  try {
    await store.append([{ streamId: 'shared', expectedVersion: last?.version ?? 0n, events: [event] }]);
    n += 1;
  } catch (error) {
    if (!isBackupError(error, 'version_conflict')) throw error;
    conflicts += 1;
  }
}
process.stdout.write(`${conflicts}\n`);
