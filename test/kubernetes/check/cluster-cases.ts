import { type Case, follow, inCluster, inStore, restore, set } from './world.ts';

/** Fields, sizes, instances, and the server itself. */
export const CLUSTER_CASES: readonly Case[] = [
  { says: 'nothing of what is sound', change: () => undefined, found: [] },
  {
    says: 'nothing of two clusters of which one follows',
    change: (world) => void follow(world),
    found: [],
  },
  {
    says: 'nothing of a cluster that is restored into a folder of its own',
    change: (world) => restore(world),
    found: [],
  },

  inCluster(
    'a field in the wrong place',
    'backup',
    { wal: { compression: 'gzip' } },
    'error field_unknown spec.backup.wal',
  ),
  inCluster('a word without quotation marks', 'imageName', 18, 'error field_type spec.imageName'),
  inCluster(
    'a flag in quotation marks',
    'plugins.0.isWALArchiver',
    'true',
    'error field_type spec.plugins[0].isWALArchiver',
    'error wal_not_archived spec.plugins[0]',
  ),
  inCluster(
    'a parameter that YAML takes for a flag',
    'postgresql.parameters.hot_standby_feedback',
    true,
    'error field_type spec.postgresql.parameters.hot_standby_feedback',
  ),
  inStore(
    'a word that is none of those there are',
    'configuration.data',
    { compression: 'zstd' },
    'error field_value spec.configuration.data.compression',
  ),
  inStore(
    'a number that is too small',
    'configuration.wal',
    { maxParallel: 0 },
    'error field_value spec.configuration.wal.maxParallel',
  ),
  inStore(
    'a field that must be there',
    'configuration.s3Credentials.accessKeyId',
    { name: 'keys' },
    'error field_missing spec.configuration.s3Credentials.accessKeyId',
  ),
  {
    says: 'a version that there is not',
    change: ({ store }) => set(store, 'apiVersion', 'postgresql.cnpg.io/v1'),
    found: ['error field_value apiVersion'],
  },
  {
    says: 'a name that is too long',
    change: ({ cluster, schedule }) => {
      set(cluster, 'metadata.name', 'e'.repeat(51));
      set(schedule, 'spec.cluster.name', 'e'.repeat(51));
    },
    found: ['error name_invalid metadata.name'],
  },
  {
    says: 'two of one name in a file',
    change: ({ store, others }) => others.push(structuredClone(store)),
    found: ['error resource_twice metadata.name'],
  },

  inCluster('no size', 'storage', undefined, 'error storage_size spec.storage'),
  inCluster('a size that is none', 'storage.size', '10 GB', 'error storage_size spec.storage.size'),
  inCluster(
    'no size for the log',
    'walStorage',
    { storageClass: 'fast' },
    'error storage_size spec.walStorage',
  ),
  inCluster('nothing of a claim that asks for a size', 'storage', {
    pvcTemplate: { resources: { requests: { storage: '10Gi' } } },
  }),

  inCluster(
    'one instance',
    'instances',
    1,
    'error synchronous_invalid spec.postgresql.synchronous.number',
    'warning one_instance spec.instances',
  ),
  inCluster(
    'as many standbys as there are instances',
    'postgresql.synchronous.number',
    3,
    'error synchronous_invalid spec.postgresql.synchronous.number',
  ),
  inCluster(
    'no standby to wait for',
    'postgresql.synchronous.number',
    0,
    'error synchronous_invalid spec.postgresql.synchronous.number',
    'error synchronous_invalid spec.postgresql.synchronous.number',
  ),
  inCluster(
    'all standbys to wait for',
    'postgresql.synchronous.number',
    2,
    'warning synchronous_stops spec.postgresql.synchronous.number',
  ),
  inCluster(
    'the old way beside the new one',
    'maxSyncReplicas',
    1,
    'error synchronous_invalid spec.postgresql.synchronous',
  ),
  inCluster(
    'more at least than at most',
    'minSyncReplicas',
    1,
    'error synchronous_invalid spec.minSyncReplicas',
    'error synchronous_invalid spec.postgresql.synchronous',
  ),
  inCluster(
    'asynchronous replication',
    'postgresql.synchronous',
    undefined,
    'warning not_synchronous spec.postgresql',
  ),
  inCluster(
    'durability that is only preferred',
    'postgresql.synchronous.dataDurability',
    'preferred',
    'warning failover_loses spec.postgresql.synchronous.dataDurability',
  ),
  inCluster(
    'preferred durability with names',
    'postgresql.synchronous',
    { method: 'any', number: 2, dataDurability: 'preferred', failoverQuorum: true, standbyNamesPre: ['a'] },
    'error synchronous_invalid spec.postgresql.synchronous.number',
    'warning failover_loses spec.postgresql.synchronous.dataDurability',
  ),
  inCluster(
    'a quorum that cannot be told',
    'postgresql.synchronous.standbyNamesPost',
    ['a'],
    'error synchronous_invalid spec.postgresql.synchronous.number',
  ),
  inCluster(
    'no quorum',
    'postgresql.synchronous.failoverQuorum',
    false,
    'warning failover_loses spec.postgresql.synchronous',
  ),
  inCluster(
    'commits that wait for nobody',
    'postgresql.parameters.synchronous_commit',
    'local',
    'error failover_loses spec.postgresql.parameters.synchronous_commit',
  ),

  inCluster(
    'an image without a version',
    'imageName',
    'ghcr.io/cloudnative-pg/postgresql:latest',
    'error image_invalid spec.imageName',
  ),
  inCluster(
    'an image with a digest alone',
    'imageName',
    `localhost:5000/postgresql@sha256:${'a'.repeat(64)}`,
    'error image_invalid spec.imageName',
  ),
  inCluster('an old image', 'imageName', 'postgresql:12.4', 'error image_invalid spec.imageName'),
  inCluster(
    'nothing of an image with version and digest',
    'imageName',
    `localhost:5000/postgresql:18.6@sha256:${'a'.repeat(64)}`,
  ),
  inCluster(
    'a parameter that the operator sets',
    'postgresql.parameters.archive_command',
    'true',
    'error parameter_invalid spec.postgresql.parameters.archive_command',
  ),
  inCluster(
    'a parameter that risks the store',
    'postgresql.parameters.fsync',
    'off',
    'error parameter_invalid spec.postgresql.parameters.fsync',
  ),
  inCluster(
    'no hints in the log',
    'postgresql.parameters.wal_log_hints',
    'off',
    'error parameter_invalid spec.postgresql.parameters.wal_log_hints',
  ),
  inCluster(
    'a log that is minimal',
    'postgresql.parameters.wal_level',
    'minimal',
    'error parameter_invalid spec.postgresql.parameters.wal_level',
  ),
  inCluster(
    'a log that cannot be followed',
    'postgresql.parameters.wal_level',
    'replica',
    'warning change_log_off spec.postgresql.parameters.wal_level',
  ),
  inCluster(
    'a log larger than its volume',
    'walStorage',
    { size: '1Gi' },
    'warning slot_wal_unbounded spec.postgresql.parameters.max_slot_wal_keep_size',
  ),
  inCluster(
    'a checkpoint larger than the volume',
    'postgresql.parameters',
    { max_slot_wal_keep_size: '2GB', max_wal_size: '9GB', min_wal_size: '9GB' },
    'error parameter_invalid spec.postgresql.parameters.min_wal_size',
  ),
  inCluster(
    'no limit for slots',
    'postgresql.parameters',
    undefined,
    'warning slot_wal_unbounded spec.postgresql.parameters',
  ),
  inCluster(
    'a limit for slots that is none',
    'postgresql.parameters.max_slot_wal_keep_size',
    '-1',
    'warning slot_wal_unbounded spec.postgresql.parameters.max_slot_wal_keep_size',
  ),
  inCluster(
    'a log that is not archived in time',
    'postgresql.parameters.archive_timeout',
    '0',
    'warning parameter_invalid spec.postgresql.parameters.archive_timeout',
  ),
  inCluster(
    'logical slots without what they need',
    'replicationSlots',
    { highAvailability: { synchronizeLogicalDecoding: true } },
    'error logical_slots spec.replicationSlots.highAvailability.synchronizeLogicalDecoding',
    'error logical_slots spec.replicationSlots.highAvailability.synchronizeLogicalDecoding',
  ),
  {
    says: 'logical slots before PostgreSQL 17',
    change: ({ cluster }) => {
      set(cluster, 'spec.imageName', 'postgresql:16.2');
      set(cluster, 'spec.replicationSlots', { highAvailability: { synchronizeLogicalDecoding: true } });
    },
    found: ['error logical_slots spec.replicationSlots.highAvailability.synchronizeLogicalDecoding'],
  },
  inCluster(
    'a role of the operator',
    'managed',
    { roles: [{ name: 'streaming_replica' }] },
    'error role_invalid spec.managed.roles[0]',
  ),
  inCluster(
    'two roles of one name',
    'managed',
    { roles: [{ name: 'a' }, { name: 'a' }] },
    'error role_invalid spec.managed.roles[1]',
  ),
];
