/**
 * A restore to be killed: `node restore-process.ts ADDRESS STAGE`. Says `there` at the stage and stays there:
 * `loading` (a COPY under way), `loaded` (indexes built), `publishing` (which the caller holds up with a lock).
 */
import { openPostgresStore } from '../../../src/stores/postgres/store.ts';
import { makeBatch } from '../../../src/testing/batches.ts';

const [address, stage] = process.argv.slice(2);
const store = openPostgresStore(address!);
const session = await store.openRestore({ attemptId: `killed-${stage}`, replace: true });
const writer = await session.openWriter();
await writer.write(makeBatch(Array.from({ length: 5000 }, (_, i) => ({ streamId: 'new', version: i + 1 }))));
setInterval(() => undefined, 1000);
if (stage === 'loading') {
  console.log('there');
} else {
  await writer.end();
  await session.finishLoad();
  console.log('there');
  if (stage === 'publishing') await session.publish();
}
