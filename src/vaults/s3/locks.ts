import type { VaultTraits } from '../../core/vault.ts';
import { ask, type Connection, keyOf } from './connection.ts';
import { nameOf, statusOf } from './errors.ts';

const DAYS_OF_A_YEAR = 365;

/** The lock that objects get when they are written: the address names it, or the bucket has one for all. */
export async function findLock(connection: Connection): Promise<VaultTraits['lock']> {
  const { s3, at } = connection;
  if (at.lock !== null) return at.lock;
  const found = await ask(connection, `ask how ${at.text} is locked`, (abortSignal) =>
    s3.getObjectLockConfiguration({ Bucket: at.bucket }, { abortSignal }).catch(nullWhereUnknown),
  );
  const rule = found?.ObjectLockConfiguration?.Rule?.DefaultRetention;
  if (rule?.Mode === undefined) return null;
  const days = rule.Days ?? (rule.Years ?? 0) * DAYS_OF_A_YEAR;
  return { mode: rule.Mode === 'COMPLIANCE' ? 'compliance' : 'governance', days };
}

export async function keepsVersions(connection: Connection): Promise<boolean> {
  const { s3, at } = connection;
  const found = await ask(connection, `ask whether ${at.text} keeps versions`, (abortSignal) =>
    s3.getBucketVersioning({ Bucket: at.bucket }, { abortSignal }).catch(nullWhereUnknown),
  );
  return found?.Status === 'Enabled';
}

/** What may not be asked, or what the server does not know, counts as not given. */
function nullWhereUnknown(error: unknown): null {
  const isUnknown = nameOf(error) === 'ObjectLockConfigurationNotFoundError';
  if (isUnknown || [403, 405, 501].includes(statusOf(error) ?? 0)) return null;
  throw error;
}

/** False where the bucket has no Object Lock. */
export async function setLegalHold(connection: Connection, name: string, isHeld: boolean): Promise<boolean> {
  const { s3, at } = connection;
  const request = {
    ...keyOf(connection, name),
    LegalHold: { Status: isHeld ? ('ON' as const) : ('OFF' as const) },
  };
  return ask(connection, `${isHeld ? 'hold' : 'let go of'} "${name}" in ${at.text}`, async (abortSignal) => {
    try {
      await s3.putObjectLegalHold(request, { abortSignal });
      return true;
    } catch (error) {
      if ([400, 501].includes(statusOf(error) ?? 0)) return false;
      throw error;
    }
  });
}
