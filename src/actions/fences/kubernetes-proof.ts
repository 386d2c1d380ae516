import type { ApiObject } from '../kubernetes/client.ts';
import { fieldOf, listOf, textOf } from '../kubernetes/objects.ts';

/** CloudNativePG stops the server of each instance named here. */
export const FENCED_INSTANCES = 'cnpg.io/fencedInstances';
/** When we asked for it: RFC 3339. */
export const FENCED_AT = 'eventcore-backup/fenced-at';

const SERVER_CONTAINER = 'postgres';

export interface FenceFacts {
  readonly cluster: ApiObject;
  readonly pods: readonly unknown[];
  /** By name; null for one that is no more. */
  readonly nodes: ReadonlyMap<string, ApiObject | null>;
  readonly nowMs: number;
  /** How long a fence takes to come through: kubelets find out that a server is down by asking three times, ten seconds apart. */
  readonly settleMs: number;
}

export interface FenceVerdict {
  readonly state: 'fenced' | 'open' | 'unknown';
  readonly reason: string;
}

/**
 * Whether no server of a fenced Cluster runs any longer. That an instance is not ready says so only where its node is heard of: of a node that is cut
 * off, the control plane sets pods to "not ready" by itself, while the server there runs on.
 */
export function judgeFence({ cluster, pods, nodes, nowMs, settleMs }: FenceFacts): FenceVerdict {
  if (!namesAll(cluster))
    return { state: 'open', reason: `the annotation ${FENCED_INSTANCES} does not name all` };
  const verdicts = pods.filter(isInstance).map((pod) => judgePod(pod, nodes));
  const worst =
    verdicts.find(({ state }) => state === 'open') ?? verdicts.find(({ state }) => state === 'unknown');
  if (worst !== undefined) return worst;
  const sinceMs = nowMs - Date.parse(textOf(cluster, 'metadata', 'annotations', FENCED_AT) ?? '');
  // What was not ready before says nothing of the fence yet.
  if (!(sinceMs >= settleMs))
    return { state: 'unknown', reason: `it was asked for less than ${settleMs / 1000} s ago` };
  return { state: 'fenced', reason: `none of ${verdicts.length} instances runs a server` };
}

/** Whether all instances are to be stopped. */
export function namesAll(cluster: ApiObject): boolean {
  try {
    const names: unknown = JSON.parse(textOf(cluster, 'metadata', 'annotations', FENCED_INSTANCES) ?? '[]');
    return Array.isArray(names) && names.includes('*');
  } catch {
    return false;
  }
}

/** Of a Cluster there are pods of jobs and poolers too. */
export function isInstance(pod: unknown): boolean {
  return listOf(pod, 'spec', 'containers').some((one) => fieldOf(one, 'name') === SERVER_CONTAINER);
}

export function nodeOf(pod: unknown): string | null {
  return textOf(pod, 'spec', 'nodeName');
}

function judgePod(pod: unknown, nodes: FenceFacts['nodes']): FenceVerdict {
  const name = textOf(pod, 'metadata', 'name') ?? 'a pod';
  const container = listOf(pod, 'status', 'containerStatuses').find(
    (one) => fieldOf(one, 'name') === SERVER_CONTAINER,
  );
  const node = nodeOf(pod);
  if (node === null) return { state: 'fenced', reason: `${name} runs nowhere` };
  if (fieldOf(container, 'ready') === true) return { state: 'open', reason: `${name} is ready` };
  const heard = listOf(nodes.get(node) ?? null, 'status', 'conditions').some(
    (condition) => fieldOf(condition, 'type') === 'Ready' && fieldOf(condition, 'status') === 'True',
  );
  if (heard) return { state: 'fenced', reason: `${name} is not ready` };
  return { state: 'unknown', reason: `nothing is heard of the node ${node}, where ${name} may still run` };
}
