import { stringify } from 'yaml';
import { cronJobManifests } from './cron-jobs.ts';
import { daemonManifests } from './daemon.ts';
import { recoveryJob, restoreJob } from './example-jobs.ts';
import { metricsPolicy, networkPolicy, workersPolicy } from './network-policy.ts';
import { type AlertRules, podMonitor, prometheusRule } from './prometheus.ts';
import { recoveryManifests } from './recovery.ts';
import { scalingManifests } from './scaling.ts';
import { configMap, exampleSecrets, serviceAccount } from './shared.ts';
import type { Manifest, Wanted, WantedWorkers } from './wanted.ts';
import { workerManifests } from './workers.ts';

/** Manifests as the files that people read, change and apply. */

export interface RenderOptions {
  readonly variant: 'daemon' | 'cron-jobs';
  /** For Prometheus's operator; null: there is none. */
  readonly alerts: AlertRules | null;
  /** Where the example of a restore puts what it restores: the store, without a password, as a role that may write. */
  readonly restoreTo: string;
  /** A scaler for workers, for KEDA. */
  readonly keda: boolean;
  /** Whether the configuration says how to recover from a disaster. */
  readonly hasRecovery: boolean;
}

export interface ManifestFile {
  readonly name: string;
  readonly text: string;
  readonly manifests: readonly Manifest[];
  /** Whether `kubectl apply -k` takes it; else it is an example, to be changed first. */
  readonly isApplied: boolean;
}

/** All files but `kustomization.yaml`. */
export function renderFiles(wanted: Wanted, options: RenderOptions): ManifestFile[] {
  const { variant, alerts, keda } = options;
  const { workers } = wanted;
  return [
    ...sharedFiles(wanted),
    variant === 'daemon' ? daemonFile(wanted) : cronJobsFile(wanted),
    ...(workers === null ? [] : [workersFile(wanted, workers)]),
    ...(workers === null || !keda ? [] : [scalingFile(wanted, workers)]),
    ...(alerts === null ? [] : [prometheusFile(wanted, alerts)]),
    ...exampleFiles(wanted, options),
  ];
}

/** What there is however it runs. */
export function sharedFiles(wanted: Wanted): ManifestFile[] {
  const recovery = recoveryManifests(wanted);
  return [
    applied(
      'config-map.yaml',
      'The configuration (docs/policy.md, docs/serve.md). A change of it counts within a minute or two, without a restart.',
      [configMap(wanted)],
    ),
    applied(
      'service-account.yaml',
      'Who the pods are. They have no rights in the cluster unless a role below gives one.',
      [serviceAccount(wanted)],
    ),
    applied(
      'network-policy.yaml',
      'Who may reach the pods, and whom they may reach. Ports are those of the pods behind a Service. What has only a name is let through by its port: narrow that down where you know the addresses.',
      [networkPolicy(wanted)],
    ),
    ...(recovery.length === 0
      ? []
      : [
          applied(
            'recovery.yaml',
            'What disaster recovery may do: the daemon only looks; nothing runs as the account of recoveries until somebody starts a Job (recovery-job.example.yaml).',
            recovery,
          ),
        ]),
  ];
}

export function daemonFile(wanted: Wanted): ManifestFile {
  return applied(
    'daemon.yaml',
    'The daemon, which keeps all schedules; a second pod stands by and takes over within a minute. With a claim there is one pod, since most claims are for one node.',
    daemonManifests(wanted),
  );
}

export function cronJobsFile(wanted: Wanted): ManifestFile {
  return applied(
    'cron-jobs.yaml',
    'A CronJob for each job. Those that are suspended run when somebody asks: kubectl create job --from=cronjob/NAME NEW-NAME',
    cronJobManifests(wanted),
  );
}

export function workersFile(wanted: Wanted, workers: WantedWorkers): ManifestFile {
  return applied(
    'workers.yaml',
    'Workers, which take parts of backups, verifications and restores from the queue; nobody has to reach them. How many: kubectl scale, or scaling.yaml.',
    [...workerManifests(wanted, workers), workersPolicy(wanted, workers)],
  );
}

export function scalingFile(wanted: Wanted, workers: WantedWorkers): ManifestFile {
  return applied(
    'scaling.yaml',
    "For KEDA: as many workers as there are jobs to do, from one on. It asks the queue's database, which must let it in from its own namespace.",
    scalingManifests(wanted, workers),
  );
}

export function prometheusFile(wanted: Wanted, alerts: AlertRules): ManifestFile {
  return applied(
    'prometheus.yaml',
    "For Prometheus's operator. The token is in a Secret; the namespace that is let in is called monitoring.",
    [podMonitor(wanted), prometheusRule(wanted, alerts), metricsPolicy(wanted)],
  );
}

function exampleFiles(wanted: Wanted, { restoreTo, hasRecovery }: RenderOptions): ManifestFile[] {
  const secrets = exampleSecrets(wanted);
  return [
    example(
      'secrets.example.yaml',
      'What must be in the Secrets. Make them with kubectl create secret, or with External Secrets; never commit them.',
      secrets,
    ),
    example(
      'restore-job.example.yaml',
      'One stream as it was, into the store in use. Change the words of the command, then: kubectl create -f',
      [restoreJob(wanted, restoreTo)],
    ),
    ...(hasRecovery
      ? [
          example(
            'recovery-job.example.yaml',
            'A step of a disaster recovery (docs/disaster-recovery.md). Change the words of the command, then: kubectl create -f',
            [recoveryJob(wanted)],
          ),
        ]
      : []),
  ];
}

/** What `kubectl apply -k` takes. */
export function kustomization(
  files: readonly { readonly name: string; readonly isApplied: boolean }[],
): string {
  const resources = files.filter(({ isApplied }) => isApplied).map(({ name }) => name);
  return toYaml({ apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization', resources });
}

function applied(name: string, comment: string, manifests: readonly Manifest[]): ManifestFile {
  return { name, text: textOf(comment, manifests), manifests, isApplied: true };
}

function example(name: string, comment: string, manifests: readonly Manifest[]): ManifestFile {
  return { name, text: textOf(comment, manifests), manifests, isApplied: false };
}

function textOf(comment: string, manifests: readonly Manifest[]): string {
  return `# ${comment}\n${manifests.map(toYaml).join('---\n')}`;
}

export function toYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}
