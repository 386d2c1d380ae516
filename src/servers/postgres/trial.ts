import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { isBackupError } from '../../core/errors.ts';
import { asStranger, type ServerAddress } from './address.ts';
import { withConnection } from './connection.ts';
import { trialName } from './hba-fence.ts';
import { sqlState } from './server-error.ts';

/** How a server receives a name that nobody has. */
export type Reception = 'rejected' | 'asked_for_password' | 'full' | 'other';

/**
 * Whether the rules that the server has loaded are those of the fence with this mark: it alone tells the two names apart. What the file
 * says is only so once the server has read it, which it does some time after it is told to.
 */
export async function isFenceLoaded(
  address: ServerAddress,
  mark: string,
  signal: AbortSignal,
): Promise<'yes' | 'no' | 'full'> {
  const [stranger, trial] = await Promise.all([
    receptionOf(address, `eventcore-nobody-${randomUUID().slice(0, 8)}`, signal),
    receptionOf(address, trialName(mark), signal),
  ]);
  if (stranger === 'full' || trial === 'full') return 'full';
  return stranger === 'rejected' && trial === 'asked_for_password' ? 'yes' : 'no';
}

async function receptionOf(address: ServerAddress, user: string, signal: AbortSignal): Promise<Reception> {
  const place = { ...address, uri: asStranger(address, user) };
  try {
    await withConnection(place, signal, async () => undefined);
    return 'other';
  } catch (error) {
    if (!isBackupError(error, 'store_refused')) throw error;
    return meaningOf(error.cause);
  }
}

function meaningOf(error: unknown): Reception {
  const state = sqlState(error);
  if (state === '53300') return 'full';
  if (state === '28P01') return 'asked_for_password';
  // By the rules, in whatever language it says so, and not because there is no such role.
  const isByRules = error instanceof pg.DatabaseError && error.routine === 'ClientAuthentication';
  return state === '28000' && isByRules ? 'rejected' : 'other';
}
