import type { StatusWindow, StoreStatus } from '../core/status.ts';
import { plural } from '../core/units.ts';
import type { Tone } from './parts/badge.ts';
import type { Piece } from './parts/piece.ts';
import { ago, span } from './parts/times.ts';

/** Whether one gets one's data back, in words. Pure. */

export interface StoreAnswer {
  readonly tone: Tone;
  /** One sentence. */
  readonly headline: readonly Piece[];
  /** What else there is to know of it, in sentences. */
  readonly more: readonly (readonly Piece[])[];
}

export function storeAnswer(status: StoreStatus | null, nowMs: number): StoreAnswer {
  if (status === null)
    return {
      tone: 'faint',
      headline: ['What can be brought back is not known yet.'],
      more: [['The vault is asked as soon as the daemon can; this page comes again by itself.']],
    };
  const windows = status.windows.toSorted((a, b) => Date.parse(b.to) - Date.parse(a.to));
  const [newest, ...others] = windows;
  if (newest === undefined)
    return {
      tone: 'warning',
      headline: ['Nothing can be brought back yet: there is no finished backup.'],
      more: problemsOf(status),
    };
  const age = ` (${ago(nowMs - Date.parse(newest.to))})`;
  const rest = [...gapWords(status), ...problemsOf(status)];
  if (newest.source === 'log') {
    const [from, to] = [{ instant: newest.from }, { instant: newest.to }];
    const headline = ['You can get back any instant from ', from, ' to ', to, `${age}.`];
    return { tone: 'good', headline, more: [...beforeLog(newest, others), ...rest] };
  }
  const before = others.length === 0 ? '.' : `, and of ${plural(others.length, 'instant')} before it.`;
  const headline = ['You can get back the state of ', { instant: newest.to }, age + before];
  return { tone: 'good', headline, more: [...aloneWords(others), ...rest] };
}

function beforeLog(newest: StatusWindow, others: readonly StatusWindow[]): Piece[][] {
  const spans = others.filter(({ source }) => source === 'log');
  const points = others.filter(({ source, from }) => source === 'backup' && from < newest.from);
  const shown = spans.slice(0, MOST_SPANS);
  const more = spans.length - shown.length;
  return [
    ...shown.map(({ from, to }) => [
      'Before that, any instant from ',
      { instant: from },
      ' to ',
      { instant: to },
      '.',
    ]),
    ...(more === 0 ? [] : [[`Before that, ${plural(more, 'more span')}, listed beneath the picture.`]]),
    ...(points.length === 0
      ? []
      : [
          [
            `Older than that, ${plural(points.length, 'instant')} of backups, the oldest of `,
            { instant: points.at(-1)!.from },
            '.',
          ],
        ]),
  ];
}

const MOST_SPANS = 3;

function aloneWords(others: readonly StatusWindow[]): Piece[][] {
  const oldest = others.at(-1);
  const reach: Piece[] = oldest === undefined ? [] : ['The oldest is of ', { instant: oldest.from }, '. '];
  return [[...reach, 'Only the instants of backups come back, and nothing between: no change log is kept.']];
}

function gapWords({ gaps }: StoreStatus): Piece[][] {
  return gaps
    .slice(-MOST_SPANS)
    .map(({ from, reason }) =>
      from === null
        ? [`What came before is not whole (${reasonWords(reason)}).`]
        : ['No recovery crosses the gap that begins at ', { instant: from }, ` (${reasonWords(reason)}).`],
    );
}

function problemsOf({ problems }: StoreStatus): Piece[][] {
  return problems.slice(0, MOST_SPANS).map(({ of, message }) => [`Not known of the ${of}: ${message}.`]);
}

function reasonWords(reason: string): string {
  return reason.replaceAll('_', ' ');
}

/** How one knows it: each a word, what it says, and whether that is well. */
export interface Grounds {
  readonly title: string;
  readonly tone: Tone;
  readonly value: string;
  readonly detail: string;
}

export function groundsOf(status: StoreStatus, nowMs: number): Grounds[] {
  return [
    newestGround(status, nowMs),
    verifiedGround(status),
    drilledGround(status, nowMs),
    copiesGround(status),
  ];
}

/** A file of SQLite does not tell whether somebody captures. */
export function isAbandoned({ store, log }: StoreStatus): boolean {
  return log !== null && !log.isCaptured && store?.startsWith('postgres') === true;
}

function newestGround(status: StoreStatus, nowMs: number): Grounds {
  const {
    newestPoint,
    promises: { rpoMs },
  } = status;
  const title = 'Newest point';
  if (newestPoint === null)
    return { title, tone: 'warning', value: 'none', detail: 'there is no finished backup' };
  const ageMs = Math.max(0, nowMs - Date.parse(newestPoint));
  const isLate = rpoMs !== null && ageMs > rpoMs;
  const detail = rpoMs === null ? 'nothing is promised' : `no older than ${span(rpoMs)} is promised`;
  const isLost = isAbandoned(status) ? ', and nobody captures the log now' : '';
  return {
    title,
    tone: isLate ? 'bad' : isLost === '' ? 'good' : 'warning',
    value: ago(ageMs),
    detail: detail + isLost,
  };
}

function verifiedGround({ verification, promises: { verifiedWithinMs } }: StoreStatus): Grounds {
  const title = 'Verified';
  if (verification === null)
    return { title, tone: 'warning', value: 'not known', detail: 'no verification is on record' };
  const { oldestSeconds, never, units, unsound } = verification;
  const unverified = plural(units, 'file');
  if (units > 0 && never === units)
    return {
      title,
      tone: 'warning',
      value: 'never',
      detail: `${unverified} wait for the first verification`,
    };
  if (units === 0)
    return { title, tone: 'faint', value: 'nothing yet', detail: 'there is nothing to verify' };
  if (unsound > 0)
    return {
      title,
      tone: 'bad',
      value: `${unsound} unsound`,
      detail: `of ${plural(units, 'backup or log file', 'backups and log files')}`,
    };
  const ageMs = (oldestSeconds ?? 0) * 1000;
  const isLate = oldestSeconds === null || (verifiedWithinMs !== null && ageMs > verifiedWithinMs);
  const value = oldestSeconds === null ? 'never' : `all within ${span(ageMs)}`;
  const detail =
    never === 0
      ? `all ${plural(units, 'backup and log file', 'backups and log files')}`
      : `${never} of ${plural(units, 'file')} are new and wait their turn`;
  return { title, tone: isLate ? 'bad' : 'good', value, detail };
}

function drilledGround(
  { drill, lastPassedDrillAt, promises: { drilledWithinMs } }: StoreStatus,
  nowMs: number,
): Grounds {
  const title = 'Proven by drill';
  if (drill === null)
    return { title, tone: 'warning', value: 'never', detail: 'no restore has been rehearsed' };
  const when = ago(nowMs - Date.parse(drill.at));
  if (!drill.passed)
    return {
      title,
      tone: 'bad',
      value: `failed ${when}`,
      detail:
        lastPassedDrillAt === null
          ? 'none ever passed'
          : `the last one passed ${ago(nowMs - Date.parse(lastPassedDrillAt))}`,
    };
  const isLate = drilledWithinMs !== null && nowMs - Date.parse(drill.at) > drilledWithinMs;
  const took =
    drill.rtoSeconds === null ? 'its time was not measured' : `restored in ${span(drill.rtoSeconds * 1000)}`;
  return {
    title,
    tone: isLate ? 'bad' : 'good',
    value: `passed ${when}`,
    detail: `${took}${drill.signed ? ', evidence is signed' : ''}`,
  };
}

function copiesGround({ regions, backupCount }: StoreStatus): Grounds {
  const title = 'Copies';
  const replicas = regions.filter(({ kind }) => kind !== 'primary');
  if (replicas.length === 0)
    return {
      title,
      tone: 'faint',
      value: 'one vault',
      detail: `${plural(backupCount, 'backup')}, and no other region`,
    };
  const known = replicas.filter(({ kind, lagSeconds }) => kind === 'replica' && lagSeconds !== null);
  const behind = known.map(
    ({ region, lagSeconds }) =>
      `${region} ${lagSeconds === 0 ? 'has all' : `${span(lagSeconds! * 1000)} behind`}`,
  );
  const isUnknown = replicas.some(({ newestPoint }) => newestPoint === null);
  return {
    title,
    tone: isUnknown ? 'warning' : 'good',
    value: plural(regions.length, 'vault'),
    detail: behind.length === 0 ? regions.map(({ region }) => region).join(', ') : behind.join(', '),
  };
}
