import type { KeyRing, Signer } from '../core/key-ring.ts';
import type { KeySources } from './open.ts';
import type { Environment } from './secret.ts';

/**
 * The ring and the signer of somebody who has these keys. What deals with keys is loaded now, not with the library. Throws `usage` for
 * a recipient of no known kind, `key_refused` for a secret that cannot be used.
 */
export async function openKeys(
  sources: KeySources,
  env: Environment = process.env,
): Promise<{ ring: KeyRing; signer: Signer | null }> {
  return (await import('./open.ts')).openKeys(sources, env);
}
