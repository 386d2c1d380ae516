/**
 * EventCore Backup on Kubernetes: manifests made of what a configuration needs, as plain data. Nothing is asked and nothing is written here.
 */

/** An object of the API of Kubernetes. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** What is to run, and what it needs. */
export interface Wanted {
  /** Of all that is made. */
  readonly name: string;
  readonly namespace: string;
  readonly image: string;
  /** The configuration as it stands in the ConfigMap: secrets are named there, and are not in it. */
  readonly config: { readonly fileName: string; readonly text: string };
  readonly variables: readonly Variable[];
  /** Files that the configuration names beside itself: they come from a Secret. */
  readonly files: readonly SecretFile[];
  /** Claims that are there, by where they are mounted. */
  readonly volumes: readonly ClaimedVolume[];
  /** Whom it speaks to. */
  readonly endpoints: readonly Endpoint[];
  /** What it does when. */
  readonly jobs: readonly WantedJob[];
  /** Whether the daemon's own address speaks TLS. */
  readonly isTls: boolean;
  /** A job that did not end by then is ended. */
  readonly deadlineSeconds: number;
  /** What a recovery asks the API server for, in a pod. */
  readonly targets: readonly RecoveryTarget[];
  /** Null: nobody works for others. */
  readonly workers: WantedWorkers | null;
}

/** Pods that take jobs from a queue, and what these need: less than the daemon does. */
export interface WantedWorkers {
  readonly queue: QueuePlace;
  /** Jobs that one takes at once. */
  readonly concurrency: number;
  readonly variables: readonly Variable[];
  readonly files: readonly SecretFile[];
  readonly endpoints: readonly Endpoint[];
}

/** A database of PostgreSQL that jobs wait in. */
export interface QueuePlace {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly schema: string;
  readonly user: string;
  readonly sslMode: string;
}

/** A variable of the environment: with a value, or of a Secret. */
export type Variable =
  | { readonly name: string; readonly value: string }
  | {
      readonly name: string;
      readonly isOptional: boolean;
      /** Of the Secret; left out: as the variable is called. */
      readonly key?: string;
      /** Left out: the Secret of all that runs. */
      readonly secret?: string;
    };

export interface SecretFile {
  /** In the Secret. */
  readonly key: string;
  /** From the folder of the configuration. */
  readonly path: string;
}

export interface ClaimedVolume {
  readonly path: string;
  readonly claim: string;
}

export interface Endpoint {
  /** Null: not known here. */
  readonly host: string | null;
  readonly port: number;
}

export interface WantedJob {
  readonly name: string;
  /** The words of the command. */
  readonly args: readonly string[];
  readonly timing:
    | { readonly kind: 'schedule'; readonly cron: string; readonly timeZone: string }
    /** Until it is stopped. */
    | { readonly kind: 'always' }
    /** When somebody asks for it. */
    | { readonly kind: 'asked' };
}

/** A Cluster of CloudNativePG or a workload that a recovery fences, or gives more instances. */
export interface RecoveryTarget {
  readonly purpose: 'fence' | 'scale';
  readonly namespace: string;
  readonly kind: 'cluster' | 'deployment' | 'statefulset';
  readonly name: string;
}

/** Names of what the parts share. */
export function namesOf({ name }: Pick<Wanted, 'name'>) {
  return {
    config: `${name}-config`,
    /** Variables of the environment. */
    secret: name,
    /** Files beside the configuration. */
    files: `${name}-files`,
    /** A token that may read metrics. */
    metrics: `${name}-metrics`,
    recovery: `${name}-recovery`,
    look: `${name}-look`,
    worker: `${name}-worker`,
  };
}

export function labelsOf({ name }: Pick<Wanted, 'name'>): Record<string, string> {
  return { 'app.kubernetes.io/name': 'eventcore-backup', 'app.kubernetes.io/instance': name };
}

/** Of an object in the namespace of all. */
export function metadataOf(wanted: Pick<Wanted, 'name' | 'namespace'>, name: string) {
  return { name, namespace: wanted.namespace, labels: labelsOf(wanted) };
}
