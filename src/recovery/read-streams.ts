import { BackupError, throwIfAborted } from '../core/errors.ts';
import type { EventBatch } from '../core/event-batch.ts';
import { nameBytes } from '../core/name-text.ts';
import { pickStreams, type StreamSelection, selectStreams } from '../core/stream-selection.ts';
import {
  addBatch,
  findStream,
  headId,
  makeStreamTable,
  releaseTable,
  type StreamTable,
  streamFacts,
} from '../core/stream-table.ts';
import type { Vault } from '../core/vault.ts';
import type { Chain } from '../format/chain.ts';
import { searchStreams } from '../format/chain-events.ts';
import { findHeads } from '../format/find-heads.ts';
import type { HeadLine } from '../format/heads.ts';

/** What the chain holds of these streams, in byte order of their names. Throws `stream_not_found`. */
export async function requireHeads(
  vault: Vault,
  chain: Chain,
  streamIds: readonly string[],
): Promise<readonly HeadLine[]> {
  const { heads, unknown } = await findHeads(vault, chain, selectStreams(streamIds).names);
  const [first] = unknown;
  if (first === undefined) return heads;
  const { backupId } = chain.at(-1)!.manifest;
  const more = unknown.length === 1 ? '' : `, nor ${unknown.length - 1} more of those named`;
  const near = first.near.map((name) => JSON.stringify(name)).join(', ');
  const list = `\`eventcore show ${backupId} --streams\` lists all`;
  throw new BackupError(
    'stream_not_found',
    `backup ${backupId} has no stream ${JSON.stringify(first.streamId)}${more}`,
    {
      hint: near === '' ? list : `its neighbours by name are ${near}; ${list}`,
      facts: { backupId, streamId: first.streamId },
    },
  );
}

export interface StreamReading {
  /** What the chain holds of the streams that are wanted. */
  readonly heads: readonly HeadLine[];
  /** Takes the events, and none of other streams; the batch is valid until it resolves. */
  readonly write: (batch: EventBatch) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/** More names than this would be looked up in each filter for longer than it takes to read all chunks. */
const MOST_LOOKED_UP = 20_000;

/**
 * Reads every event that a chain holds of certain streams, out of the chunks that may have some of them, and holds what was
 * read against the heads: number of events, first and last version, id of the last event. Throws `verification_failed`.
 */
export async function readStreams(
  vault: Vault,
  chain: Chain,
  { heads, write, signal }: StreamReading,
): Promise<void> {
  const selection = selectStreams(heads.map(({ streamId }) => streamId));
  const table = makeStreamTable(heads.length);
  const total = heads.reduce((sum, { events }) => sum + events, 0);
  let events = 0;
  const take = async (batch: EventBatch): Promise<void> => {
    throwIfAborted(signal);
    const own = pickStreams(batch, selection);
    if (own === null) return;
    addBatch(table, own);
    events += own.count;
    await write(own);
  };
  try {
    const names = namesOf(selection);
    await searchStreams(vault, chain, { names: () => names, take, isDone: () => events >= total, signal });
    for (const head of heads) compareHead(table, head);
  } finally {
    releaseTable(table);
  }
}

function namesOf({ names }: StreamSelection): readonly Uint8Array[] | 'all' {
  return names.length > MOST_LOOKED_UP ? 'all' : names;
}

function compareHead(table: StreamTable, head: HeadLine): void {
  const name = nameBytes(head.streamId);
  const index = findStream(table, name, 0, name.length);
  if (index === -1) throw differs(head, 'was not found in its files');
  const facts = streamFacts(table, index);
  for (const key of ['events', 'firstVersion', 'lastVersion'] as const) {
    if (facts[key] === head[key]) continue;
    throw differs(head, `has ${key} ${head[key]} by its heads, ${facts[key]} in its files`);
  }
  const id = headId(table, index);
  if (id.toLowerCase() === head.lastEventId.toLowerCase()) return;
  throw differs(head, `ends with event ${head.lastEventId} by its heads, with ${id} in its files`);
}

function differs({ streamId }: HeadLine, text: string): BackupError {
  return new BackupError('verification_failed', `stream ${JSON.stringify(streamId)} of the backup ${text}`, {
    hint: 'nothing was written and the target is as it was; run `eventcore verify` on the backup',
    facts: { streamId },
  });
}
