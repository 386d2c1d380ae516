import type { Manifest } from '../../core/manifest.ts';
import { chainTotals } from '../../format/chain.ts';
import { cutsOf } from '../render/cuts.ts';

const SHORT_LENGTH = 8;

/** The shortest beginning, eight characters or more, that tells each of these ids from the others. */
export function shortIds(ids: readonly string[]): ReadonlyMap<string, string> {
  let length = SHORT_LENGTH;
  const distinct = new Set(ids);
  const longest = Math.max(SHORT_LENGTH, ...ids.map((id) => id.length));
  while (length < longest && new Set([...distinct].map((id) => id.slice(0, length))).size < distinct.size) {
    length += 1;
  }
  return new Map([...distinct].map((id) => [id, id.slice(0, length)]));
}

/** `columns, zstd`; `jsonl` when it is not compressed; `columns, zstd, sealed`. */
export function formatName({
  format,
  compression,
  sealed,
}: Pick<Manifest, 'format' | 'compression' | 'sealed'>): string {
  const words = [format, ...(compression === 'none' ? [] : [compression]), ...(sealed ? ['sealed'] : [])];
  return words.join(', ');
}

/** What --json says of a backup, wherever it is named. */
export function backupDocument(manifest: Manifest): Record<string, unknown> {
  const { formatVersion, backupId, kind, parentId, createdAt, finishedAt, durationMs, software } = manifest;
  const { format, compression, level, sealed, store, totalEvents, totalStreams } = manifest;
  const { sizeBytes, plainBytes, eventRange, cursor, oddities, checksum, chain } = manifest;
  const inAll = chainTotals(manifest);
  const cuts = cutsOf(cursor);
  return {
    ...{ backupId, kind, parentId, createdAt, finishedAt, durationMs, software },
    ...{ formatVersion, format, compression, level, sealed, source: store },
    signer: manifest.signature?.signer ?? null,
    ...{ totalEvents, totalStreams, sizeBytes, plainBytes, checksum, eventRange, cursor, oddities },
    ...(cuts === null ? {} : { cuts }),
    chain: {
      ...{ baseId: chain?.baseId ?? backupId, length: chain?.length ?? 1 },
      ...{ totalEvents: inAll.totalEvents, totalStreams: inAll.totalStreams, method: chain?.method ?? null },
    },
  };
}
