import type { Scaler } from '../../core/disaster-ports.ts';
import { BackupError } from '../../core/errors.ts';
import { type ApiObject, type KubernetesAccess, kubernetesClient } from '../kubernetes/client.ts';
import { changeObject, clusterPath, countOf, type Workload, workloadPath } from '../kubernetes/objects.ts';

export interface KubernetesScalerOptions {
  readonly access: KubernetesAccess;
  readonly target: { readonly cluster: string } | { readonly workload: Workload };
  /** How many there are to be, at least. */
  readonly instances: number;
}

/** More instances of a Cluster of CloudNativePG, or of a workload. Never fewer: what has more already is left as it is. */
export function kubernetesScaler({ access, target, instances }: KubernetesScalerOptions): Scaler {
  const client = kubernetesClient(access, 'action_failed');
  const isCluster = 'cluster' in target;
  const path = isCluster
    ? clusterPath(client.namespace, target.cluster)
    : workloadPath(client.namespace, target.workload);
  const shown = isCluster ? `Cluster ${target.cluster}` : `${target.workload.kind} ${target.workload.name}`;
  const describe = `${instances} instances of the ${shown} in ${client.namespace}, through ${client.describe}`;
  const field = isCluster ? 'instances' : 'replicas';
  const ready = isCluster ? 'readyInstances' : 'readyReplicas';
  const missing = () =>
    new BackupError('action_failed', `${describe}: there is none of that name, or it changes all the time`, {
      hint: 'check the name and the namespace, and who else changes it',
    });
  const wanted = (object: ApiObject): number => countOf(object, 'spec', field);
  return {
    describe,
    apply: async ({ signal }) => {
      // By the object itself, not its scale: that knows nothing of who is ready, and the right to one would not be enough.
      const change = (object: ApiObject) =>
        wanted(object) >= instances ? null : { spec: { [field]: instances } };
      const before = await changeObject(client, path, change, { signal, missing });
      return { scaler: 'kubernetes', from: wanted(before), to: Math.max(wanted(before), instances) };
    },
    check: async ({ signal }) => {
      const object = await client.get(path, signal);
      if (object === null) throw missing();
      return wanted(object) >= instances && countOf(object, 'status', ready) >= instances;
    },
  };
}
