import type { Vault } from '../../../src/core/vault.ts';
import { writeLogFile } from '../../../src/format/log-writer.ts';
import { memoryVault } from '../../../src/vaults/memory/vault.ts';
import { changes, encodeBlocks, FOLDER, writeSampleLog } from '../../format/log-batches.ts';
import { readObject } from '../../harness/memory-backup.ts';
import { packVault } from '../engine/packed-vault.ts';

async function packAll(vault: Vault, prefix: string): Promise<Uint8Array> {
  const objects = new Map<string, Uint8Array>();
  for await (const { name } of vault.list(prefix)) objects.set(name, await readObject(vault, name));
  return packVault(objects);
}

/** Parts that lie as they are, so that what is changed in them is read. */
export async function plainLog(): Promise<Uint8Array> {
  const vault = memoryVault();
  const event = (version: number) => ({ streamId: 'a', version, data: '{}' });
  let previous: string | null = null;
  for (const [format, from] of [
    ['jsonl', 10n],
    ['msgpack', 20n],
    ['columns', 30n],
  ] as const) {
    const blocks = await encodeBlocks(
      [
        changes([{ xid: 7, commit: from, time: 5n, events: [event(1), event(2)] }], {
          removals: [{ afterEvents: 1, transaction: 0, kind: 'update', eventId: 'x' }],
        }),
        changes([{ xid: 8, commit: from + 5n, time: 6n, events: [event(3)] }], { isOpen: true }),
        changes([{ xid: 8, commit: from + 5n, time: 6n }], { isContinued: true, to: from + 10n }),
      ],
      { format, compression: 'none', previous },
    );
    previous = blocks.at(-1)!.digest;
    await writeLogFile(vault, FOLDER, from, blocks);
  }
  return packAll(vault, 'log/');
}

export async function sampleLog(): Promise<Uint8Array> {
  const vault = memoryVault();
  await writeSampleLog(vault);
  return packAll(vault, 'log/');
}
