import {
  aims,
  type Case,
  follow,
  inCluster,
  origin,
  recovery,
  restore,
  set,
  TARGET,
  TOKEN,
} from './world.ts';

/** What a Cluster begins from and follows; secrets and policies. */
export const RECOVERY_CASES: readonly Case[] = [
  {
    says: 'nothing of a primary that is known by another name than its own',
    change: ({ cluster }) => {
      set(cluster, 'spec.externalClusters', [{ ...origin('events'), name: 'east' }]);
      set(cluster, 'spec.replica', { self: 'east', primary: 'east', source: 'east' });
    },
    found: [],
  },
  {
    says: 'a cluster that archives elsewhere than the others look for it',
    change: (world) => set(follow(world), 'spec.plugins.0.parameters.serverName', 'west-2'),
    found: ['error external_cluster spec.externalClusters[1].plugin'],
  },
  {
    says: 'a restore that archives into what it is restored from',
    change: (world) => {
      restore(world);
      set(world.cluster, 'spec.externalClusters', [origin('events')]);
    },
    found: ['error archive_overwrites spec.plugins[0]'],
  },
  {
    says: 'two clusters that archive into one place',
    change: (world) => {
      set(follow(world), 'spec.plugins.0.parameters.serverName', 'events');
    },
    found: [
      'error external_cluster spec.externalClusters[1].plugin',
      'error archive_overwrites spec.plugins[0]',
      'error archive_overwrites spec.plugins[0]',
    ],
  },
  {
    says: 'a restore that does not say whose backups',
    change: (world) => {
      restore(world);
      set(world.cluster, 'spec.externalClusters', [origin()]);
      set(world.cluster, 'spec.plugins.0.parameters.serverName', 'new');
    },
    found: ['warning recovery_invalid spec.externalClusters[0].plugin'],
  },
  {
    says: 'a restore that archives nothing',
    change: (world) => {
      restore(world);
      set(world.cluster, 'spec.plugins', undefined);
      world.schedule.kind = 'Other';
    },
    found: ['warning no_backup spec'],
  },
  inCluster(
    'a source that there is not',
    'bootstrap',
    recovery(),
    'error external_cluster spec.bootstrap.recovery.source',
  ),
  inCluster(
    'a source that says nothing',
    'externalClusters',
    [{ name: 'a' }],
    'error external_cluster spec.externalClusters[0]',
  ),
  inCluster(
    'two sources of one name',
    'externalClusters',
    [origin('a'), origin('b')],
    'error external_cluster spec.externalClusters[1].name',
  ),
  inCluster(
    'several ways to begin',
    'bootstrap',
    { initdb: {}, pg_basebackup: { source: 'x' } },
    'error external_cluster spec.bootstrap.pg_basebackup.source',
    'error recovery_invalid spec.bootstrap',
  ),
  aims(
    'two targets',
    { targetTime: '2026-09-01T10:30:00Z', targetLSN: '0/50' },
    `error recovery_invalid ${TARGET}.targetLSN`,
  ),
  aims('no time', { targetTime: 'yesterday' }, `error recovery_invalid ${TARGET}.targetTime`),
  aims(
    'a time without an offset',
    { targetTime: '2026-09-01 10:30:00' },
    `warning recovery_invalid ${TARGET}.targetTime`,
  ),
  aims('nothing of a time with one', { targetTime: '2026-09-01 10:30:00.123+02' }),
  aims('no position', { targetLSN: '50' }, `error recovery_invalid ${TARGET}.targetLSN`),
  aims(
    'no transaction',
    { targetXID: '4294967296', backupID: 'b' },
    `error recovery_invalid ${TARGET}.targetXID`,
  ),
  aims('no timeline', { targetTLI: '0' }, `error recovery_invalid ${TARGET}.targetTLI`),
  aims(
    'a target that no base backup follows from',
    { targetImmediate: true },
    `error recovery_invalid ${TARGET}.targetImmediate`,
  ),

  {
    says: 'a replica that does not say what it begins from',
    change: (world) => set(follow(world), 'spec.bootstrap', undefined),
    found: ['error replica_invalid spec.replica'],
  },
  {
    says: 'a primary and `enabled`',
    change: (world) => set(follow(world), 'spec.replica.enabled', true),
    found: ['error replica_invalid spec.replica.enabled'],
  },
  {
    says: 'two primaries',
    change: (world) => void follow(world, 'west'),
    found: ['error replica_invalid spec.replica.primary', 'error replica_invalid spec.replica.primary'],
  },
  {
    says: 'a token for a cluster that follows',
    change: (world) => set(follow(world), 'spec.replica.promotionToken', TOKEN),
    found: ['error replica_invalid spec.replica.promotionToken'],
  },
  {
    says: 'no token',
    change: (world) => {
      follow(world);
      set(world.cluster, 'spec.replica.promotionToken', 'eyJ9');
    },
    found: ['error replica_invalid spec.replica.promotionToken'],
  },
  {
    says: 'a token beside a delay, and nothing of one alone',
    change: (world) => {
      follow(world);
      set(world.cluster, 'spec.replica.promotionToken', TOKEN);
      set(world.cluster, 'spec.replica.minApplyDelay', '1h');
    },
    found: ['error replica_invalid spec.replica.promotionToken'],
  },

  {
    says: 'values of a Secret, and nothing of names and of what is put in later',
    change: ({ others }) =>
      others.push({
        ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' } },
        stringData: {
          password: 'hunter2',
          username: 'app',
          token: '$(TOKEN)',
          key: '<key>',
          other: 'ENC[AES256,x]',
        },
      }),
    found: ['warning secret_literal stringData.password'],
  },
  {
    says: 'a password in an address, and in a variable, and nothing of a file of one',
    change: ({ others }) =>
      others.push({
        ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' } },
        spec: {
          containers: [
            {
              args: ['--store', 'postgres://app:hunter2@db/events'],
              env: [
                { name: 'PGPASSWORD', value: 'hunter2' },
                { name: 'TOKEN_FILE', value: '/run/token' },
                { name: 'STORE', value: 'postgres://app@db/events' },
              ],
            },
          ],
        },
      }),
    found: [
      'warning secret_literal spec.containers[0].args[1]',
      'warning secret_literal spec.containers[0].env[0].value',
    ],
  },
  {
    says: 'a policy that loses something',
    change: ({ others }) =>
      others.push({
        ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'policy' } },
        data: {
          'backup-policy.yaml':
            'primary: {region: a, storage: s3://a, retention: 30d}\narchive: {storage: s3://c, after_days: 90, retention: 60d}\n',
        },
      }),
    found: ['error policy data."backup-policy.yaml"', 'error policy data."backup-policy.yaml"'],
  },
  {
    says: 'a policy with the schedule of CloudNativePG',
    change: ({ others }) =>
      others.push({
        ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'policy' } },
        data: { 'backup-policy.yaml': 'primary: {region: a, storage: s3://a, schedule: "0 0 2 * * *"}\n' },
      }),
    found: ['error policy data."backup-policy.yaml"'],
  },
];
