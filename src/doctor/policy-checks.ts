import type { RegionPolicy } from '../core/region-policy.ts';
import type { PolicyFinding } from '../policy/contradictions.ts';
import { type Check, good, skipped, warn } from './check.ts';

const NAME = 'policy';
export const POLICY_CHECKS = [NAME] as const;

/** What in a policy is worth a look. */
export function checkPolicy(policy: RegionPolicy | null, warnings: readonly PolicyFinding[]): Check[] {
  if (policy === null) return [skipped(NAME, 'the configuration has none')];
  if (warnings.length > 0) return warnings.map(({ message, hint }) => warn(NAME, message, hint));
  const { primary, replicas, archive } = policy;
  const names = [primary, ...replicas, ...(archive === null ? [] : [archive])].map(({ region }) => region);
  return [good(NAME, `nothing contradicts itself in ${names.join(', ')}`)];
}
