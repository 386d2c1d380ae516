/** node change-name.ts HOST:PORT ZONE KEYFILE FROM TO: somebody else with the same key changes the public name. */
import { readFileSync } from 'node:fs';
import { rfc2136Name } from '../../src/actions/names/rfc2136.ts';
import { parseTsigKey } from '../../src/actions/names/tsig-key.ts';

const [server = '', zone = '', keyFile = '', from = '', to = ''] = process.argv.slice(2);
const [host = '', port] = server.split(':');
const name = rfc2136Name({
  ...{ server: { host, port: Number(port) }, zone, name: `db.${zone}`, type: 'A', ttl: 1 },
  key: parseTsigKey(readFileSync(keyFile, 'utf8')),
});
await name.switchTo({ from, to }, { signal: AbortSignal.timeout(10_000) });
