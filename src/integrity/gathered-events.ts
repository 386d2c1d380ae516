import { BackupError } from '../core/errors.ts';
import { type EventBatch, makeSpans, NULL_LENGTH, type Spans, spanBytes } from '../core/event-batch.ts';
import { idText } from '../core/event-id.ts';
import { nameText } from '../core/name-text.ts';
import { pickStreams, selectStreams } from '../core/stream-selection.ts';
import type { Vault } from '../core/vault.ts';
import type { Chain } from '../format/chain.ts';
import { searchStreams } from '../format/chain-events.ts';

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
      const event = copyEvent(own, row);
      sizeBytes += event.fields.reduce((sum, field) => sum + (field?.length ?? 0), 0);
      if (sizeBytes > MOST_BYTES) throw tooLarge();
      gathered.push(event);
    }
  };
  await searchStreams(vault, chain, { names: () => selection.names, take, signal });
  let count = 0;
  for (const versions of wanted.values()) count += versions.size;
  if (gathered.length !== count) throw incomplete(count, gathered.length);
  return packEvents(gathered);
}

interface GatheredEvent {
  /** Id as text, stream, type, data, metadata. */
  readonly fields: readonly (Uint8Array | null)[];
  readonly version: number;
  readonly time: bigint;
  readonly timeText: Uint8Array | null;
}

/** The batch is only borrowed. */
function copyEvent(batch: EventBatch, row: number): GatheredEvent {
  const copy = (bytes: Uint8Array | null | undefined): Uint8Array | null =>
    bytes === null || bytes === undefined ? null : new Uint8Array(bytes);
  const texts = [batch.stream, batch.type, batch.data, batch.metadata];
  return {
    fields: [idBytes(batch, row), ...texts.map((spans) => copy(spanBytes(batch, spans, row)))],
    version: batch.versions[row]!,
    time: batch.times[row]!,
    timeText: copy(batch.timeTexts?.get(row)),
  };
}

const encoder = new TextEncoder();

/** As text, whatever the chunk has: other chunks may have another kind. */
function idBytes(batch: EventBatch, row: number): Uint8Array | null {
  if (batch.idKind === 'uuid') return encoder.encode(idText(batch, row));
  const bytes = spanBytes(batch, batch.id, row);
  return bytes === null ? null : new Uint8Array(bytes);
}

function packEvents(events: readonly GatheredEvent[]): EventBatch {
  const spans = Array.from({ length: 5 }, () => makeSpans(events.length)) as [
    Spans,
    Spans,
    Spans,
    Spans,
    Spans,
  ];
  const parts: Uint8Array[] = [];
  const timeTexts = new Map<number, Uint8Array>();
  let at = 0;
  for (const [row, { fields, timeText }] of events.entries()) {
    for (const [column, field] of fields.entries()) {
      spans[column]!.starts[row] = at;
      spans[column]!.lengths[row] = field?.length ?? NULL_LENGTH;
      if (field === null) continue;
      parts.push(field);
      at += field.length;
    }
    if (timeText !== null) timeTexts.set(row, timeText);
  }
  const [id, stream, type, data, metadata] = spans;
  return {
    count: events.length,
    bytes: concat(parts, at),
    idKind: 'text',
    ...{ id, stream, type, data, metadata },
    versions: Float64Array.from(events, ({ version }) => version),
    times: BigInt64Array.from(events, ({ time }) => time),
    timeTexts: timeTexts.size === 0 ? null : timeTexts,
    jsonIsCompact: false,
  };
}

function concat(parts: readonly Uint8Array[], sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
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
