import type { StoreStatus } from '../../../src/core/status.ts';
import type { Vault } from '../../../src/core/vault.ts';
import { type KnownStatus, makeKnownStatus } from '../../../src/daemon/known-status.ts';
import { GOOD_STATUS, NO_PROMISES } from '../../harness/sample-status.ts';
import { HOUR } from './faults.ts';
import { type World, wallMs } from './world.ts';

/** What was promised: more than from one incremental backup to the next. */
export const RPO_MS = 9 * HOUR;
const ASKING_MS = 1000;

interface Asking {
  readonly vault: Vault;
  readonly pause: (ms: number, signal?: AbortSignal) => Promise<void>;
  readonly onAsked: () => void;
}

/** What a daemon knows of the store: it asks the vault, and cannot while that is away. */
export function followStatus(world: World, { vault, pause, onAsked }: Asking): KnownStatus {
  return makeKnownStatus({
    ask: async () => {
      await pause(ASKING_MS);
      await vault.stat('backups/nothing');
      return statusOf(world);
    },
    ...{ store: 'shop', now: () => wallMs(world), steadyMs: world.time.now, pause, onAsked },
    onFailure: () => undefined,
  });
}

function statusOf(world: World): StoreStatus {
  const newestMs = Math.max(...[...world.points.values()].map(({ createdAtMs }) => createdAtMs));
  return {
    ...GOOD_STATUS,
    ...{ at: textOf(wallMs(world)), newestPoint: Number.isFinite(newestMs) ? textOf(newestMs) : null },
    promises: { ...NO_PROMISES, rpoMs: RPO_MS },
  };
}

function textOf(ms: number): string {
  return new Date(ms).toISOString();
}
