import { parseTime, timeToUnixMs } from '../../core/time.ts';
import { formatBytes, formatCount, formatDuration, plural, printable } from '../../core/units.ts';
import { FLEET_STATES, type FleetRow, type FleetState } from '../fleet/rows.ts';
import type { Paint, Tone } from '../output.ts';
import { renderTable } from './table.ts';

const TONES: Readonly<Record<FleetState, Tone>> = {
  ...{ unreadable: 'bad', bad: 'bad', warning: 'warning', good: 'good' },
};

/** How many stores are how, then a line for each: how it is, how old what can be brought back is, and what is wrong. */
export function fleetStatusLines(
  rows: readonly FleetRow[],
  count: number,
  nowMs: number,
  paint: Paint,
): string[] {
  const columns = [
    { title: '' },
    { title: 'STORE' },
    { title: 'NEWEST' },
    { title: 'PROMISES' },
    { title: 'WHY' },
  ];
  const lines = rows.map(({ state, name, status, objectives, reason }) => [
    ...[paint(TONES[state], state), printable(name), ageOf(status?.newestPoint ?? null, nowMs)],
    objectives.length === 0
      ? ''
      : `${objectives.filter((one) => one.state === 'kept').length}/${objectives.length}`,
    reason === null ? '' : shortened(printable(reason)),
  ]);
  return [headline(rows, count, paint), ...(lines.length === 0 ? [] : ['', ...renderTable(columns, lines)])];
}

/** What each vault holds. */
export function fleetListLines(
  rows: readonly FleetRow[],
  count: number,
  nowMs: number,
  paint: Paint,
): string[] {
  const columns = ['', 'STORE', 'BACKUPS', 'SIZE', 'NEWEST', 'OLDEST', 'VAULT'].map((title) => ({ title }));
  const lines = rows.map(({ state, name, status, reason }) => [
    ...[paint(TONES[state], state), printable(name)],
    ...(status === null
      ? ['', '', '', '', shortened(printable(reason ?? ''))]
      : [
          ...[formatCount(status.backupCount), formatBytes(status.backupBytes)],
          ...[ageOf(status.newestPoint, nowMs), ageOf(status.windows[0]?.from ?? null, nowMs)],
          printable(status.vault),
        ]),
  ]);
  return [headline(rows, count, paint), ...(lines.length === 0 ? [] : ['', ...renderTable(columns, lines)])];
}

function headline(rows: readonly FleetRow[], count: number, paint: Paint): string {
  const counts = FLEET_STATES.flatMap((state) => {
    const found = rows.filter((row) => row.state === state).length;
    return found === 0 ? [] : [`${formatCount(found)} ${state}`];
  });
  const of =
    rows.length === count
      ? plural(count, 'store')
      : `${formatCount(rows.length)} of ${plural(count, 'store')}`;
  const worst = rows[0]?.state ?? 'good';
  return paint(TONES[worst], counts.length === 0 ? of : `${of}: ${counts.join(', ')}`);
}

function ageOf(time: string | null, nowMs: number): string {
  if (time === null) return 'none';
  return formatDuration(Math.max(0, nowMs - timeToUnixMs(parseTime(time) ?? 0n)));
}

const MOST_REASON = 100;

function shortened(reason: string): string {
  return reason.length <= MOST_REASON ? reason : `${reason.slice(0, MOST_REASON - 1)}…`;
}

/** The document of --json. */
export function fleetDocument(rows: readonly FleetRow[], count: number, at: string): object {
  return {
    ...{ at, storeCount: count },
    counts: Object.fromEntries(
      FLEET_STATES.map((state) => [state, rows.filter((row) => row.state === state).length]),
    ),
    stores: rows,
  };
}
