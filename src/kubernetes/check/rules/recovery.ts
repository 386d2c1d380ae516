import { BARMAN_PLUGIN, type Cluster, type External } from '../cluster.ts';
import { error, type Remark, warning } from '../finding.ts';
import { recordAt, textAt, valueAt } from '../values.ts';

/** What a Cluster begins from and follows. */
export function checkRecovery(cluster: Cluster): Remark[] {
  return [
    ...checkExternals(cluster),
    ...checkBootstrap(cluster),
    ...checkTarget(cluster),
    ...checkReplica(cluster),
    ...checkToken(cluster),
  ];
}

function checkExternals({ externals }: Cluster): Remark[] {
  const names = externals.map(({ name }) => name);
  return externals.flatMap(({ at, name, plugin, inTree, hasConnection }, i) => [
    ...(names.indexOf(name) < i
      ? [error('external_cluster', [...at, 'name'], `there are two of the name ${name}`)]
      : []),
    ...(/[/\\]|\.\./.test(name)
      ? [
          error(
            'external_cluster',
            [...at, 'name'],
            'a name cannot have a slash or two dots: it becomes a path',
          ),
        ]
      : []),
    ...(plugin === null && inTree === null && !hasConnection
      ? [
          error(
            'external_cluster',
            at,
            `nothing says how ${name} is reached`,
            'plugin, or connectionParameters',
          ),
        ]
      : []),
  ]);
}

const RECOVERY = ['spec', 'bootstrap', 'recovery'];

function checkBootstrap(cluster: Cluster): Remark[] {
  const { spec, manifest } = cluster;
  const methods = Object.keys(recordAt(spec, 'bootstrap') ?? {});
  const several =
    methods.length > 1
      ? [
          error(
            'recovery_invalid',
            ['spec', 'bootstrap'],
            `a Cluster cannot begin in several ways: ${methods.join(', ')}`,
          ),
        ]
      : [];
  const recovery = recordAt(spec, 'bootstrap', 'recovery');
  const source = textAt(recovery, 'source') || textAt(spec, 'bootstrap', 'pg_basebackup', 'source');
  if (source === null || source === '') return several;
  const external = cluster.externals.find(({ name }) => name === source);
  const at = recovery === null ? ['spec', 'bootstrap', 'pg_basebackup', 'source'] : [...RECOVERY, 'source'];
  if (external === undefined) return [...several, notFound(at, source)];
  return [...several, ...(recovery === null ? [] : checkServerName(external, manifest.name))];
}

function notFound(at: readonly (string | number)[], name: string): Remark {
  const message = `spec.externalClusters has no ${JSON.stringify(name)}`;
  return error('external_cluster', at, message, 'it must have an entry of that name');
}

/** The plugin takes the name of the new Cluster where none is said, which is hardly ever what is there. */
function checkServerName({ plugin, at }: External, name: string): Remark[] {
  if (plugin === null || plugin.name !== BARMAN_PLUGIN || plugin.serverName !== null) return [];
  const message = `no serverName: the plugin would look for backups of ${name} itself`;
  return [
    warning(
      'recovery_invalid',
      [...at, 'plugin'],
      message,
      'write parameters.serverName: the folder in the bucket',
    ),
  ];
}

const TARGETS = ['targetTime', 'targetLSN', 'targetName', 'targetXID', 'targetImmediate'];

function checkTarget({ spec }: Cluster): Remark[] {
  const target = recordAt(spec, 'bootstrap', 'recovery', 'recoveryTarget');
  if (target === null) return [];
  const at = [...RECOVERY, 'recoveryTarget'];
  const refuse = (key: string, message: string, hint: string | null = null): Remark =>
    error('recovery_invalid', [...at, key], message, hint);
  const named = TARGETS.filter((key) => valueAt(target, key) !== undefined && valueAt(target, key) !== '');
  const [lsn, xid, line] = [
    textAt(target, 'targetLSN'),
    textAt(target, 'targetXID'),
    textAt(target, 'targetTLI'),
  ];
  const needsBackup = named.some((key) => ['targetName', 'targetXID', 'targetImmediate'].includes(key));
  const hasBackup =
    (textAt(target, 'backupID') ?? '') !== '' ||
    recordAt(spec, ...RECOVERY.slice(1), 'volumeSnapshots') !== null;
  return [
    ...(named.length > 1
      ? [refuse(named[1]!, `a recovery has one target, and here are ${named.join(', ')}`)]
      : []),
    ...checkTime(textAt(target, 'targetTime')),
    ...(lsn !== null && lsn !== '' && !/^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/.test(lsn)
      ? [refuse('targetLSN', `${JSON.stringify(lsn)} is no position`, 'as 0/5000028')]
      : []),
    ...(xid !== null && xid !== '' && !(/^\d+$/.test(xid) && Number(xid) < 2 ** 32)
      ? [refuse('targetXID', `${JSON.stringify(xid)} is no transaction`, 'a number of 32 bits')]
      : []),
    ...(line !== null && !/^(|latest|[1-9]\d*)$/.test(line)
      ? [refuse('targetTLI', `${JSON.stringify(line)} is no timeline`, 'latest, or a number from 1')]
      : []),
    ...(needsBackup && !hasBackup
      ? [
          refuse(
            named[0]!,
            'which base backup to begin from cannot be told from this target',
            'write backupID',
          ),
        ]
      : []),
  ];
}

function checkTime(text: string | null): Remark[] {
  if (text === null || text === '') return [];
  const at = [...RECOVERY, 'recoveryTarget', 'targetTime'];
  const match = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?)?$/i.exec(
    text,
  );
  if (match === null || Number.isNaN(Date.parse(text.slice(0, 10)))) {
    return [error('recovery_invalid', at, `${JSON.stringify(text)} is no time`, 'as 2026-09-01T10:30:00Z')];
  }
  if (match[1] !== undefined) return [];
  const message = 'the time has no offset: it is taken for UTC';
  return [
    warning('recovery_invalid', at, message, `write ${text}Z if UTC is meant, else the offset, as +02:00`),
  ];
}

function checkReplica(cluster: Cluster): Remark[] {
  const { spec, externals, isReplica } = cluster;
  const replica = recordAt(spec, 'replica');
  if (replica === null) return [];
  const names = new Set(externals.map(({ name }) => name));
  const missing = ['source', 'self', 'primary'].filter((key) => {
    const name = textAt(replica, key);
    return name !== null && name !== '' && !names.has(name);
  });
  const at = ['spec', 'replica'];
  return [
    ...missing.map((key) => notFound([...at, key], textAt(replica, key)!)),
    ...(typeof valueAt(replica, 'enabled') === 'boolean' && (textAt(replica, 'primary') ?? '') !== ''
      ? [
          error(
            'replica_invalid',
            [...at, 'enabled'],
            '`enabled` and `primary` exclude each other',
            'remove `enabled`',
          ),
        ]
      : []),
    ...(isReplica && recordAt(spec, 'bootstrap') === null
      ? [
          error(
            'replica_invalid',
            at,
            'a replica cluster must say what it begins from',
            'bootstrap.recovery.source',
          ),
        ]
      : []),
  ];
}

function checkToken({ spec, isReplica }: Cluster): Remark[] {
  const token = textAt(spec, 'replica', 'promotionToken') ?? '';
  const at = ['spec', 'replica', 'promotionToken'];
  if (token === '') return [];
  if (valueAt(spec, 'replica', 'minApplyDelay') !== undefined) {
    return [error('replica_invalid', at, 'a promotion token cannot be used together with minApplyDelay')];
  }
  if (isReplica) {
    const hint = 'write `primary` and `promotionToken` in one change';
    return [
      error('replica_invalid', at, 'a promotion token is for the Cluster that becomes the primary', hint),
    ];
  }
  return isToken(token) ? [] : [error('replica_invalid', at, 'this is no promotion token', TOKEN_HINT)];
}

const TOKEN_HINT = 'take .status.demotionToken of the Cluster that was the primary, whole';

/** A JSON document in base64 with what pg_controldata said. */
function isToken(token: string): boolean {
  try {
    const content: unknown = JSON.parse(atob(token));
    return (
      textAt(content, 'databaseSystemIdentifier') !== null &&
      textAt(content, 'latestCheckpointREDOLocation') !== null
    );
  } catch {
    return false;
  }
}

/** What a Cluster is restored from; null where it begins otherwise. */
export function restoresFrom({ spec, externals }: Cluster): External | null {
  const source = textAt(spec, 'bootstrap', 'recovery', 'source');
  return externals.find(({ name }) => name === source) ?? null;
}
