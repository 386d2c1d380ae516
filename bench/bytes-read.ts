import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { openVault } from '../src/cli/wire.ts';
import type { Vault } from '../src/core/vault.ts';
import { readCatalog } from '../src/format/catalog.ts';
import { newestRestorePoint } from '../src/format/chain.ts';
import { restoreStreams } from '../src/recovery/restore-streams.ts';
import { memoryStore } from '../src/stores/memory/store.ts';
import type { Place } from './contenders/contender.ts';

/** What the restore of the stream that `output` names reads from the vault: counted as it asks for it. */
export async function streamBytes({ input, output }: Place): Promise<number> {
  const vault = openVault(input);
  await vault.open({ create: false });
  let bytes = 0;
  const readRange: Vault['readRange'] = (name, offset, length) => {
    bytes += length;
    return vault.readRange(name, offset, length);
  };
  const counted: Vault = { ...vault, readRange };
  const { chain } = newestRestorePoint(await readCatalog(counted), input);
  const ports = { target: memoryStore(), vault: counted, clock: { now: Date.now, uuid: randomUUID } };
  const streamIds = [readFileSync(output, 'utf8')];
  await restoreStreams(ports, { chain, log: null }, { streamIds, replace: false });
  await vault.close();
  return bytes;
}
