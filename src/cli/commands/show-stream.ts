import { BackupError, isBackupError } from '../../core/errors.ts';
import type { StreamSummary } from '../../core/event-store.ts';
import { formatTime } from '../../core/time.ts';
import { parseUuid, UUID_BYTES } from '../../core/uuid-text.ts';
import { timeOfUuidV7 } from '../../core/uuid-v7.ts';
import type { Vault } from '../../core/vault.ts';
import { findBackup, readCatalog } from '../../format/catalog.ts';
import type { HeadLine } from '../../format/heads.ts';
import {
  compareWithStore,
  findOnlyInBackups,
  readStreamHistory,
  type StreamHistory,
  type StreamPoint,
  type StreamStanding,
} from '../../recovery/stream-history.ts';
import { type CommandContext, withStore } from '../context.ts';
import { type KeyFlags, loadKeys } from '../keys.ts';
import { historyLines } from '../render-history.ts';

export interface HistoryFlags extends KeyFlags {
  readonly stream: string;
  readonly limit?: number;
}

/** Backups that are looked into, unless told otherwise. */
export const HISTORY_BACKUPS = 500;

/** What a stream is in the store now. */
export interface LiveStream {
  /** Without a password. */
  readonly address: string;
  readonly state: 'held' | 'absent' | 'unknown';
  readonly summary: StreamSummary | null;
  /** Of its event at the version that the newest backup of it ends with; null where that was not read. */
  readonly idThere: string | null;
  readonly problem: StreamPoint['problem'];
}

export interface ShownStream {
  readonly streamId: string;
  readonly vault: string;
  readonly history: StreamHistory;
  /** Older backups that were not looked into. */
  readonly omitted: number;
  /** Null: the configuration names no store. */
  readonly live: LiveStream | null;
  readonly standing: StreamStanding;
}

/** Some backup, or the store, could not be looked at. */
const IN_PART = 10;

/** One stream over the backups of a vault, and in the store. Gives the exit code. */
export async function showStream(
  context: CommandContext,
  vault: Vault,
  wanted: string | undefined,
  flags: HistoryFlags,
): Promise<number> {
  const settings = await context.settings();
  const catalog = await readCatalog(vault);
  const newestFirst = wanted === undefined ? catalog.backups.toReversed() : [findBackup(catalog, wanted)];
  const entries = newestFirst.slice(0, flags.limit ?? HISTORY_BACKUPS);
  const keys = await loadKeys(settings, flags, context);
  const { stream: streamId } = flags;
  const { signal } = context;
  const history = await readStreamHistory(vault, catalog, { streamId, entries, keys, signal });
  const newest = newestKnown(history);
  const live = settings.store === null ? null : await lookAtStore(settings.store, streamId, newest);
  const standing = live === null || live.state === 'unknown' ? 'unknown' : standingOf(newest, live);
  const omitted = newestFirst.length - entries.length;
  const shown: ShownStream = { streamId, vault: vault.address, history, omitted, live, standing };
  if (isNowhere(shown)) throw notFound(shown);
  context.output.document(streamDocument(shown));
  context.output.answer(historyLines(shown, context.output.paint));
  return isInPart(shown) ? IN_PART : 0;
}

function newestKnown({ points }: StreamHistory): StreamPoint | null {
  return points.find(({ state }) => state !== 'unknown') ?? null;
}

function standingOf(newest: StreamPoint | null, { summary, idThere }: LiveStream): StreamStanding {
  return compareWithStore(newest, summary, idThere);
}

async function lookAtStore(
  address: string,
  streamId: string,
  newest: StreamPoint | null,
): Promise<LiveStream> {
  return withStore(address, async (store) => {
    const blank = { address: store.address, summary: null, idThere: null, problem: null };
    try {
      const summary = await store.findStream(streamId);
      if (summary === null) return { ...blank, state: 'absent' };
      const idThere = await idAt(summary, newest?.head ?? null, async (fromVersion) => {
        const [event] = await store.readStream(streamId, { fromVersion, limit: 1 });
        return event?.version === fromVersion ? event.id : null;
      });
      return { ...blank, state: 'held', summary, idThere };
    } catch (error) {
      if (!isBackupError(error) || error.exitCode !== STORE_TROUBLE) throw error;
      const { code, message, hint } = error;
      return { ...blank, state: 'unknown', problem: { code, message, hint } };
    }
  });
}

const STORE_TROUBLE = new BackupError('store_unreachable', '').exitCode;

async function idAt(
  summary: StreamSummary,
  head: HeadLine | null,
  read: (version: bigint) => Promise<string | null>,
): Promise<string | null> {
  if (head === null || summary.lastVersion < head.lastVersion) return null;
  return summary.lastVersion === head.lastVersion ? summary.lastEventId : read(BigInt(head.lastVersion));
}

function isNowhere({ history, live }: ShownStream): boolean {
  return live?.state !== 'held' && history.points.every(({ state }) => state === 'absent');
}

function notFound({ streamId, vault, history: { near, points }, live, omitted }: ShownStream): BackupError {
  const where = [
    points.length === 0 ? 'no backup is there to look into' : `no backup in ${vault} that was looked into`,
    ...(live?.state === 'absent' ? [`nor the store ${live.address}`] : []),
  ].join(', ');
  const names = near.map((name) => JSON.stringify(name)).join(', ');
  const older = omitted === 0 ? '' : `; ${omitted} older backups were not looked into: see --limit`;
  const hint =
    names === ''
      ? '`eventcore show --streams --prefix TEXT` lists streams whose names begin so'
      : `its neighbours by name are ${names}`;
  return new BackupError('stream_not_found', `${where} has a stream ${JSON.stringify(streamId)}`, {
    hint: `${hint}${older}`,
    facts: { streamId },
  });
}

function isInPart({ history, live }: ShownStream): boolean {
  return live?.state === 'unknown' || history.points.some(({ state }) => state === 'unknown');
}

function streamDocument(shown: ShownStream): Record<string, unknown> {
  const { streamId, vault, history, omitted, live, standing } = shown;
  return {
    ...{ vault, streamId },
    history: history.points.map(pointDocument),
    ...{ omitted, near: history.near },
    store: live === null ? null : liveDocument(live),
    standing,
    onlyInBackups: onlyInBackups(shown),
  };
}

/** Null as well where the store could not be asked. */
export function onlyInBackups({ history, live }: ShownStream): ReturnType<typeof findOnlyInBackups> {
  return live === null || live.state === 'unknown' ? null : findOnlyInBackups(history.points, live.summary);
}

function pointDocument({ entry, chainId, state, head, isChanged, problem }: StreamPoint) {
  const { backupId, kind, createdAt } = entry.manifest;
  return {
    ...{ backupId, kind, chainId, createdAt, state, isChanged },
    ...(head === null ? {} : headDocument(head)),
    problem,
  };
}

function liveDocument({ address, state, summary, problem }: LiveStream) {
  return { address, state, ...(summary === null ? {} : headDocument(summary)), problem };
}

function headDocument(head: StreamSummary | HeadLine) {
  const { events, firstVersion, lastVersion, lastEventId } = head;
  const { gaps, duplicates }: Partial<HeadLine> = head;
  return {
    ...{ events, firstVersion, lastVersion, lastEventId, lastEventMadeAt: madeAt(lastEventId) },
    ...(gaps === undefined ? {} : { gaps }),
    ...(duplicates === undefined ? {} : { duplicates }),
  };
}

/** When an id of version 7 says that it was made; null of others. */
export function madeAt(id: string): string | null {
  const text = Buffer.from(id.toLowerCase());
  const bytes = new Uint8Array(UUID_BYTES);
  if (!parseUuid(text, 0, text.length, bytes, 0)) return null;
  const time = timeOfUuidV7(bytes);
  return time === null ? null : formatTime(time, 3);
}
