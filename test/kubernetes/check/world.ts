export type Value = Record<string, unknown>;

export const PLUGIN = 'barman-cloud.cloudnative-pg.io';
export const KEY = (name: string, key: string) => ({ name, key });

/** Manifests without a fault. Each case changes one thing. */
export function sound() {
  const cluster: Value = {
    ...{ apiVersion: 'postgresql.cnpg.io/v1', kind: 'Cluster', metadata: { name: 'events' } },
    spec: {
      instances: 3,
      storage: { size: '10Gi' },
      postgresql: {
        synchronous: { method: 'any', number: 1, dataDurability: 'required', failoverQuorum: true },
        parameters: { max_slot_wal_keep_size: '2GB' },
      },
      plugins: [
        {
          name: PLUGIN,
          isWALArchiver: true,
          parameters: { barmanObjectName: 'store', serverName: 'events' },
        },
      ],
    },
  };
  const store: Value = {
    ...{ apiVersion: 'barmancloud.cnpg.io/v1', kind: 'ObjectStore', metadata: { name: 'store' } },
    spec: {
      retentionPolicy: '30d',
      configuration: {
        destinationPath: 's3://bucket/events',
        s3Credentials: { accessKeyId: KEY('keys', 'id'), secretAccessKey: KEY('keys', 'secret') },
      },
    },
  };
  const schedule: Value = {
    ...{ apiVersion: 'postgresql.cnpg.io/v1', kind: 'ScheduledBackup', metadata: { name: 'daily' } },
    spec: {
      ...{ schedule: '0 0 2 * * *', cluster: { name: 'events' }, method: 'plugin' },
      pluginConfiguration: { name: PLUGIN },
    },
  };
  return { cluster, store, schedule, others: [] as Value[] };
}

export type World = ReturnType<typeof sound>;

/** Puts a value at a place as `spec.plugins.0.name`; undefined takes it out. */
export function set(target: Value, path: string, value: unknown): void {
  const steps = path.split('.');
  const last = steps.pop()!;
  let place = target;
  for (const step of steps) {
    place[step] ??= {};
    place = place[step] as Value;
  }
  if (value === undefined) delete place[last];
  else place[last] = value;
}

export interface Case {
  readonly says: string;
  readonly change: (world: World) => void;
  /** All that is found then, briefly. */
  readonly found: readonly string[];
}

export const inCluster = (says: string, path: string, value: unknown, ...found: string[]): Case => ({
  ...{ says, found },
  change: ({ cluster }) => set(cluster, `spec.${path}`, value),
});
export const inStore = (says: string, path: string, value: unknown, ...found: string[]): Case => ({
  ...{ says, found },
  change: ({ store }) => set(store, `spec.${path}`, value),
});
export const inSchedule = (says: string, path: string, value: unknown, ...found: string[]): Case => ({
  ...{ says, found },
  change: ({ schedule }) => set(schedule, `spec.${path}`, value),
});

export const TOKEN = btoa(
  JSON.stringify({ databaseSystemIdentifier: '7', latestCheckpointREDOLocation: '0/5000028' }),
);
export const origin = (serverName?: string): Value => ({
  name: 'origin',
  plugin: {
    name: PLUGIN,
    parameters: { barmanObjectName: 'store', ...(serverName === undefined ? {} : { serverName }) },
  },
});
export const recovery = (target?: Value): Value => ({
  recovery: { source: 'origin', ...(target === undefined ? {} : { recoveryTarget: target }) },
});

/** A Cluster that is restored from `before`, into a folder of its own. */
export function restore(world: World, target?: Value): void {
  set(world.cluster, 'spec.externalClusters', [origin('before')]);
  set(world.cluster, 'spec.bootstrap', recovery(target));
}

export const aims = (says: string, target: Value, ...found: string[]): Case => ({
  ...{ says, found },
  change: (world) => restore(world, target),
});
export const TARGET = 'spec.bootstrap.recovery.recoveryTarget';

/** Drops the plugin for Barman inside of the operator, which is warned of in three places. */
export function goInTree({ cluster, schedule }: World): void {
  set(cluster, 'spec.plugins', undefined);
  const s3Credentials = { inheritFromIAMRole: true };
  set(cluster, 'spec.backup', {
    barmanObjectStore: { destinationPath: 's3://bucket/events', s3Credentials },
  });
  set(schedule, 'spec.method', 'barmanObjectStore');
  set(schedule, 'spec.pluginConfiguration', undefined);
}
export const IN_TREE = [
  'warning in_tree_removed spec.backup.barmanObjectStore',
  'warning in_tree_removed spec.method',
];

/** A second Cluster that follows the first one, and what both know of each other. */
export function follow({ cluster, others }: World, primary = 'events'): Value {
  const externals = ['events', 'west'].map((name) => ({ ...origin(name), name }));
  const west = structuredClone(cluster);
  set(cluster, 'spec.externalClusters', externals);
  set(cluster, 'spec.replica', { self: 'events', primary: 'events', source: 'west' });
  set(west, 'metadata.name', 'west');
  set(west, 'spec.plugins.0.parameters.serverName', 'west');
  set(west, 'spec.externalClusters', externals);
  set(west, 'spec.replica', { self: 'west', primary, source: 'events' });
  set(west, 'spec.bootstrap', { recovery: { source: 'events' } });
  const schedule = sound().schedule;
  set(schedule, 'metadata.name', 'west');
  set(schedule, 'spec.cluster.name', 'west');
  others.push(west, schedule);
  return west;
}
