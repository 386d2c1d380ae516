/** node endless-writer.ts ADDRESS NAME: writes an object that never ends, until it is killed. */
import process from 'node:process';
import { openS3Vault } from '../../../src/vaults/s3/vault.ts';

const [address, name] = process.argv.slice(2);
if (address === undefined || name === undefined) throw new Error('usage: endless-writer.ts ADDRESS NAME');
const vault = openS3Vault(address);
await vault.open({ create: false });
const writer = await vault.createObject(name);
for (;;) await writer.write(new Uint8Array(1 << 20));
