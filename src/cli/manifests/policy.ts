import { isBackupError } from '../../core/errors.ts';
import type { PolicyRemark } from '../../kubernetes/check/check.ts';
import { findContradictions } from '../../policy/contradictions.ts';
import { resolveVaultAddress } from '../address.ts';
import { parseConfig } from '../config/file.ts';
import { policyOf } from '../config/policy-file.ts';
import { systemClock } from '../wire.ts';

/** What is wrong with a configuration that stands in a ConfigMap, all contradictions of its policy included. */
export function judgePolicy(text: string, place: string): PolicyRemark[] {
  try {
    const config = parseConfig(text, place);
    // Where it is mounted nobody knows; what relative paths name does not matter to the policy.
    const resolve = (address: string): string => resolveVaultAddress(address, '/');
    const nowMs = systemClock.now();
    const vault = config.vault == null ? null : resolve(config.vault);
    const policy = policyOf(config, { path: place, vault, resolve, nowMs });
    return policy === null ? [] : findContradictions(policy, nowMs);
  } catch (error) {
    if (!isBackupError(error)) throw error;
    return [{ level: 'error', message: error.message, hint: error.hint }];
  }
}
