/** `pick-stream.ts <vault> <file>`: writes the name of an ordinary stream, the one in the middle by number of events, into a file. */
import { writeFileSync } from 'node:fs';
import { openVault } from '../../src/cli/wire.ts';
import { readCatalog } from '../../src/format/catalog.ts';
import { newestRestorePoint } from '../../src/format/chain.ts';
import { readChainHeads } from '../../src/format/chain-heads.ts';

const [address, file] = process.argv.slice(2) as [string, string];
const vault = openVault(address);
await vault.open({ create: false });
const { chain } = newestRestorePoint(await readCatalog(vault), address);
const streams: { name: string; events: number }[] = [];
for await (const { streamId, events } of readChainHeads(vault, chain))
  streams.push({ name: streamId, events });
streams.sort((a, b) => a.events - b.events || (a.name < b.name ? -1 : 1));
writeFileSync(file, streams[streams.length >> 1]!.name);
await vault.close();
