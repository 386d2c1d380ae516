import type { Fence } from '../../core/disaster-ports.ts';
import { BackupError } from '../../core/errors.ts';
import { pause } from '../../core/pause.ts';
import {
  type ApiObject,
  type KubernetesAccess,
  type KubernetesClient,
  kubernetesClient,
} from '../kubernetes/client.ts';
import {
  changeObject,
  clusterPath,
  countOf,
  fieldOf,
  podsPath,
  textOf,
  type Workload,
  workloadPath,
} from '../kubernetes/objects.ts';
import {
  FENCED_AT,
  FENCED_INSTANCES,
  type FenceVerdict,
  isInstance,
  judgeFence,
  namesAll,
  nodeOf,
} from './kubernetes-proof.ts';

export interface KubernetesFenceOptions {
  readonly access: KubernetesAccess;
  /** A Cluster of CloudNativePG, or a workload that is scaled to zero. */
  readonly target: { readonly cluster: string } | { readonly workload: Workload };
  /** How long it is waited until it is shown to hold. */
  readonly waitMs?: number;
  readonly pollMs?: number;
  /** See `FenceFacts.settleMs`. */
  readonly settleMs?: number;
}

const WAIT_MS = 120_000;
const POLL_MS = 1000;
const SETTLE_MS = 30_000;

/**
 * Fences through the API server of the region: also where the database does not answer. Asked for, it waits until the servers are
 * shown to be down, or says in words what still stands against it.
 */
export function kubernetesFence(options: KubernetesFenceOptions): Fence {
  const client = kubernetesClient(options.access, 'fence_failed');
  const { target, settleMs = SETTLE_MS } = options;
  return 'cluster' in target
    ? clusterFence({ client, name: target.cluster, settleMs, options })
    : workloadFence({ client, workload: target.workload, options });
}

interface ClusterFence {
  readonly client: KubernetesClient;
  readonly name: string;
  readonly settleMs: number;
  readonly options: KubernetesFenceOptions;
}

function clusterFence({ client, name, settleMs, options }: ClusterFence): Fence {
  const path = clusterPath(client.namespace, name);
  const describe = `the Cluster ${client.namespace}/${name} of CloudNativePG, fenced through ${client.describe}`;
  const missing = () => failed(describe, 'there is no such Cluster, or it changes all the time');
  const judge = async (signal: AbortSignal): Promise<FenceVerdict> => {
    const cluster = await client.get(path, signal);
    if (cluster === null) throw missing();
    const pods = await podsOf(client, `cnpg.io/cluster=${name}`, signal);
    const names = new Set(pods.filter(isInstance).flatMap((pod) => nodeOf(pod) ?? []));
    const nodes = new Map<string, ApiObject | null>();
    for (const node of names)
      nodes.set(node, await client.get(`/api/v1/nodes/${encodeURIComponent(node)}`, signal));
    return judgeFence({ cluster, pods, nodes, nowMs: Date.now(), settleMs });
  };
  return {
    describe,
    apply: async ({ signal }) => {
      await changeObject(client, path, fencePatch, { signal, missing });
      const reason = await waitUntilFenced(judge, options, { signal, describe });
      return { fence: 'kubernetes', cluster: `${client.namespace}/${name}`, shown: reason };
    },
    check: async ({ signal }) => (await judge(signal)).state,
  };
}

/** Nothing where it stands already, with the time at which it was asked for. */
function fencePatch(cluster: ApiObject): ApiObject | null {
  const since = textOf(cluster, 'metadata', 'annotations', FENCED_AT);
  if (namesAll(cluster) && since !== null) return null;
  return {
    metadata: { annotations: { [FENCED_INSTANCES]: '["*"]', [FENCED_AT]: new Date().toISOString() } },
  };
}

interface WorkloadFence {
  readonly client: KubernetesClient;
  readonly workload: Workload;
  readonly options: KubernetesFenceOptions;
}

function workloadFence({ client, workload, options }: WorkloadFence): Fence {
  const path = `${workloadPath(client.namespace, workload)}/scale`;
  const shown = `${client.namespace}/${workload.kind}/${workload.name}`;
  const describe = `${shown}, scaled to zero through ${client.describe}`;
  const missing = () => failed(describe, 'there is no such workload, or it changes all the time');
  const judge = async (signal: AbortSignal): Promise<FenceVerdict> => {
    const scale = await client.get(path, signal);
    if (scale === null) throw missing();
    const wanted = countOf(scale, 'spec', 'replicas');
    if (wanted > 0) return { state: 'open', reason: `${wanted} are wanted` };
    const selector = textOf(scale, 'status', 'selector');
    if (selector === null || selector === '')
      return { state: 'unknown', reason: 'it does not say which pods are its own' };
    const pods = await podsOf(client, selector, signal);
    if (pods.length > 0) return { state: 'open', reason: `${pods.length} pods are still there` };
    return { state: 'fenced', reason: 'it has no pods' };
  };
  return {
    describe,
    apply: async ({ signal }) => {
      const change = (scale: ApiObject) =>
        countOf(scale, 'spec', 'replicas') === 0 ? null : { spec: { replicas: 0 } };
      const before = await changeObject(client, path, change, { signal, missing });
      const reason = await waitUntilFenced(judge, options, { signal, describe });
      return {
        fence: 'kubernetes',
        workload: shown,
        replicasBefore: countOf(before, 'spec', 'replicas'),
        shown: reason,
      };
    },
    check: async ({ signal }) => (await judge(signal)).state,
  };
}

async function podsOf(
  client: KubernetesClient,
  selector: string,
  signal: AbortSignal,
): Promise<readonly unknown[]> {
  const items = fieldOf(await client.get(podsPath(client.namespace, selector), signal), 'items');
  if (Array.isArray(items)) return items;
  // What does not list them must not be taken for there being none.
  throw failed(client.describe, 'it does not list pods');
}

/** Gives what shows it. Throws `fence_failed` with what stands against it. */
async function waitUntilFenced(
  judge: (signal: AbortSignal) => Promise<FenceVerdict>,
  { waitMs = WAIT_MS, pollMs = POLL_MS }: KubernetesFenceOptions,
  { signal, describe }: { readonly signal: AbortSignal; readonly describe: string },
): Promise<string> {
  const untilMs = performance.now() + waitMs;
  for (;;) {
    const { state, reason } = await judge(signal);
    if (state === 'fenced') return reason;
    if (signal.aborted || performance.now() + pollMs > untilMs) throw failed(describe, reason);
    await pause(pollMs, signal);
  }
}

function failed(describe: string, reason: string): BackupError {
  return new BackupError('fence_failed', `${describe}: ${reason}`, {
    hint: 'look at the Cluster or workload and its pods with kubectl; add another fence that does not need them, as one that switches the machines off',
  });
}
