import { openSqliteStore } from '../../src/stores/sqlite/store.ts';

/** A process that restores the store `argv[2]` into `argv[3]`, and says how far it has come. */

function say(what: string): void {
  process.stdout.write(`${what}\n`);
}

const [source, target] = process.argv.slice(2).map(openSqliteStore) as [
  ReturnType<typeof openSqliteStore>,
  ReturnType<typeof openSqliteStore>,
];
const snapshot = await source.openSnapshot();
const session = await target.openRestore({ attemptId: 'child', replace: true });
say('opened');
const writer = await session.openWriter();
for (const range of await snapshot.planRanges(1)) {
  for await (const batch of snapshot.readRange(range, { batchBytes: 65_536 })) await writer.write(batch);
}
await writer.end();
for await (const row of snapshot.readCompanions()) await session.writeCompanion(row);
say('wrote');
await session.finishLoad();
say('finished');
// Killed here at the latest: nothing is published.
setInterval(() => {}, 1000);
