import { BackupError } from '../../core/errors.ts';
import { type EventBatch, spanBytes } from '../../core/event-batch.ts';
import { copyEvent, type GatheredEvent, packEvents } from '../../core/gathered-batch.ts';
import { nameText } from '../../core/name-text.ts';
import { pickStreams, selectStreams } from '../../core/stream-selection.ts';
import type { Vault } from '../../core/vault.ts';
import type { Chain } from '../../format/chain.ts';
import { searchStreams } from '../../format/chain-events.ts';

/** Events of a chain that are wanted, by stream and version. */
export type WantedEvents = ReadonlyMap<string, ReadonlySet<number>>;

/** What a repair holds in memory at once, since it is one transaction that nothing of the vault should keep waiting. */
const MOST_BYTES = 256 << 20;

/**
 * Reads events out of a chain, each chunk proven by its digest, into one batch of its own memory. Throws `damaged` where one is not
 * found, `usage` where they are too many.
 */
export async function gatherEvents(
  vault: Vault,
  chain: Chain,
  wanted: WantedEvents,
  signal?: AbortSignal,
): Promise<EventBatch> {
  const gathered: GatheredEvent[] = [];
  const selection = selectStreams(wanted.keys());
  let sizeBytes = 0;
  const take = (batch: EventBatch): void => {
    const own = pickStreams(batch, selection);
    for (let row = 0; own !== null && row < own.count; row += 1) {
      const stream = nameText(spanBytes(own, own.stream, row) ?? new Uint8Array(0));
      if (!wanted.get(stream)!.has(own.versions[row]!)) continue;
      const event = copyEvent(own, row, 'text');
      sizeBytes += event.fields.reduce((sum, field) => sum + (field?.length ?? 0), 0);
      if (sizeBytes > MOST_BYTES) throw tooLarge();
      gathered.push(event);
    }
  };
  await searchStreams(vault, chain, { names: () => selection.names, take, signal });
  let count = 0;
  for (const versions of wanted.values()) count += versions.size;
  if (gathered.length !== count) throw incomplete(count, gathered.length);
  return packEvents(gathered, { idKind: 'text', jsonIsCompact: false });
}

function tooLarge(): BackupError {
  return new BackupError('usage', `the events to put back have more than ${MOST_BYTES} bytes`, {
    hint: 'repair fewer streams at a time, or restore',
  });
}

function incomplete(wanted: number, found: number): BackupError {
  return new BackupError(
    'damaged',
    `${wanted} events are to be put back and the chain gives ${found} of them`,
    {
      hint: 'nothing was changed; run `eventcore verify` on the backup and plan the repair again',
    },
  );
}
