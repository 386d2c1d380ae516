import { BackupError, throwIfAborted } from '../core/errors.ts';
import type { EventBatch } from '../core/event-batch.ts';
import type { EventStore, MergedStream, MergeSession, StreamSummary } from '../core/event-store.ts';
import { compareUtf8 } from '../core/text-order.ts';
import { formatTime, timeFromUnixMs } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import { assertChain } from '../format/chain.ts';
import { readChainHeads } from '../format/chain-heads.ts';
import type { HeadLine } from '../format/heads.ts';
import { assertFits } from './plan.ts';
import { findWish, readStreams, type StreamSource, type StreamWish } from './read-streams.ts';
import type { RestorePorts } from './restore.ts';
import type { StreamOutcome } from './restore-streams.ts';

export interface MergeStreamsOptions {
  /** Null: all streams of the backup. */
  readonly streamIds: readonly string[] | null;
  /** Only say what would be added. */
  readonly dryRun: boolean;
  readonly onStep?: (step: string) => void;
  readonly signal?: AbortSignal;
}

export interface MergeReport {
  readonly backupId: string;
  readonly chain: readonly string[];
  /** Of those that were named; of all streams those that are not `unchanged`. */
  readonly streams: readonly StreamOutcome[];
  readonly unchangedStreams: number;
  readonly eventsRestored: number;
  readonly streamsRestored: number;
  /** RFC 3339, when the events became visible; null when nothing was added. */
  readonly recoveryTime: string | null;
  readonly durationMs: number;
  readonly dataIntegrityVerified: true;
}

/**
 * Adds to a store in use what it lacks of a backup's streams: every id, version and time kept, all in one transaction. The
 * events that it has must be the backup's, or `store_diverged` is thrown and nothing is added; what it has beyond the backup stays.
 */
export async function mergeStreams(
  ports: Pick<RestorePorts, 'target' | 'vault' | 'clock'>,
  source: StreamSource,
  options: MergeStreamsOptions,
): Promise<MergeReport> {
  const { target, clock } = ports;
  const { chain } = source;
  const startedAtMs = clock.now();
  assertChain(chain);
  const description = await target.inspect();
  for (const link of chain) assertFits(link, description);
  if (description.state === 'missing') throw noStore(target);
  const { wish, same } = await chooseStreams(ports, source, options.streamIds);
  const isNothing = wish.heads.length === 0 && source.log === null;
  const outcomes = isNothing ? [] : await mergeWish(ports, source, wish, options);
  const changed = outcomes.filter(({ action }) => action !== 'unchanged');
  const finishedAtMs = clock.now();
  return {
    backupId: chain.at(-1)!.manifest.backupId,
    chain: chain.map((link) => link.manifest.backupId),
    streams: options.streamIds === null ? changed : outcomes,
    unchangedStreams: same + outcomes.length - changed.length,
    eventsRestored: changed.reduce((sum, { events }) => sum + events, 0),
    streamsRestored: changed.length,
    recoveryTime: changed.length === 0 || options.dryRun ? null : formatTime(timeFromUnixMs(finishedAtMs), 3),
    durationMs: Math.max(0, finishedAtMs - startedAtMs),
    dataIntegrityVerified: true,
  };
}

function noStore({ address }: EventStore): BackupError {
  return new BackupError('not_an_event_store', `${address} holds no event store to add to`, {
    hint: 'restore without --merge: that makes the store',
  });
}

/** The streams to look into: those that were named, or all that the store does not have just as the backup has them. */
async function chooseStreams(
  { target, vault }: { readonly target: EventStore; readonly vault: Vault },
  source: StreamSource,
  streamIds: readonly string[] | null,
): Promise<{ wish: StreamWish; same: number }> {
  if (streamIds !== null) return { wish: await findWish(vault, source, streamIds), same: 0 };
  const heads: HeadLine[] = [];
  let same = 0;
  const snapshot = await target.openSnapshot();
  try {
    const live = snapshot.readSummaries()[Symbol.asyncIterator]();
    let step = await live.next();
    for await (const head of readChainHeads(vault, source.chain)) {
      while (step.done !== true && compareUtf8(step.value.streamId, head.streamId) < 0)
        step = await live.next();
      if (step.done !== true && isSame(step.value, head)) same += 1;
      else heads.push(head);
    }
    await live.return?.();
  } finally {
    await snapshot.close();
  }
  return { wish: { heads, selection: null, unknown: [] }, same };
}

function isSame(live: StreamSummary, head: HeadLine): boolean {
  return (
    live.streamId === head.streamId &&
    live.events === head.events &&
    live.firstVersion === head.firstVersion &&
    live.lastVersion === head.lastVersion &&
    live.lastEventId.toLowerCase() === head.lastEventId.toLowerCase()
  );
}

async function mergeWish(
  { target, vault }: { readonly target: EventStore; readonly vault: Vault },
  source: StreamSource,
  wish: StreamWish,
  { dryRun, onStep, signal }: MergeStreamsOptions,
): Promise<StreamOutcome[]> {
  const session = await target.openMerge({ dryRun });
  try {
    onStep?.('reading the backup');
    const heads = await stage(session, vault, source, wish, signal);
    onStep?.('comparing with the store');
    const outcomes = await compareWithStore(session, heads);
    const missing = outcomes.reduce((sum, { events }) => sum + events, 0);
    throwIfAborted(signal);
    if (dryRun || missing === 0) return outcomes;
    onStep?.('adding what is missing');
    const added = await session.publish();
    if (added === missing) return outcomes;
    throw new BackupError('internal', `${missing} events were missing and ${added} were added`);
  } finally {
    await session.discard();
  }
}

async function stage(
  session: MergeSession,
  vault: Vault,
  source: StreamSource,
  wish: StreamWish,
  signal: AbortSignal | undefined,
): Promise<readonly HeadLine[]> {
  const writer = await session.openWriter();
  try {
    const write = (batch: EventBatch): Promise<void> => writer.write(batch);
    const heads = await readStreams(vault, source, wish, { write, signal });
    await writer.end();
    return heads;
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** More than these are counted, not named. */
const MOST_NAMED = 5;

async function compareWithStore(session: MergeSession, heads: readonly HeadLine[]): Promise<StreamOutcome[]> {
  const outcomes: StreamOutcome[] = [];
  const conflicts: MergedStream[] = [];
  let at = 0;
  for await (const stream of session.compare()) {
    const head = heads[at];
    at += 1;
    if (head?.streamId !== stream.streamId || head.events !== stream.written) throw notStaged(stream);
    if (stream.conflictAt !== null) conflicts.push(stream);
    outcomes.push(decideOutcome(stream, head.lastVersion));
  }
  if (at !== heads.length)
    throw new BackupError('internal', `${heads.length - at} streams were not compared`);
  if (conflicts.length > 0) throw diverged(conflicts);
  return outcomes;
}

/** What becomes of a stream without a conflict. `lastVersion` is the backup's. */
export function decideOutcome(
  { streamId, missing, firstMissing, lastMissing, storeLast }: MergedStream,
  lastVersion: number,
): StreamOutcome {
  const action =
    missing === 0
      ? 'unchanged'
      : storeLast === null
        ? 'created'
        : firstMissing! > storeLast
          ? 'extended'
          : 'filled';
  const ahead = storeLast !== null && storeLast > lastVersion ? { aheadAt: storeLast } : {};
  return { streamId, action, fromVersion: firstMissing, toVersion: lastMissing, events: missing, ...ahead };
}

function notStaged({ streamId, written }: MergedStream): BackupError {
  return new BackupError(
    'verification_failed',
    `stream ${JSON.stringify(streamId)} came to the target with ${written} events, the backup has another number`,
    {
      hint: 'nothing was added; please report this with the output of `eventcore verify`',
      facts: { streamId },
    },
  );
}

function diverged(conflicts: readonly MergedStream[]): BackupError {
  const { streamId, conflictAt } = conflicts[0]!;
  const others = conflicts.slice(1, MOST_NAMED).map((stream) => JSON.stringify(stream.streamId));
  const more = conflicts.length > MOST_NAMED ? ` and ${conflicts.length - MOST_NAMED} more` : '';
  const alike = others.length === 0 ? '' : `; so do ${others.join(', ')}${more}`;
  return new BackupError(
    'store_diverged',
    `stream ${JSON.stringify(streamId)} of the store differs from the backup at version ${conflictAt}${alike}`,
    {
      hint: 'nothing was added: another event stands there; restore the stream with --stream into another store and compare',
      facts: { streamId, version: String(conflictAt), streams: conflicts.length },
    },
  );
}
