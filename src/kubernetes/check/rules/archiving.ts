import { BARMAN_PLUGIN, type Cluster, type Plugin } from '../cluster.ts';
import { error, type Remark, warning } from '../finding.ts';
import { flagAt, recordAt, textAt } from '../values.ts';
import { checkObjectStore, checkRetention } from './object-store.ts';

const IN_TREE = ['spec', 'backup', 'barmanObjectStore'];

/** Whether base backups are taken and the log is archived, once, by something that will still be there. */
export function checkArchiving(cluster: Cluster): Remark[] {
  const { spec, inTree } = cluster;
  const retention = textAt(spec, 'backup', 'retentionPolicy');
  return [
    ...checkInTree(cluster),
    ...(inTree === null ? [] : checkObjectStore(inTree, IN_TREE, { isPlugin: false })),
    ...(retention === null ? [] : checkRetention(retention, ['spec', 'backup', 'retentionPolicy'])),
    ...(retention === null || inTree !== null ? [] : [unusedRetention()]),
    ...checkArchivers(cluster),
    ...checkPlugins(cluster),
    ...checkComments(cluster),
  ];
}

function unusedRetention(): Remark {
  return warning(
    'retention_unused',
    ['spec', 'backup', 'retentionPolicy'],
    'a retention here is for Barman inside of the operator, which this Cluster does not use: nothing would ever be removed',
    'write spec.retentionPolicy of the ObjectStore',
  );
}

function checkInTree({ inTree, externals }: Cluster): Remark[] {
  const places = [
    ...(inTree === null ? [] : [IN_TREE]),
    ...externals.filter((external) => external.inTree !== null).map(({ at }) => [...at, 'barmanObjectStore']),
  ];
  return places.map((at) =>
    warning(
      'in_tree_removed',
      at,
      'Barman inside of the operator is deprecated since CloudNativePG 1.26 and removed in 1.31',
      `use the plugin ${BARMAN_PLUGIN} with an ObjectStore; it reads what was written here`,
    ),
  );
}

function checkArchivers(cluster: Cluster): Remark[] {
  const { plugins, inTree, hasSnapshots, manifest } = cluster;
  const archivers = plugins.filter(({ isWalArchiver }) => isWalArchiver);
  const remarks: Remark[] = [];
  if (inTree !== null && archivers.length > 0) {
    const message =
      'the log would be archived twice, by a plugin and by Barman inside of the operator: it is refused';
    remarks.push(
      error('in_tree_and_plugin', archivers[0]!.at, message, 'remove spec.backup.barmanObjectStore'),
    );
  }
  if (archivers.length > 1) {
    const names = archivers.map(({ name }) => name).join(', ');
    const at = [...archivers[1]!.at, 'isWALArchiver'];
    remarks.push(
      error('wal_archivers', at, `more than one archives the log: ${names}`, 'leave isWALArchiver at one'),
    );
  }
  const barman = plugins.find(({ name }) => name === BARMAN_PLUGIN);
  if (barman === undefined && inTree === null && archivers.length === 0) {
    return [...remarks, ...(hasSnapshots ? [onlySnapshots()] : [noBackup(cluster)])];
  }
  if (archivers.length === 0 && inTree === null) remarks.push(notArchived(barman!));
  if (textAt(manifest.value, 'metadata', 'annotations', 'cnpg.io/skipWalArchiving') === 'enabled') {
    const at = ['metadata', 'annotations', 'cnpg.io/skipWalArchiving'];
    remarks.push(
      error('wal_not_archived', at, 'an annotation forbids that the log is archived', 'remove it'),
    );
  }
  return remarks;
}

function onlySnapshots(): Remark {
  return warning(
    'wal_not_archived',
    ['spec', 'backup', 'volumeSnapshot'],
    'snapshots of volumes, but no log: nothing between two of them can be brought back',
    `archive the log with the plugin ${BARMAN_PLUGIN}`,
  );
}

function notArchived(barman: Plugin): Remark {
  return error(
    'wal_not_archived',
    barman.at,
    'the plugin does not archive the log: a base backup cannot be restored without it, nor any instant between two',
    'write isWALArchiver: true',
  );
}

function noBackup({ isReplica, spec }: Cluster): Remark {
  const isRestored = recordAt(spec, 'bootstrap', 'recovery') !== null;
  const message = isReplica
    ? 'nothing of this Cluster is backed up: it is unprotected from the moment at which it takes over'
    : isRestored
      ? 'a Cluster that is restored and archives nothing is unprotected'
      : 'nothing of this Cluster is backed up by CloudNativePG';
  const hint = `archive its log with the plugin ${BARMAN_PLUGIN}: spec.plugins, an ObjectStore and a ScheduledBackup`;
  return warning('no_backup', ['spec'], message, hint);
}

const PARAMETERS = ['barmanObjectName', 'serverName'];

function checkPlugins({ plugins, externals, spec }: Cluster): Remark[] {
  const outside = externals.flatMap(({ plugin }) => (plugin === null ? [] : [plugin]));
  return [...plugins, ...outside].flatMap((plugin) => {
    if (plugin.name !== BARMAN_PLUGIN) return [];
    const { at, objectStore } = plugin;
    const parameters = recordAt({ spec }, ...at, 'parameters') ?? {};
    const unknown = Object.keys(parameters).filter((key) => !PARAMETERS.includes(key));
    return [
      ...(objectStore === null || objectStore === ''
        ? [
            error(
              'plugin_parameters',
              at,
              'the plugin is told no ObjectStore',
              'write parameters.barmanObjectName',
            ),
          ]
        : []),
      ...unknown.map((key) =>
        error(
          'plugin_parameters',
          [...at, 'parameters', key],
          `the plugin has no parameter ${key}: it is ignored`,
          `it has ${PARAMETERS.join(' and ')}; how it stores is said in the ObjectStore`,
        ),
      ),
    ];
  });
}

/** A heading above it says that a schedule stands here. */
function checkComments({ manifest, inTree }: Cluster): Remark[] {
  if (inTree === null || !/^(backup )?schedule:?$/i.test(manifest.commentAt(IN_TREE))) return [];
  const message = 'the comment above says that this is a schedule: none can be said in a Cluster';
  return [
    warning('schedule_elsewhere', IN_TREE, message, 'when backups are taken is said in a ScheduledBackup'),
  ];
}

/** What turns off checks that keep data from being overwritten. */
export function checkAnnotations({ manifest }: Cluster): Remark[] {
  const annotations = recordAt(manifest.value, 'metadata', 'annotations') ?? {};
  const remark = (name: string, message: string): Remark =>
    warning('checks_off', ['metadata', 'annotations', name], message, 'remove the annotation');
  return [
    ...(annotations['cnpg.io/validation'] === 'disabled'
      ? [remark('cnpg.io/validation', 'the operator accepts whatever stands here, unchecked')]
      : []),
    ...(annotations['cnpg.io/skipEmptyWalArchiveCheck'] === 'enabled'
      ? [
          remark(
            'cnpg.io/skipEmptyWalArchiveCheck',
            'it may archive into a folder that holds another history',
          ),
        ]
      : []),
    ...(flagAt(manifest.value, 'spec', 'monitoring', 'enablePodMonitor')
      ? [
          warning(
            'pod_monitor_deprecated',
            ['spec', 'monitoring', 'enablePodMonitor'],
            'enablePodMonitor is deprecated and will be removed',
            'write a PodMonitor of your own that selects cnpg.io/cluster',
          ),
        ]
      : []),
  ];
}

/** Used by rules across documents: whether the Cluster can be backed up by this method. */
export function canBackUp(cluster: Cluster, method: string, plugin: string | null): boolean {
  if (method === 'barmanObjectStore') return cluster.inTree !== null;
  if (method === 'volumeSnapshot') return cluster.hasSnapshots;
  return plugin === null || cluster.plugins.some(({ name }) => name === plugin);
}
