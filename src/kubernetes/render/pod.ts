import { labelsOf, namesOf, type SecretFile, type Variable, type Wanted } from './wanted.ts';

/** What all pods have in common: who they are, what they may, and what is where in them. */

export const CONFIG_FOLDER = '/etc/eventcore';
/** Of the image (deploy/container/Containerfile): a user without a name. */
const USER = 10001;

/** Restores of drills into SQLite are made here too. */
const TEMPORARY = { path: '/tmp', limit: '10Gi' };

export interface PodOptions {
  readonly args: readonly string[];
  readonly resources: Resources;
  readonly restartPolicy: 'Always' | 'Never';
  readonly graceSeconds: number;
  readonly serviceAccount?: string;
  /** Left out: by whether the daemon looks at what a recovery would ask. */
  readonly mountsToken?: boolean;
  /** Further fields of the container, and of the pod. */
  readonly container?: Readonly<Record<string, unknown>>;
  readonly pod?: Readonly<Record<string, unknown>>;
}

export interface Resources {
  readonly requests: Readonly<Record<string, string>>;
  readonly limits: Readonly<Record<string, string>>;
}

/** The `template` of a Deployment or Job. */
export function podTemplate(wanted: Wanted, component: string, options: PodOptions) {
  const mountsToken = options.mountsToken ?? wanted.targets.length > 0;
  return {
    metadata: { labels: { ...labelsOf(wanted), 'app.kubernetes.io/component': component } },
    spec: {
      serviceAccountName: options.serviceAccount ?? wanted.name,
      automountServiceAccountToken: mountsToken,
      enableServiceLinks: false,
      restartPolicy: options.restartPolicy,
      terminationGracePeriodSeconds: options.graceSeconds,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: USER,
        runAsGroup: USER,
        fsGroup: USER,
        fsGroupChangePolicy: 'OnRootMismatch',
        seccompProfile: { type: 'RuntimeDefault' },
      },
      ...options.pod,
      containers: [
        {
          name: 'eventcore',
          image: wanted.image,
          args: [...options.args],
          env: variablesOf(wanted),
          ...options.container,
          resources: options.resources,
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
          volumeMounts: [
            { name: 'config', mountPath: CONFIG_FOLDER, readOnly: true },
            { name: 'tmp', mountPath: TEMPORARY.path },
            ...wanted.volumes.map(({ path }, i) => ({ name: `volume-${i + 1}`, mountPath: path })),
          ],
        },
      ],
      volumes: volumesOf(wanted),
    },
  };
}

/** What stands by, or shares the work, is of no use on the node or in the zone that is lost. */
export function spreadOver(matchLabels: Readonly<Record<string, string>>) {
  return ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'].map((topologyKey) => ({
    ...{ maxSkew: 1, topologyKey, whenUnsatisfiable: 'ScheduleAnyway' },
    labelSelector: { matchLabels },
  }));
}

function variablesOf(wanted: Wanted) {
  const own: readonly Variable[] = [
    { name: 'EVENTCORE_CONFIG', value: `${CONFIG_FOLDER}/${wanted.config.fileName}` },
  ];
  return [...own, ...wanted.variables].map((variable) =>
    'value' in variable
      ? variable
      : {
          name: variable.name,
          valueFrom: {
            secretKeyRef: {
              name: variable.secret ?? namesOf(wanted).secret,
              key: variable.key ?? variable.name,
              ...(variable.isOptional ? { optional: true } : {}),
            },
          },
        },
  );
}

function volumesOf(wanted: Wanted) {
  return [
    { name: 'config', projected: { defaultMode: 0o440, sources: sourcesOf(wanted) } },
    { name: 'tmp', emptyDir: { sizeLimit: TEMPORARY.limit } },
    ...wanted.volumes.map(({ claim }, i) => ({
      name: `volume-${i + 1}`,
      persistentVolumeClaim: { claimName: claim },
    })),
  ];
}

/** The configuration with its secret files beside it, as on any host: relative paths in it mean the same. */
function sourcesOf(wanted: Wanted) {
  const { config, files } = namesOf(wanted);
  const items = wanted.files.map(({ key, path }: SecretFile) => ({ key, path }));
  return [
    { configMap: { name: config } },
    ...(items.length === 0 ? [] : [{ secret: { name: files, items } }]),
  ];
}
