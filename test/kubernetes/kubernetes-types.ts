import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/**
 * Manifests held against the types of Kubernetes: each is written as a literal of its type, of which the compiler takes no field that there is not.
 * That is what the API server does for `kubectl`.
 */

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');

const MODULES: Readonly<Record<string, string>> = {
  v1: 'core/v1',
  'apps/v1': 'apps/v1',
  'batch/v1': 'batch/v1',
  'policy/v1': 'policy/v1',
  'networking.k8s.io/v1': 'networking/v1',
  'rbac.authorization.k8s.io/v1': 'rbac/v1',
};

/** Of Prometheus's operator and KEDA: what is used of them. */
const OTHERS = `
import type { ObjectMeta, LabelSelector } from 'kubernetes-types/meta/v1.js';
import type { HorizontalPodAutoscalerBehavior } from 'kubernetes-types/autoscaling/v2.js';
type Named<Version, Kind> = { apiVersion: Version; kind: Kind; metadata: ObjectMeta };
interface Endpoint {
  port: string; path: string; interval: string; scheme?: 'https';
  authorization: { credentials: { name: string; key: string } };
}
export type PodMonitor = Named<'monitoring.coreos.com/v1', 'PodMonitor'> & {
  spec: { selector: LabelSelector; podMetricsEndpoints: Endpoint[] };
};
interface Rule { alert: string; expr: string; for: string; labels: Record<string, string>; annotations: Record<string, string> }
export type PrometheusRule = Named<'monitoring.coreos.com/v1', 'PrometheusRule'> & {
  spec: { groups: { name: string; interval?: string; rules: Rule[] }[] };
};
interface Trigger {
  type: 'postgresql'; metricType: 'AverageValue' | 'Value'; metadata: Record<string, string>; authenticationRef: { name: string };
}
export type ScaledObject = Named<'keda.sh/v1alpha1', 'ScaledObject'> & {
  spec: {
    scaleTargetRef: { name: string }; minReplicaCount: number; maxReplicaCount: number; pollingInterval: number;
    advanced: { horizontalPodAutoscalerConfig: { behavior: HorizontalPodAutoscalerBehavior } }; triggers: Trigger[];
  };
};
export type TriggerAuthentication = Named<'keda.sh/v1alpha1', 'TriggerAuthentication'> & {
  spec: { secretTargetRef: { parameter: string; name: string; key: string }[] };
};
`;

export interface NamedManifest {
  /** In what is said of it. */
  readonly from: string;
  readonly value: unknown;
}

/** What the compiler says of them; '' where all is well. */
export async function judgeTypes(manifests: readonly NamedManifest[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'eventcore-types-'));
  try {
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    await writeFile(join(folder, 'others.ts'), OTHERS);
    await writeFile(join(folder, 'manifests.ts'), manifests.map(literal).join('\n'));
    const words = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--pretty', 'false'];
    await run(join(ROOT, 'node_modules/.bin/tsc'), [...words, 'manifests.ts'], { cwd: folder });
    return '';
  } catch (error) {
    return (error as { readonly stdout?: string }).stdout ?? String(error);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** On one line each, named by where it is from. */
function literal({ from, value }: NamedManifest, i: number): string {
  const { apiVersion, kind } = value as { readonly apiVersion: string; readonly kind: string };
  const module = MODULES[apiVersion];
  const path = module === undefined ? './others.js' : `kubernetes-types/${module}.js`;
  const name = `${from} ${kind}`.replaceAll(/[^A-Za-z0-9]/g, '_');
  return `export const ${name}_${i}: import('${path}').${kind} = ${JSON.stringify(value)};`;
}
