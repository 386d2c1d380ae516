import { KEDA_KINDS } from './keda-fields.ts';

/** What may stand in a field. A text that is a list or a map of its own is not looked into: `any`. */
export type Field =
  | 'any'
  | 'text'
  | 'flag'
  | 'whole'
  | 'texts'
  | 'text map'
  | { readonly oneOf: readonly string[] }
  | { readonly atLeast: number }
  | { readonly fields: Fields; readonly needs?: readonly string[] }
  | { readonly each: Field };

export type Fields = Readonly<Record<string, Field>>;

/**
 * The fields of CloudNativePG 1.30 and of its plugin for Barman Cloud 0.14, as deep as backups are concerned. What is not is `any`. A test holds
 * these tables against the definitions that CloudNativePG ships.
 */

const SECRET_KEY: Field = { fields: { name: 'text', key: 'text' }, needs: ['name', 'key'] };
const LOCAL_KEY: Field = { fields: { name: 'text', key: 'text', optional: 'flag' }, needs: ['key'] };
const NAMED: Field = { fields: { name: 'text' }, needs: ['name'] };
const ENCRYPTION: Field = { oneOf: ['AES256', 'aws:kms'] };

const OBJECT_STORE_FIELDS = {
  destinationPath: 'text',
  endpointURL: 'text',
  endpointCA: SECRET_KEY,
  serverName: 'text',
  tags: 'text map',
  historyTags: 'text map',
  s3Credentials: {
    fields: {
      accessKeyId: SECRET_KEY,
      secretAccessKey: SECRET_KEY,
      region: SECRET_KEY,
      sessionToken: SECRET_KEY,
      inheritFromIAMRole: 'flag',
    },
  },
  azureCredentials: {
    fields: {
      connectionString: SECRET_KEY,
      storageAccount: SECRET_KEY,
      storageKey: SECRET_KEY,
      storageSasToken: SECRET_KEY,
      inheritFromAzureAD: 'flag',
      useDefaultAzureCredentials: 'flag',
    },
  },
  googleCredentials: { fields: { applicationCredentials: SECRET_KEY, gkeEnvironment: 'flag' } },
  data: {
    fields: {
      compression: { oneOf: ['bzip2', 'gzip', 'lz4', 'snappy'] },
      encryption: ENCRYPTION,
      jobs: { atLeast: 1 },
      immediateCheckpoint: 'flag',
      additionalCommandArgs: 'texts',
    },
  },
  wal: {
    fields: {
      compression: { oneOf: ['bzip2', 'gzip', 'lz4', 'snappy', 'xz', 'zstd'] },
      encryption: ENCRYPTION,
      maxParallel: { atLeast: 1 },
      archiveAdditionalCommandArgs: 'texts',
      restoreAdditionalCommandArgs: 'texts',
    },
  },
} satisfies Fields;

const OBJECT_STORE: Field = { fields: OBJECT_STORE_FIELDS, needs: ['destinationPath'] };
/** The plugin is newer than what the operator has of it. */
const PLUGIN_STORE: Field = {
  fields: {
    ...OBJECT_STORE_FIELDS,
    data: { fields: { ...OBJECT_STORE_FIELDS.data.fields, restoreAdditionalCommandArgs: 'texts' } },
  },
  needs: ['destinationPath'],
};
const ONLINE: Field = { fields: { immediateCheckpoint: 'flag', waitForArchive: 'flag' } };
const PLUGIN_FIELDS: Fields = {
  name: 'text',
  enabled: 'flag',
  isWALArchiver: 'flag',
  parameters: 'text map',
};
const PLUGIN: Field = { fields: PLUGIN_FIELDS, needs: ['name'] };
const STORAGE: Field = {
  fields: { size: 'text', storageClass: 'text', resizeInUseVolumes: 'flag', pvcTemplate: 'any' },
};

const BACKUP: Field = {
  fields: {
    target: { oneOf: ['primary', 'prefer-standby'] },
    retentionPolicy: 'text',
    barmanObjectStore: OBJECT_STORE,
    volumeSnapshot: {
      fields: {
        annotations: 'text map',
        labels: 'text map',
        className: 'text',
        walClassName: 'text',
        tablespaceClassName: 'text map',
        online: 'flag',
        onlineConfiguration: ONLINE,
        snapshotOwnerReference: { oneOf: ['none', 'cluster', 'backup'] },
      },
    },
  },
};

const RECOVERY: Field = {
  fields: {
    source: 'text',
    backup: { fields: { name: 'text', endpointCA: SECRET_KEY }, needs: ['name'] },
    volumeSnapshots: {
      fields: { storage: 'any', walStorage: 'any', tablespaceStorage: 'any' },
      needs: ['storage'],
    },
    recoveryTarget: {
      fields: {
        backupID: 'text',
        exclusive: 'flag',
        targetTLI: 'text',
        targetXID: 'text',
        targetName: 'text',
        targetLSN: 'text',
        targetTime: 'text',
        targetImmediate: 'flag',
      },
    },
    database: 'text',
    owner: 'text',
    secret: NAMED,
  },
};

const EXTERNAL_CLUSTER: Field = {
  fields: {
    name: 'text',
    connectionParameters: 'text map',
    sslCert: LOCAL_KEY,
    sslKey: LOCAL_KEY,
    sslRootCert: LOCAL_KEY,
    password: LOCAL_KEY,
    barmanObjectStore: OBJECT_STORE,
    plugin: PLUGIN,
  },
  needs: ['name'],
};

const POSTGRESQL: Field = {
  fields: {
    parameters: 'text map',
    synchronous: {
      fields: {
        method: { oneOf: ['any', 'first'] },
        number: 'whole',
        maxStandbyNamesFromCluster: 'whole',
        standbyNamesPre: 'texts',
        standbyNamesPost: 'texts',
        dataDurability: { oneOf: ['required', 'preferred'] },
        failoverQuorum: 'flag',
      },
      needs: ['method', 'number'],
    },
    pg_hba: 'texts',
    pg_ident: 'texts',
    syncReplicaElectionConstraint: 'any',
    shared_preload_libraries: 'texts',
    ldap: 'any',
    promotionTimeout: 'whole',
    enableAlterSystem: 'flag',
    extensions: 'any',
  },
};

const ROLE: Field = {
  fields: {
    name: 'text',
    comment: 'text',
    ensure: { oneOf: ['present', 'absent'] },
    passwordSecret: NAMED,
    connectionLimit: 'whole',
    validUntil: 'text',
    inRoles: 'texts',
    inherit: 'flag',
    disablePassword: 'flag',
    superuser: 'flag',
    createdb: 'flag',
    createrole: 'flag',
    login: 'flag',
    replication: 'flag',
    bypassrls: 'flag',
  },
  needs: ['name'],
};

const CLUSTER_SPEC: Fields = {
  instances: { atLeast: 1 },
  storage: STORAGE,
  walStorage: STORAGE,
  backup: BACKUP,
  plugins: { each: PLUGIN },
  externalClusters: { each: EXTERNAL_CLUSTER },
  bootstrap: {
    fields: {
      initdb: 'any',
      recovery: RECOVERY,
      pg_basebackup: {
        fields: { source: 'text', database: 'text', owner: 'text', secret: NAMED },
        needs: ['source'],
      },
    },
  },
  replica: {
    fields: {
      self: 'text',
      primary: 'text',
      source: 'text',
      enabled: 'flag',
      promotionToken: 'text',
      minApplyDelay: 'text',
    },
    needs: ['source'],
  },
  replicationSlots: {
    fields: {
      highAvailability: {
        fields: { enabled: 'flag', slotPrefix: 'text', synchronizeLogicalDecoding: 'flag' },
      },
      updateInterval: { atLeast: 1 },
      synchronizeReplicas: { fields: { enabled: 'flag', excludePatterns: 'texts' }, needs: ['enabled'] },
    },
  },
  postgresql: POSTGRESQL,
  managed: { fields: { roles: { each: ROLE }, services: 'any' } },
  monitoring: {
    fields: {
      disableDefaultQueries: 'flag',
      customQueriesConfigMap: 'any',
      customQueriesSecret: 'any',
      enablePodMonitor: 'flag',
      tls: 'any',
      podMonitorMetricRelabelings: 'any',
      podMonitorRelabelings: 'any',
      metricsQueriesTTL: 'text',
    },
  },
  affinity: 'any',
  certificates: 'any',
  description: 'text',
  enablePDB: 'flag',
  enableSuperuserAccess: 'flag',
  env: 'any',
  envFrom: 'any',
  ephemeralVolumeSource: 'any',
  ephemeralVolumesSizeLimit: 'any',
  failoverDelay: 'whole',
  imageCatalogRef: 'any',
  imageName: 'text',
  imagePullPolicy: 'text',
  imagePullSecrets: 'any',
  inheritedMetadata: 'any',
  livenessProbeTimeout: 'whole',
  logLevel: { oneOf: ['error', 'warning', 'info', 'debug', 'trace'] },
  maxSyncReplicas: { atLeast: 0 },
  minSyncReplicas: { atLeast: 0 },
  nodeMaintenanceWindow: 'any',
  podSecurityContext: 'any',
  podSelectorRefs: 'any',
  postgresGID: 'whole',
  postgresUID: 'whole',
  primaryLease: 'any',
  primaryUpdateMethod: { oneOf: ['switchover', 'restart'] },
  primaryUpdateStrategy: { oneOf: ['unsupervised', 'supervised'] },
  priorityClassName: 'text',
  probes: 'any',
  projectedVolumeTemplate: 'any',
  resources: 'any',
  schedulerName: 'text',
  seccompProfile: 'any',
  securityContext: 'any',
  serviceAccountName: 'text',
  serviceAccountTemplate: 'any',
  smartShutdownTimeout: 'whole',
  startDelay: 'whole',
  stopDelay: 'whole',
  superuserSecret: NAMED,
  switchoverDelay: 'whole',
  tablespaces: 'any',
  topologySpreadConstraints: 'any',
};

const BACKUP_SPEC: Fields = {
  cluster: NAMED,
  target: { oneOf: ['primary', 'prefer-standby'] },
  method: { oneOf: ['barmanObjectStore', 'volumeSnapshot', 'plugin'] },
  pluginConfiguration: { fields: { name: 'text', parameters: 'text map' }, needs: ['name'] },
  online: 'flag',
  onlineConfiguration: ONLINE,
};

/** The kinds whose fields are known, by apiVersion and kind. */
export const KNOWN_KINDS: Readonly<
  Record<string, { readonly fields: Fields; readonly needs: readonly string[] }>
> = {
  'postgresql.cnpg.io/v1 Cluster': { fields: CLUSTER_SPEC, needs: ['instances'] },
  'postgresql.cnpg.io/v1 Backup': { fields: BACKUP_SPEC, needs: ['cluster'] },
  'postgresql.cnpg.io/v1 ScheduledBackup': {
    fields: {
      ...BACKUP_SPEC,
      schedule: 'text',
      suspend: 'flag',
      immediate: 'flag',
      backupOwnerReference: { oneOf: ['none', 'self', 'cluster'] },
    },
    needs: ['cluster', 'schedule'],
  },
  'barmancloud.cnpg.io/v1 ObjectStore': {
    fields: {
      configuration: PLUGIN_STORE,
      retentionPolicy: 'text',
      instanceSidecarConfiguration: {
        fields: {
          env: 'any',
          retentionPolicyIntervalSeconds: 'whole',
          resources: 'any',
          additionalContainerArgs: 'texts',
          logLevel: { oneOf: ['error', 'warning', 'info', 'debug', 'trace'] },
        },
      },
    },
    needs: ['configuration'],
  },
  ...KEDA_KINDS,
};
