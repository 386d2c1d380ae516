import { BackupError, isBackupError } from '../../core/errors.ts';
import type { StreamSummary } from '../../core/event-store.ts';
import type { Vault } from '../../core/vault.ts';
import { findBackup, readCatalog } from '../../format/catalog.ts';
import type { HeadLine } from '../../format/heads.ts';
import {
  compareWithStore,
  readStreamHistory,
  type StreamHistory,
  type StreamPoint,
  type StreamStanding,
} from '../../recovery/stream-history.ts';
import { type CommandContext, withStore } from '../context.ts';
import { type KeyFlags, loadKeys } from '../keys/keys.ts';
import { historyLines, type LiveStream, madeAt, onlyInBackups, type ShownStream } from '../render/history.ts';

export interface HistoryFlags extends KeyFlags {
  readonly stream: string;
  readonly limit?: number;
}

/** Backups that are looked into, unless told otherwise. */
export const HISTORY_BACKUPS = 500;

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
