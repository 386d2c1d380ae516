import type { Cluster } from '../cluster.ts';
import { error, type Remark, warning } from '../finding.ts';
import { flagAt, listAt, numberAt, recordAt, textAt } from '../values.ts';

const SYNCHRONOUS = ['spec', 'postgresql', 'synchronous'];

/** How many instances hold a commit before it is acknowledged, and what a failover can lose. */
export function checkAvailability(cluster: Cluster): Remark[] {
  const { spec, instances } = cluster;
  const synchronous = recordAt(spec, 'postgresql', 'synchronous');
  return [
    ...checkOldStyle(cluster, synchronous !== null),
    ...(synchronous === null ? checkAsynchronous(cluster) : checkSynchronous(cluster, synchronous)),
    ...(instances > 1
      ? []
      : [
          warning(
            'one_instance',
            ['spec', 'instances'],
            'one instance: what happens to its node is an outage, and what happens to its disk a restore',
            'three instances can lose one without either',
          ),
        ]),
  ];
}

function checkSynchronous(
  { spec, instances, isReplica }: Cluster,
  synchronous: Record<string, unknown>,
): Remark[] {
  const number = numberAt(synchronous, 'number') ?? 1;
  const named =
    listAt(synchronous, 'standbyNamesPre').length + listAt(synchronous, 'standbyNamesPost').length;
  const isPreferred = textAt(synchronous, 'dataDurability') === 'preferred';
  const hasQuorum = flagAt(synchronous, 'failoverQuorum');
  const remarks: Remark[] = [];
  const refuse = (message: string, hint: string): void => {
    remarks.push(error('synchronous_invalid', [...SYNCHRONOUS, 'number'], message, hint));
  };
  if (number <= 0)
    refuse(`a commit cannot wait for ${number} standbys`, 'write 1, or leave `synchronous` out');
  if (number >= instances + named) {
    const hint = `at most ${Math.max(instances + named - 1, 0)}, or more instances`;
    refuse(`a commit would wait for ${number} standbys, and there are ${instances + named - 1}`, hint);
  } else if (!isPreferred && number === instances + named - 1) {
    const message = `a commit waits for ${number} of ${number} standbys: with one away, all writes stop`;
    remarks.push(warning('synchronous_stops', [...SYNCHRONOUS, 'number'], message, 'have one instance more'));
  }
  if (hasQuorum && number <= named) {
    const hint = `\`number\` must be greater than ${named}, how many names are listed`;
    refuse('failoverQuorum could never tell whether an instance has all commits', hint);
  }
  if (isPreferred && named > 0) {
    refuse(
      'dataDurability `preferred` cannot be had with names of standbys',
      'remove the names, or write `required`',
    );
  }
  if (!isReplica) remarks.push(...checkLoss(spec, { isPreferred, hasQuorum }));
  return remarks;
}

function checkLoss(
  spec: Readonly<Record<string, unknown>>,
  { isPreferred, hasQuorum }: { readonly isPreferred: boolean; readonly hasQuorum: boolean },
): Remark[] {
  const remarks: Remark[] = [];
  if (isPreferred) {
    const message =
      'with dataDurability `preferred`, events are acknowledged that are on one instance only whenever no standby is ready';
    remarks.push(warning('failover_loses', [...SYNCHRONOUS, 'dataDurability'], message, REQUIRED));
  }
  if (!hasQuorum) {
    const message = 'without failoverQuorum an instance can be promoted that lacks an acknowledged commit';
    remarks.push(
      warning(
        'failover_loses',
        SYNCHRONOUS,
        message,
        'failoverQuorum: true promotes only one that has all of them',
      ),
    );
  }
  const commit = textAt(spec, 'postgresql', 'parameters', 'synchronous_commit');
  if (commit !== null && ['off', 'local', 'false', 'no', '0'].includes(commit.toLowerCase())) {
    const at = ['spec', 'postgresql', 'parameters', 'synchronous_commit'];
    const message = `synchronous_commit is ${commit}: no commit waits for a standby, whatever \`synchronous\` says`;
    remarks.push(
      error('failover_loses', at, message, 'remove it, or write on, remote_write or remote_apply'),
    );
  }
  return remarks;
}

const REQUIRED =
  '`required` stops writes instead; with three instances and number 1 that needs two of them to be away';

function checkAsynchronous({ spec, instances, isReplica }: Cluster): Remark[] {
  if (instances < 2 || isReplica || (numberAt(spec, 'minSyncReplicas') ?? 0) > 0) return [];
  const message = 'replication is asynchronous: a failover loses the events that were acknowledged last';
  const hint =
    'write spec.postgresql.synchronous: { method: any, number: 1, dataDurability: required, failoverQuorum: true }';
  return [warning('not_synchronous', ['spec', 'postgresql'], message, hint)];
}

/** `minSyncReplicas` and `maxSyncReplicas`, from before there was `synchronous`. */
function checkOldStyle({ spec, instances }: Cluster, hasSynchronous: boolean): Remark[] {
  const least = numberAt(spec, 'minSyncReplicas') ?? 0;
  const most = numberAt(spec, 'maxSyncReplicas') ?? 0;
  const refuse = (key: string, message: string): Remark =>
    error('synchronous_invalid', ['spec', key], message);
  return [
    ...(hasSynchronous && (least > 0 || most > 0)
      ? [
          error(
            'synchronous_invalid',
            SYNCHRONOUS,
            'both `synchronous` and `minSyncReplicas`',
            'remove the older one',
          ),
        ]
      : []),
    ...(least < 0 || least > most
      ? [refuse('minSyncReplicas', `minSyncReplicas is ${least}, and maxSyncReplicas ${most}`)]
      : []),
    ...(most < 0 || most >= instances
      ? [refuse('maxSyncReplicas', `maxSyncReplicas is ${most}, with ${instances} instances`)]
      : []),
  ];
}
