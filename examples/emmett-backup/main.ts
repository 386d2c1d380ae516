/**
 * An application that writes its events with Emmett and takes its backups itself: `node examples/emmett-backup/main.ts DATABASE OTHER_DATABASE`,
 * two empty databases, as `postgres://user@host/shop`. The other one stands for the server that is left when the first is gone.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import pg from 'pg';
import { backUp, restoreInto, verifyAll } from './backups.ts';
import { openShop } from './shop.ts';

const [address, otherAddress] = process.argv.slice(2);
if (address === undefined || otherAddress === undefined)
  throw new Error('usage: node main.ts DATABASE OTHER_DATABASE');

const folder = await mkdtemp(join(tmpdir(), 'emmett-backup-'));
const pool = new pg.Pool({ connectionString: address });
const otherPool = new pg.Pool({ connectionString: otherAddress });

const shop = await openShop(address, pool);
await shop.add('cart-1', 'tea', 2);
await shop.add('cart-2', 'coffee', 1);
console.log(`backed up ${await backUp(address, folder)} events`);

await shop.add('cart-1', 'honey', 1);
console.log(`and ${await backUp(address, folder)} that came since`);

const verified = await verifyAll(address, folder);
const isSound = verified.every(({ verification }) => verification.overallValid);
console.log(`${verified.length} backups are ${isSound ? 'sound' : 'damaged'}`);

// Emmett makes its tables, the restore fills them, and the application opens what it always opens.
const restored = await openShop(otherAddress, otherPool);
const { eventsRestored, streamsRestored } = await restoreInto(otherAddress, folder);
console.log(`restored ${eventsRestored} events in ${streamsRestored} streams`);

await restored.confirm('cart-1', 'Ada');
const { pieces, isConfirmed } = await restored.look('cart-1');
console.log(`cart-1 goes on: ${pieces} pieces, ${isConfirmed ? 'confirmed' : 'open'}`);

await Promise.all([shop.close(), restored.close()]);
await Promise.all([pool.end(), otherPool.end()]);
await rm(folder, { recursive: true });
