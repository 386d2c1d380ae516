import type { StatusPromises } from '../../core/status.ts';
import type { Settings } from '../config/config.ts';

/** What the configuration promises. Who said how often drills run wants to hear of it when none passed for twice as long. */
export function promisesOf(settings: Pick<Settings, 'policy' | 'drill'> | null): StatusPromises {
  const { rpoMs, regionRpoMs, rtoMs, verifiedWithinMs, drilledWithinMs } = settings?.policy?.objectives ?? {};
  const every = settings?.drill.test_frequency;
  return {
    ...{ rpoMs: rpoMs ?? null, regionRpoMs: regionRpoMs ?? null, rtoMs: rtoMs ?? null },
    verifiedWithinMs: verifiedWithinMs ?? null,
    drilledWithinMs: drilledWithinMs ?? (every === undefined ? null : 2 * every),
  };
}
