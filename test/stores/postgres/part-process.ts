/**
 * A loader to be killed: `node part-process.ts ADDRESS TOKEN STAGE`. Joins part 1 of a restore, writes it and says `there`; then
 * stays there (`writing`) or ends the part (`ending`), which the caller holds up with a lock.
 */
import { openPostgresStore } from '../../../src/stores/postgres/store.ts';
import { makeBatch } from '../../../src/testing/batches.ts';
import { streamOf } from './seeding.ts';

const [address, token, stage] = process.argv.slice(2);
const joined = await openPostgresStore(address!).joinPart(token!, '1');
if (joined.state !== 'open') throw new Error('the part is loaded');
const events = streamOf(3000, 'part-1');
for (let at = 0; at < events.length; at += 500) {
  await joined.writer.write(makeBatch(events.slice(at, at + 500)));
}
setInterval(() => undefined, 1000);
console.log('there');
if (stage === 'ending') await joined.writer.end('of the killed one');
