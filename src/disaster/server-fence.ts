import type { Fence, RegionServer } from '../core/disaster-ports.ts';
import { BackupError, isBackupError } from '../core/errors.ts';

/**
 * A server's own fence: it lets nobody in any longer. Holds only where the server can be asked, and for as long as its files are those
 * that it was set in. `planId` marks it, so that what another recovery has set is not taken for this one's.
 */
export function serverFence(server: RegionServer, planId: string): Fence {
  return {
    describe: `${server.address} shuts its door: only its superuser and replication get in`,
    apply: async ({ signal }) => {
      try {
        return await server.fence(planId, { signal });
      } catch (cause) {
        if (!isBackupError(cause, 'store_unreachable', 'store_refused')) throw cause;
        throw new BackupError(
          'fence_failed',
          `${server.address} cannot be asked to shut its door: ${cause.message}`,
          {
            hint: 'fence it from outside, or by its lease (docs/disaster-recovery.md)',
            cause,
          },
        );
      }
    },
    lift: ({ signal }) => server.unfence({ signal, mark: planId }),
    check: async ({ signal }) => {
      try {
        return (await server.isFenced(planId, { signal })) ? 'fenced' : 'open';
      } catch (error) {
        // A server that does not answer may well be open, to others.
        if (isBackupError(error)) return 'unknown';
        throw error;
      }
    },
  };
}
