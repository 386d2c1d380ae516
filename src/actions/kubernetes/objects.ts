import type { ApiObject, KubernetesClient } from './client.ts';

/** `deployment/NAME` or `statefulset/NAME`. */
export interface Workload {
  readonly kind: 'deployment' | 'statefulset';
  readonly name: string;
}

export const clusterPath = (namespace: string, name: string): string =>
  `/apis/postgresql.cnpg.io/v1/namespaces/${encodeURIComponent(namespace)}/clusters/${encodeURIComponent(name)}`;

export const workloadPath = (namespace: string, { kind, name }: Workload): string =>
  `/apis/apps/v1/namespaces/${encodeURIComponent(namespace)}/${kind}s/${encodeURIComponent(name)}`;

export const podsPath = (namespace: string, selector: string): string =>
  `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods?labelSelector=${encodeURIComponent(selector)}`;

/** A field of an object that may not be there, or be something else. */
export function fieldOf(object: unknown, ...path: readonly string[]): unknown {
  let value = object;
  for (const key of path) {
    const isThere = typeof value === 'object' && value !== null && Object.hasOwn(value, key);
    if (!isThere) return undefined;
    value = (value as ApiObject)[key];
  }
  return value;
}

export function textOf(object: unknown, ...path: readonly string[]): string | null {
  const value = fieldOf(object, ...path);
  return typeof value === 'string' ? value : null;
}

/** What is not there is none. */
export function countOf(object: unknown, ...path: readonly string[]): number {
  const value = fieldOf(object, ...path);
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : 0;
}

export function listOf(object: unknown, ...path: readonly string[]): readonly unknown[] {
  const value = fieldOf(object, ...path);
  return Array.isArray(value) ? value : [];
}

const MOST_TRIES = 5;

/**
 * Changes an object as it is now, again where somebody else changed it in between: operators write often. `change` gives null where there is
 * nothing to do. Gives the object that it decided by.
 */
export async function changeObject(
  client: KubernetesClient,
  path: string,
  change: (object: ApiObject) => ApiObject | null,
  { signal, missing }: { readonly signal: AbortSignal; readonly missing: () => Error },
): Promise<ApiObject> {
  for (let left = MOST_TRIES; left > 0; left -= 1) {
    const object = await client.get(path, signal);
    if (object === null) throw missing();
    const wanted = change(object);
    if (wanted === null) return object;
    const metadata = fieldOf(wanted, 'metadata') as ApiObject | undefined;
    const resourceVersion = textOf(object, 'metadata', 'resourceVersion');
    const body = { ...wanted, metadata: { ...metadata, resourceVersion } };
    if ((await client.patch(path, body, signal)) !== null) return object;
  }
  throw missing();
}
