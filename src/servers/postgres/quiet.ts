import type pg from 'pg';

/**
 * What this session says from now on is kept out of the server's log and of what others see of it: texts of pg_hba.conf and of
 * primary_conninfo may hold passwords. Settings that the server does not know, or this role may not set, stay.
 */
export async function beQuiet(client: pg.Client): Promise<void> {
  for (const [name, value] of Object.entries(QUIET)) {
    await client
      .query('SELECT set_config($1, $2, false) WHERE current_setting($1, true) IS NOT NULL', [name, value])
      .catch(() => undefined);
  }
}

const QUIET = {
  track_activities: 'off',
  log_statement: 'none',
  log_min_duration_statement: '-1',
  log_min_duration_sample: '-1',
  log_transaction_sample_rate: '0',
  log_min_error_statement: 'panic',
  log_duration: 'off',
  'pg_stat_statements.track': 'none',
  'auto_explain.log_min_duration': '-1',
};
