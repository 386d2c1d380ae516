import pg from 'pg';
import { BackupError } from '../../core/errors.ts';
import { pause } from '../../core/pause.ts';
import type { ServerAddress } from './address.ts';
import { askRow, withConnection } from './connection.ts';
import { formatConninfo, namesUpstream, type Upstream, withUpstream } from './conninfo.ts';
import { beQuiet } from './quiet.ts';
import { timedOut } from './server-error.ts';

const LOOK_MS = 50;
/** A receiver that is connected hears from its primary more often than that, or asks. */
const FRESH_MS = 10_000;

/** Has a standby stream from another server, and waits until it does. False where it does already. */
export async function follow(
  address: ServerAddress,
  upstream: Upstream,
  signal: AbortSignal,
): Promise<boolean> {
  const progress = { isSet: false };
  try {
    return await withConnection(address, signal, async (client) => {
      const isChanged = await setUpstream(client, address, upstream);
      progress.isSet = true;
      while (!(await isStreaming(client, upstream))) await pause(LOOK_MS, signal);
      return isChanged;
    });
  } catch (error) {
    if (!progress.isSet || !signal.aborted) throw error;
    throw doesNotStream(address, upstream, error);
  }
}

function doesNotStream({ shown }: ServerAddress, { host, port }: Upstream, cause: unknown): BackupError {
  const { message, facts } = timedOut(shown, `it did not stream from ${host}:${port}`);
  return new BackupError('store_unreachable', message, {
    hint: 'its log says why: no way in there, or it is ahead of where the other one began, and must be rewound',
    facts,
    cause,
  });
}

interface Setting {
  readonly is_standby: boolean;
  readonly conninfo: string;
  readonly source: string;
  readonly role: string;
}

async function setUpstream(
  client: pg.Client,
  { shown }: ServerAddress,
  upstream: Upstream,
): Promise<boolean> {
  const setting = await askRow<Setting | undefined>(
    client,
    `SELECT pg_is_in_recovery() AS is_standby, setting AS conninfo, source, session_user::text AS role
       FROM pg_settings WHERE name = 'primary_conninfo'`,
  );
  if (setting === undefined) {
    throw new BackupError('store_refused', `${shown}: this role may not see primary_conninfo`, {
      hint: 'use a superuser, or grant what docs/disaster-recovery.md lists',
    });
  }
  if (!setting.is_standby) {
    throw new BackupError('store_refused', `${shown} is a primary: it cannot follow another server`, {
      hint: 'to make a standby of an old primary, it has to rejoin',
    });
  }
  const former = setting.conninfo === '' ? formatConninfo([['user', setting.role]]) : setting.conninfo;
  if (namesUpstream(former, upstream)) return false;
  if (setting.source === 'command line') {
    throw new BackupError('store_refused', `${shown}: primary_conninfo is given on the command line`, {
      hint: 'no setting counts against that: have whatever starts the server name the new primary',
    });
  }
  await beQuiet(client);
  await client.query(
    `ALTER SYSTEM SET primary_conninfo = ${pg.escapeLiteral(withUpstream(former, upstream))}`,
  );
  await client.query('SELECT pg_reload_conf()');
  return true;
}

async function isStreaming(client: pg.Client, { host, port }: Upstream): Promise<boolean> {
  const { n } = await askRow<{ n: number }>(
    client,
    `SELECT count(*)::int AS n FROM pg_stat_wal_receiver
      WHERE status = 'streaming' AND sender_host = $1 AND sender_port = $2
        AND last_msg_receipt_time > clock_timestamp() - $3 * interval '1 millisecond'`,
    [host, port, FRESH_MS],
  );
  return n > 0;
}

/** Physical ones: readers of changes and copies being made are none. */
export async function countStandbys(client: pg.Client): Promise<number> {
  const { n } = await askRow<{ n: number }>(
    client,
    `SELECT count(*)::int AS n FROM pg_stat_replication JOIN pg_stat_activity USING (pid)
      WHERE pg_stat_replication.state = 'streaming' AND datid IS NULL
        AND pg_stat_replication.application_name <> 'pg_receivewal'`,
  );
  return n;
}
