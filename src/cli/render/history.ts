import type { StreamSummary } from '../../core/event-store.ts';
import { formatTime } from '../../core/time.ts';
import { formatCount, formatInstant, plural, printable } from '../../core/units.ts';
import { parseUuid, UUID_BYTES } from '../../core/uuid-text.ts';
import { timeOfUuidV7 } from '../../core/uuid-v7.ts';
import type { HeadLine } from '../../format/heads.ts';
import {
  findOnlyInBackups,
  type StreamHistory,
  type StreamPoint,
  type StreamStanding,
} from '../../recovery/stream-history.ts';
import { shortIds } from '../backup/names.ts';
import type { Paint, Tone } from '../output.ts';
import { renderPairs, renderTable } from './table.ts';

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

/** Null as well where the store could not be asked. */
export function onlyInBackups({ history, live }: ShownStream): ReturnType<typeof findOnlyInBackups> {
  return live === null || live.state === 'unknown' ? null : findOnlyInBackups(history.points, live.summary);
}

/** When an id of version 7 says that it was made; null of others. */
export function madeAt(id: string): string | null {
  const text = Buffer.from(id.toLowerCase());
  const bytes = new Uint8Array(UUID_BYTES);
  if (!parseUuid(text, 0, text.length, bytes, 0)) return null;
  const time = timeOfUuidV7(bytes);
  return time === null ? null : formatTime(time, 3);
}

/** One stream over backups, for people. */
export function historyLines(shown: ShownStream, paint: Paint): string[] {
  const { streamId, vault, history, omitted, live } = shown;
  return [
    paint('strong', `Stream ${printable(JSON.stringify(streamId))}`),
    ...renderPairs([
      ['vault', printable(vault)],
      ...(live === null ? [] : [['store', liveText(live)] as const]),
      ...standingPairs(shown, paint),
    ]),
    '',
    ...(history.points.length === 0 ? ['No backup is there.'] : pointTable(history.points)),
    ...(omitted === 0 ? [] : [`  and ${plural(omitted, 'older backup')} not looked into: see --limit`]),
    ...problemLines(history.points),
  ];
}

function liveText({ address, state, summary, problem }: LiveStream): string {
  const place = printable(address);
  if (summary !== null) {
    return `${place}: ${plural(summary.events, 'event')}, versions ${versionsText(summary)}, the last is ${lastText(summary)}`;
  }
  return state === 'absent' ? `${place}: no such stream` : `${place}: ${printable(problem?.message ?? '')}`;
}

const STANDINGS: Readonly<Record<Exclude<StreamStanding, 'unknown'>, readonly [Tone, string]>> = {
  same: ['good', 'the store has what the newest backup has'],
  ahead: ['good', 'the store has all of the newest backup, and went on'],
  new: ['good', 'no backup has it yet'],
  behind: ['bad', 'the store ends before the newest backup does'],
  gone: ['bad', 'the store has it no more'],
  differs: ['bad', 'the store has other events than the newest backup: `eventcore diff --stream` says which'],
  absent: ['faint', 'neither the store nor the newest backup has it'],
};

function standingPairs(shown: ShownStream, paint: Paint): [string, string][] {
  const { standing } = shown;
  if (standing === 'unknown') return [];
  const [tone, text] = STANDINGS[standing];
  const only = onlyInBackups(shown);
  return [
    ['standing', paint(tone, text)],
    ...(only === null
      ? []
      : [
          [
            'only in backups',
            `versions ${only.fromVersion}–${only.toVersion}, all of them in backup ${only.backupId}`,
          ] as [string, string],
        ]),
  ];
}

function pointTable(points: readonly StreamPoint[]): string[] {
  const short = shortIds(points.map(({ entry }) => entry.manifest.backupId));
  return renderTable(
    [
      { title: 'STATE OF' },
      { title: 'BACKUP' },
      { title: 'KIND' },
      { title: 'EVENTS', align: 'right' },
      { title: 'VERSIONS' },
      { title: 'LAST EVENT' },
    ],
    points.map(({ entry: { manifest }, state, head }) => [
      formatInstant(manifest.createdAt),
      short.get(manifest.backupId)!,
      manifest.kind,
      ...(head === null
        ? ['', state === 'absent' ? 'not there' : 'not known', '']
        : [formatCount(head.events), versionsText(head), lastText(head)]),
    ]),
  );
}

function versionsText({ firstVersion, lastVersion }: StreamSummary | HeadLine): string {
  return firstVersion === lastVersion ? `${firstVersion}` : `${firstVersion}–${lastVersion}`;
}

function lastText({ lastEventId }: StreamSummary | HeadLine): string {
  const at = madeAt(lastEventId);
  return `${printable(lastEventId)}${at === null ? '' : ` of ${formatInstant(at)}`}`;
}

/** What is wrong with many backups is mostly the same: told once. */
function problemLines(points: readonly StreamPoint[]): string[] {
  const byHint = Map.groupBy(
    points.filter(({ problem }) => problem !== null),
    ({ problem }) => `${problem!.code} ${problem!.hint}`,
  );
  if (byHint.size === 0) return [];
  return [
    '',
    ...[...byHint.values()].map(([first, ...others]) => {
      const { message, hint } = first!.problem!;
      const more = others.length === 0 ? '' : `, and ${formatCount(others.length)} more like it`;
      return printable(`not known: ${message}${more}${hint === null ? '' : `; ${hint}`}`);
    }),
  ];
}
