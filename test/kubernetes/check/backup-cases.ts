import { type Case, goInTree, IN_TREE, inCluster, inSchedule, inStore, KEY, set } from './world.ts';

/** How a Cluster is backed up: archives, places in a cloud, schedules, and what names what. */
export const BACKUP_CASES: readonly Case[] = [
  inCluster(
    'no backup at all',
    'plugins',
    undefined,
    'error backup_method spec.method',
    'warning no_backup spec',
  ),
  inCluster(
    'a log that nothing archives',
    'plugins.0.isWALArchiver',
    false,
    'error wal_not_archived spec.plugins[0]',
  ),
  inCluster(
    'two that archive the log',
    'plugins.1',
    { name: 'other.example', isWALArchiver: true },
    'error wal_archivers spec.plugins[1].isWALArchiver',
  ),
  inCluster(
    'a plugin that is switched off',
    'plugins.0.enabled',
    false,
    'error backup_method spec.method',
    'warning no_backup spec',
  ),
  inCluster(
    'a plugin without an ObjectStore',
    'plugins.0.parameters',
    {},
    'error plugin_parameters spec.plugins[0]',
  ),
  inCluster(
    'a parameter that the plugin has not',
    'plugins.0.parameters.retentionPolicy',
    '30d',
    'error plugin_parameters spec.plugins[0].parameters.retentionPolicy',
  ),
  inCluster(
    'a retention that nobody keeps',
    'backup',
    { retentionPolicy: '30d' },
    'warning retention_unused spec.backup.retentionPolicy',
  ),
  {
    says: 'an annotation that forbids archiving',
    change: ({ cluster }) => set(cluster, 'metadata.annotations', { 'cnpg.io/skipWalArchiving': 'enabled' }),
    found: ['error wal_not_archived metadata.annotations."cnpg.io/skipWalArchiving"'],
  },
  {
    says: 'annotations that switch checks off',
    change: ({ cluster }) =>
      set(cluster, 'metadata.annotations', {
        'cnpg.io/skipEmptyWalArchiveCheck': 'enabled',
        'cnpg.io/validation': 'disabled',
      }),
    found: [
      'warning checks_off metadata.annotations."cnpg.io/skipEmptyWalArchiveCheck"',
      'warning checks_off metadata.annotations."cnpg.io/validation"',
    ],
  },
  inCluster(
    'a PodMonitor that the operator makes',
    'monitoring',
    { enablePodMonitor: true },
    'warning pod_monitor_deprecated spec.monitoring.enablePodMonitor',
  ),
  { says: 'Barman inside of the operator', change: goInTree, found: IN_TREE },
  {
    says: 'Barman inside of the operator beside the plugin',
    change: ({ cluster }) =>
      set(cluster, 'spec.backup', {
        barmanObjectStore: { destinationPath: 's3://b/c', s3Credentials: { inheritFromIAMRole: true } },
      }),
    found: ['error in_tree_and_plugin spec.plugins[0]', IN_TREE[0]!],
  },
  {
    says: 'no credentials inside of the operator',
    change: (world) => {
      goInTree(world);
      set(world.cluster, 'spec.backup.barmanObjectStore.s3Credentials', undefined);
    },
    found: ['error credentials_invalid spec.backup.barmanObjectStore', ...IN_TREE],
  },
  {
    says: 'snapshots without a log',
    change: ({ cluster, schedule }) => {
      set(cluster, 'spec.plugins', undefined);
      set(cluster, 'spec.backup', { volumeSnapshot: { className: 'snap' } });
      set(schedule, 'spec.method', 'volumeSnapshot');
      set(schedule, 'spec.pluginConfiguration', undefined);
    },
    found: ['warning wal_not_archived spec.backup.volumeSnapshot'],
  },

  inStore(
    'a name of the server',
    'configuration.serverName',
    'events',
    'error server_name_forbidden spec.configuration.serverName',
  ),
  inStore('years', 'retentionPolicy', '7y', 'error retention_invalid spec.retentionPolicy'),
  inStore('no retention', 'retentionPolicy', undefined, 'warning retention_unused spec'),
  inStore(
    'an address of Glacier',
    'configuration.destinationPath',
    'glacier://archive',
    'error destination_invalid spec.configuration.destinationPath',
  ),
  inStore(
    'an address of another cloud than the credentials',
    'configuration.destinationPath',
    'gs://bucket',
    'error destination_invalid spec.configuration.destinationPath',
  ),
  inStore(
    'no credentials',
    'configuration.s3Credentials',
    undefined,
    'warning credentials_invalid spec.configuration',
  ),
  inStore(
    'two kinds of credentials',
    'configuration.googleCredentials',
    { gkeEnvironment: true },
    'error credentials_invalid spec.configuration',
  ),
  inStore(
    'half of the keys',
    'configuration.s3Credentials.accessKeyId',
    undefined,
    'error credentials_invalid spec.configuration.s3Credentials',
  ),
  inStore(
    'keys and a role',
    'configuration.s3Credentials.inheritFromIAMRole',
    true,
    'error credentials_invalid spec.configuration.s3Credentials',
  ),
  {
    says: 'credentials of Azure in two ways, and of Google in none',
    change: ({ store, others }) => {
      const azure = structuredClone(store);
      set(azure, 'metadata.name', 'azure');
      set(azure, 'spec.configuration', {
        destinationPath: 'https://account.blob.core.windows.net/container',
        azureCredentials: {
          storageKey: KEY('a', 'b'),
          inheritFromAzureAD: true,
          storageAccount: KEY('a', 'c'),
        },
      });
      const google = structuredClone(store);
      set(google, 'metadata.name', 'google');
      set(google, 'spec.configuration', { destinationPath: 'gs://bucket', googleCredentials: {} });
      others.push(azure, google);
    },
    found: [
      'error credentials_invalid spec.configuration.azureCredentials',
      'error credentials_invalid spec.configuration.googleCredentials',
    ],
  },

  inSchedule('five fields', 'schedule', '0 */6 * * *', 'error schedule_five_fields spec.schedule'),
  inSchedule('no schedule', 'schedule', '0 0 25 * * *', 'error schedule_invalid spec.schedule'),
  inSchedule('one every few minutes', 'schedule', '0 */6 * * * *', 'warning schedule_often spec.schedule'),
  inSchedule('nothing of a word for a schedule', 'schedule', '@daily'),
  inSchedule('one that is suspended', 'suspend', true, 'warning no_schedule spec.suspend'),
  inSchedule('a plugin that is not named', 'pluginConfiguration', undefined, 'error backup_method spec'),
  inSchedule(
    'another method than the cluster has',
    'method',
    'volumeSnapshot',
    'error backup_method spec.method',
    'error backup_method spec.pluginConfiguration',
  ),
  inSchedule(
    'no method, which is the old one',
    'method',
    undefined,
    'error backup_method spec',
    'error backup_method spec.pluginConfiguration',
    'warning in_tree_removed spec',
  ),
  inSchedule(
    'another cluster',
    'cluster.name',
    'evnets',
    'error reference_missing spec.cluster.name',
    'warning no_schedule metadata.name',
  ),
  {
    says: 'a cluster in another namespace',
    change: ({ schedule, cluster }) => {
      set(schedule, 'metadata.namespace', 'a');
      set(cluster, 'metadata.namespace', 'b');
    },
    found: ['error reference_missing spec.cluster.name', 'warning no_schedule metadata.name'],
  },
  inCluster(
    'another ObjectStore',
    'plugins.0.parameters.barmanObjectName',
    'sotre',
    'error reference_missing spec.plugins[0].parameters.barmanObjectName',
  ),
  {
    says: 'a key that a Secret has not, and nothing of those that it has',
    change: ({ others }) =>
      others.push({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'keys' },
        stringData: { id: '', Secret: '' },
      }),
    found: ['error reference_missing spec.configuration.s3Credentials.secretAccessKey.key'],
  },
  {
    says: 'a Secret of another role',
    change: ({ cluster, others }) => {
      set(cluster, 'spec.managed', { roles: [{ name: 'reader', passwordSecret: { name: 'r' } }] });
      others.push({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'r' },
        stringData: { username: 'writer', password: '' },
      });
    },
    found: ['error reference_missing spec.managed.roles[0].passwordSecret'],
  },
];
