import { BARMAN_PLUGIN } from '../cluster.ts';
import { error, type Remark, warning } from '../finding.ts';
import type { Manifest } from '../manifest.ts';
import {
  describeSchedule,
  type OperatorSchedule,
  readOperatorSchedule,
  runsADay,
} from '../operator-schedule.ts';
import { flagAt, recordAt, textAt, valueAt } from '../values.ts';

/** A Backup or a ScheduledBackup by itself. */
export function checkBackup(manifest: Manifest): Remark[] {
  const { value } = manifest;
  const method = methodOf(manifest);
  const remarks: Remark[] = [];
  if (method === 'plugin' && textAt(value, 'spec', 'pluginConfiguration', 'name') === null) {
    const hint = `write pluginConfiguration: { name: ${BARMAN_PLUGIN} }`;
    remarks.push(error('backup_method', ['spec'], 'method plugin does not say which plugin', hint));
  }
  if (method === 'barmanObjectStore') {
    const hint = `write method: plugin and pluginConfiguration: { name: ${BARMAN_PLUGIN} }`;
    const isSaid = textAt(value, 'spec', 'method') !== null;
    const what = isSaid
      ? 'method barmanObjectStore'
      : 'no method is said, and so it is barmanObjectStore, which';
    const message = `${what} is deprecated since CloudNativePG 1.26 and removed in 1.31`;
    remarks.push(warning('in_tree_removed', isSaid ? ['spec', 'method'] : ['spec'], message, hint));
    for (const key of ['online', 'onlineConfiguration']) {
      if (valueAt(value, 'spec', key) === undefined) continue;
      const message = `${key} is for snapshots of volumes: with barmanObjectStore it is refused`;
      remarks.push(error('backup_method', ['spec', key], message, 'remove it'));
    }
  }
  if (method !== 'plugin' && recordAt(value, 'spec', 'pluginConfiguration') !== null) {
    const message = `a plugin is named, but the method is ${method}${saidMethod(manifest)}`;
    remarks.push(error('backup_method', ['spec', 'pluginConfiguration'], message, 'write method: plugin'));
  }
  return manifest.kind === 'ScheduledBackup' ? [...remarks, ...checkSchedule(manifest)] : remarks;
}

/** How a backup is taken; what nothing says is Barman inside of the operator. */
export function methodOf({ value }: Manifest): string {
  return textAt(value, 'spec', 'method') ?? 'barmanObjectStore';
}

export function saidMethod({ value }: Manifest): string {
  return textAt(value, 'spec', 'method') === null ? ', which it is where none is said' : '';
}

const SCHEDULE = ['spec', 'schedule'];
const MOST_A_DAY = 24;

function checkSchedule(manifest: Manifest): Remark[] {
  const text = textAt(manifest.value, 'spec', 'schedule');
  if (text === null) return [];
  const schedule = readOperatorSchedule(text);
  const hint =
    'six fields: seconds, minutes, hours, day of the month, month, day of the week, as "0 0 2 * * *"';
  if (typeof schedule === 'string')
    return [error('schedule_invalid', SCHEDULE, `no schedule: ${schedule}`, hint)];
  return [
    ...(schedule === null ? [] : checkMeaning(manifest, text, schedule)),
    ...(flagAt(manifest.value, 'spec', 'suspend')
      ? [warning('no_schedule', ['spec', 'suspend'], 'it is suspended: no backup is taken', 'suspend: false')]
      : []),
  ];
}

function checkMeaning(manifest: Manifest, text: string, schedule: OperatorSchedule): Remark[] {
  const when = describeSchedule(schedule);
  if (schedule.given === 5 && !text.trim().startsWith('@')) {
    const comment = manifest.commentAt(SCHEDULE);
    const said = comment === '' ? '' : ` (the comment says: ${comment.split('\n')[0]!.slice(0, 60)})`;
    const message = `five fields, and seconds come first here: ${JSON.stringify(text)} runs ${when}${said}`;
    const six = `0 ${text.trim()}`;
    const read = readOperatorSchedule(six);
    const meaning = typeof read === 'object' && read !== null ? `, which runs ${describeSchedule(read)}` : '';
    return [error('schedule_five_fields', SCHEDULE, message, `write ${JSON.stringify(six)}${meaning}`)];
  }
  if (runsADay(schedule) <= MOST_A_DAY) return [];
  const message = `${JSON.stringify(text)} runs ${when}: each run is a base backup of the whole server`;
  return [
    warning(
      'schedule_often',
      SCHEDULE,
      message,
      'seconds come first; the archived log covers what is between',
    ),
  ];
}
