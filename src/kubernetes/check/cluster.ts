import type { FieldPath, Manifest } from './manifest.ts';
import { flagAt, listAt, numberAt, recordAt, textAt, valueAt } from './values.ts';

export const BARMAN_PLUGIN = 'barman-cloud.cloudnative-pg.io';

/** What of a Cluster the rules ask for. What is of a wrong type counts as not there: the fields' own checks report it. */
export interface Cluster {
  readonly manifest: Manifest;
  readonly spec: Readonly<Record<string, unknown>>;
  readonly instances: number;
  readonly inTree: Readonly<Record<string, unknown>> | null;
  readonly hasSnapshots: boolean;
  /** Those that are not switched off. */
  readonly plugins: readonly Plugin[];
  readonly externals: readonly External[];
  /** Follows another cluster. */
  readonly isReplica: boolean;
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface Plugin {
  readonly at: FieldPath;
  readonly name: string;
  readonly isWalArchiver: boolean;
  readonly objectStore: string | null;
  readonly serverName: string | null;
}

export interface External {
  readonly at: FieldPath;
  readonly name: string;
  readonly plugin: Plugin | null;
  readonly inTree: Readonly<Record<string, unknown>> | null;
  readonly hasConnection: boolean;
}

export function readCluster(manifest: Manifest): Cluster {
  const spec = recordAt(manifest.value, 'spec') ?? {};
  return {
    ...{ manifest, spec, instances: numberAt(spec, 'instances') ?? 1 },
    inTree: recordAt(spec, 'backup', 'barmanObjectStore'),
    hasSnapshots: recordAt(spec, 'backup', 'volumeSnapshot') !== null,
    plugins: listAt(spec, 'plugins').flatMap((value, i) => pluginOf(value, ['spec', 'plugins', i]) ?? []),
    externals: listAt(spec, 'externalClusters').map((value, i) =>
      externalOf(value, ['spec', 'externalClusters', i]),
    ),
    isReplica: isReplica(spec, manifest.name),
    parameters: recordAt(spec, 'postgresql', 'parameters') ?? {},
  };
}

function pluginOf(value: unknown, at: FieldPath): Plugin | null {
  const name = textAt(value, 'name');
  if (name === null || valueAt(value, 'enabled') === false) return null;
  return {
    ...{ at, name, isWalArchiver: flagAt(value, 'isWALArchiver') },
    objectStore: textAt(value, 'parameters', 'barmanObjectName'),
    serverName: textAt(value, 'parameters', 'serverName'),
  };
}

function externalOf(value: unknown, at: FieldPath): External {
  return {
    ...{ at, name: textAt(value, 'name') ?? '' },
    plugin: pluginOf(valueAt(value, 'plugin'), [...at, 'plugin']),
    inTree: recordAt(value, 'barmanObjectStore'),
    hasConnection: recordAt(value, 'connectionParameters') !== null,
  };
}

/** As the operator sees it: `enabled` decides where it is said, else whether the primary is another one. */
function isReplica(spec: Record<string, unknown>, name: string): boolean {
  const replica = recordAt(spec, 'replica');
  if (replica === null) return false;
  const enabled = valueAt(replica, 'enabled');
  return typeof enabled === 'boolean' ? enabled : selfOf(spec, name) !== (textAt(replica, 'primary') ?? '');
}

/** By which name a cluster is known in a topology of several. */
export function selfOf(spec: Readonly<Record<string, unknown>>, name: string): string {
  return textAt(spec, 'replica', 'self') || name;
}

/** What archives the log of a cluster with Barman's plugin; null where nothing does. */
export function archiverOf({ plugins }: Cluster): Plugin | null {
  return plugins.find(({ name, isWalArchiver }) => name === BARMAN_PLUGIN && isWalArchiver) ?? null;
}
