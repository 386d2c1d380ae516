import type pg from 'pg';
import { BackupError } from '../core/errors.ts';
import type { TargetSession } from './settings.ts';

/** Null where the server is what is wanted; else the reason, as an error that may pass: roles change. */
export async function whyUnsuitable(client: pg.Client, wanted: TargetSession): Promise<BackupError | null> {
  if (wanted === 'any') return null;
  const { rows } = await client.query<{ standby: boolean; limited: boolean }>(
    `SELECT pg_catalog.pg_is_in_recovery() AS standby,
            pg_catalog.current_setting('default_transaction_read_only') = 'on' AS limited`,
  );
  const { standby, limited } = rows[0]!;
  const isReadOnly = standby || limited;
  const fits = {
    'read-write': !isReadOnly,
    'read-only': isReadOnly,
    primary: !standby,
    standby,
    'prefer-standby': true,
  }[wanted];
  if (fits) return null;
  const is = standby ? 'a standby' : limited ? 'read-only' : 'a primary that can be written to';
  return new BackupError('store_unreachable', `the server is ${is}, and target_session_attrs=${wanted}`, {
    hint: 'none of the servers is what is wanted: name another one, or change target_session_attrs',
  });
}
