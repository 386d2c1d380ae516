import { QUEUE_PASSWORD } from '../../kubernetes/render/scaling.ts';
import type { Variable } from '../../kubernetes/render/wanted.ts';
import type { KubernetesFlags } from './flags.ts';
import type { Needs } from './needs.ts';

/** Variables of the pods, and which Secrets they come from. */

/** Roles of clouds give pods what they need for buckets and keys without any of these. */
export function secretVariables(
  { variables, usesPostgres, usesAmazon, lacksRegion }: Needs,
  { passwordFrom }: KubernetesFlags,
): Variable[] {
  const amazon = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', ...(lacksRegion ? ['AWS_REGION'] : [])];
  const own = [
    ...(usesPostgres ? [{ name: 'PGPASSWORD', isOptional: false, ...passwordFrom }] : []),
    ...(usesAmazon ? amazon.map((name) => ({ name, isOptional: true })) : []),
  ];
  const named = variables.filter((name) => own.every((variable) => variable.name !== name));
  return [...own, ...named.map((name) => ({ name, isOptional: false }))];
}

/**
 * The address of the queue with its password, which the kubelet puts in: PGPASSWORD is one for all servers, and the queue has a login of its own.
 */
export function queueVariables(address: string): Variable[] {
  const value = address.replace(
    /^(postgres(?:ql)?:\/\/[^@/?:]+)@/i,
    (_, before: string) => `${before}:$(QUEUE_PASSWORD)@`,
  );
  return [
    { name: 'QUEUE_PASSWORD', isOptional: false, ...QUEUE_PASSWORD },
    { name: 'EVENTCORE_QUEUE', value },
  ];
}
