import type { Objective, StatusProblem, StatusRegion, StoreStatus } from '../../core/status.ts';
import { parseTime, timeToUnixMs } from '../../core/time.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatInstant,
  plural,
  printable,
} from '../../core/units.ts';
import type { Paint, Tone } from '../output.ts';
import { renderPairs, renderTable } from './table.ts';

/** Can I get my data back, to when, and how do I know? Then what was promised, where copies are, and what could not be read. */
export function statusLines(status: StoreStatus, objectives: readonly Objective[], paint: Paint): string[] {
  const { store, vault } = status;
  return [
    headline(status, objectives, paint),
    ...renderPairs([
      ...(store === null ? [] : [['store', printable(store)] as const]),
      ['vault', printable(vault)],
      ...recoveryPairs(status, paint),
      ...proofPairs(status, paint),
    ]),
    ...objectiveLines(objectives, paint),
    ...regionLines(status.regions),
    ...problemLines(status.problems, paint),
  ];
}

function headline({ newestPoint }: StoreStatus, objectives: readonly Objective[], paint: Paint): string {
  if (newestPoint === null)
    return paint('bad', 'Nothing can be brought back: `eventcore backup full` makes a backup');
  const count = (wanted: Objective['state']): number =>
    objectives.filter(({ state }) => state === wanted).length;
  const to = `Data can be brought back to ${formatInstant(newestPoint)}`;
  if (objectives.length === 0) return paint('good', to);
  const promises = plural(objectives.length, 'promise');
  if (count('breached') > 0) return paint('bad', `${to}; ${count('breached')} of ${promises} not kept`);
  if (count('unknown') > 0)
    return paint('warning', `${to}; ${count('unknown')} of ${promises} cannot be judged`);
  return paint(
    'good',
    `${to}; ${objectives.length === 1 ? 'what is promised is' : `all ${promises} are`} kept`,
  );
}

type Pairs = (readonly [string, string])[];

function recoveryPairs(status: StoreStatus, paint: Paint): Pairs {
  const { at, newestPoint, windows, gaps, backupCount, backupBytes } = status;
  const logs = windows.filter(({ source }) => source === 'log');
  const alone = windows.length - logs.length;
  const range = logs.map(({ from, to }) => `any instant from ${formatInstant(from)} to ${formatInstant(to)}`);
  const points =
    alone === 0 ? [] : [`${logs.length === 0 ? '' : 'and '}${plural(alone, 'single instant')} of backups`];
  return [
    ...(newestPoint === null ? [] : [['newest', `${ago(newestPoint, at)} ago`] as const]),
    ...[...range.slice(-MOST_WINDOWS), ...points].map((text, i) => [i === 0 ? 'to when' : '', text] as const),
    ...(gaps.length === 0
      ? []
      : [['', paint('warning', `${plural(gaps.length, 'gap')} that no recovery crosses`)] as const]),
    ['backups', `${formatCount(backupCount)}, ${formatBytes(backupBytes)}`],
    ...logPairs(status, paint),
  ];
}

const MOST_WINDOWS = 3;

function logPairs({ log }: StoreStatus, paint: Paint): Pairs {
  if (log === null) return [];
  const bytes = log.lagBytes === null ? '' : `, ${formatBytes(log.lagBytes)}`;
  const behind =
    log.lagSeconds === 0 ? 'has all' : `behind its store by ${formatDuration(log.lagSeconds * 1000)}${bytes}`;
  const kept = log.retainedBytes === null ? '' : `; the store keeps ${formatBytes(log.retainedBytes)} for it`;
  const spare = log.spareBytes === null ? '' : `, and at most ${formatBytes(log.spareBytes)} more`;
  const idle = log.isCaptured ? '' : paint('warning', '; nobody captures at the moment');
  return [['change log', `${behind}${kept}${spare}${idle}`]];
}

/** How it is known. */
function proofPairs(
  { at, verification, drill, lastPassedDrillAt, monitor }: StoreStatus,
  paint: Paint,
): Pairs {
  const pairs: Pairs = [];
  if (verification !== null && verification.oldestSeconds !== null) {
    const { oldestSeconds, never, units, unsound } = verification;
    const oldest = formatDuration(oldestSeconds * 1000);
    const text =
      never === 0
        ? `all of ${plural(units, 'file')} within ${oldest}`
        : `${formatCount(never)} of ${plural(units, 'file')} never since it was written`;
    const bad = unsound === 0 ? '' : paint('bad', `; ${formatCount(unsound)} found unsound`);
    pairs.push(['verified', text + bad]);
  }
  if (drill !== null) {
    const newest = drill.passed ? 'passed' : paint('bad', 'failed');
    const took =
      drill.rtoSeconds === null ? '' : `; a whole restore took ${formatDuration(drill.rtoSeconds * 1000)}`;
    const passed = drill.passed
      ? ''
      : lastPassedDrillAt === null
        ? '; none has passed'
        : `; one passed ${ago(lastPassedDrillAt, at)} ago`;
    pairs.push(['drilled', `${newest} ${ago(drill.at, at)} ago${passed}${took}`]);
  } else pairs.push(['drilled', 'never: `eventcore drill` tries a restore']);
  if (monitor !== null) {
    const { openCritical, openWarning, coverage } = monitor;
    const found =
      openCritical + openWarning === 0
        ? 'nothing open'
        : paint(
            openCritical > 0 ? 'bad' : 'warning',
            `${openCritical} critical and ${openWarning} other findings open`,
          );
    const share = coverage === null ? '' : `, ${Math.floor(coverage * 100)} % of this round`;
    pairs.push(['monitored', `${ago(monitor.at, at)} ago${share}: ${found}`]);
  }
  return pairs;
}

const TONES = { kept: 'good', breached: 'bad', unknown: 'warning' } as const satisfies Record<
  Objective['state'],
  Tone
>;

function objectiveLines(objectives: readonly Objective[], paint: Paint): string[] {
  if (objectives.length === 0) return [];
  const rows = objectives.map(({ name, region, state, reason }) => [
    paint(TONES[state], state),
    region === null ? name : `${name} of ${printable(region)}`,
    printable(reason),
  ]);
  const ways = objectives.flatMap(({ name, next }) =>
    next === null ? [] : [[`${name}:`, printable(next)] as const],
  );
  return [
    '',
    ...renderTable([{ title: '' }, { title: 'PROMISE' }, { title: 'WHAT IS' }], rows),
    ...(ways.length === 0 ? [] : ['', ...renderPairs(ways)]),
  ];
}

function regionLines(regions: readonly StatusRegion[]): string[] {
  if (regions.length === 0) return [];
  const columns = ['REGION', 'IS', 'BACKUPS', 'TO (UTC)', 'BEHIND', 'VAULT'].map((title) => ({ title }));
  const rows = regions.map(({ region, kind, backups, newestPoint, lagSeconds, vault }) => [
    ...[printable(region), kind, backups === null ? 'not known' : formatCount(backups)],
    newestPoint === null ? '' : formatInstant(newestPoint).replace(' UTC', ''),
    lagSeconds === null ? '' : lagSeconds === 0 ? 'no' : formatDuration(lagSeconds * 1000),
    printable(vault),
  ]);
  return ['', ...renderTable(columns, rows)];
}

function problemLines(problems: readonly StatusProblem[], paint: Paint): string[] {
  if (problems.length === 0) return [];
  return [
    '',
    paint('warning', `${plural(problems.length, 'problem')} in looking`),
    ...problems.flatMap(({ of, message, hint }) => [
      `  ${printable(of)}: ${printable(message)}`,
      ...(hint === null ? [] : [`    hint: ${printable(hint)}`]),
    ]),
  ];
}

/** How long before `now` it was; both RFC 3339. */
function ago(time: string, now: string): string {
  const [then, at] = [time, now].map((text) => timeToUnixMs(parseTime(text) ?? 0n));
  return formatDuration(Math.max(0, at! - then!));
}
