import pg from 'pg';
import { BackupError } from '../../core/errors.ts';
import { CHECKPOINTS, EVENTS, LEDGER, SNAPSHOTS, TRIGGERS } from '../layouts/eventcore-postgres.ts';
import { columnNames, filledTables, qualified, requireEvents } from './catalog.ts';
import type { PostgresAddress } from './config.ts';
import { readGrants, readOwner, writeGrants } from './grants.ts';
import { findPeculiarities } from './peculiarities.ts';
import { createMissing, createTable, triggerSql } from './schema.ts';
import { publishCompanions, type StagedCompanions } from './staged-companions.ts';
import { STAGED_OPTIONS } from './staging.ts';
import { disableTriggers, enableTriggers } from './triggers.ts';

export interface Publication {
  readonly address: PostgresAddress;
  readonly targetSchema: string;
  readonly stagingSchema: string;
  /** The staged table can take the target's place as it is: it is logged and has all indexes. */
  readonly mayMove: boolean;
  readonly replace: boolean;
  /** What was loaded are events of EventCore, and the store is one of others. */
  readonly adopt: boolean;
  readonly companions: StagedCompanions;
}

/**
 * Makes what was loaded the store, in the transaction that the session is in: either the staged table moves into the
 * target's place, or, where the target's own table has something that would be lost, its rows are copied there.
 * Returns true when they were copied.
 */
export async function publishStaged(client: pg.Client, publication: Publication): Promise<boolean> {
  const { targetSchema, companions } = publication;
  await createMissing(client, targetSchema);
  const ledger = companions.tables.get(LEDGER.name) ?? null;
  if (ledger !== null) await createTable(client, targetSchema, LEDGER);
  const emptied = [CHECKPOINTS, SNAPSHOTS].map(({ name }) => qualified(targetSchema, name));
  const tables = [qualified(targetSchema, EVENTS.name), ...emptied];
  await client.query(`LOCK TABLE ${tables.join(', ')} IN ACCESS EXCLUSIVE MODE`);
  if (!publication.replace) await requireEmpty(client, publication.address);
  const { oid } = await requireEvents(client, publication.address);
  const moves = publication.mayMove && (await findPeculiarities(client, oid)).length === 0;
  if (moves) await moveStagedTable(client, publication);
  else await copyStagedRows(client, publication);
  if (publication.replace) await client.query(`TRUNCATE ${emptied.join(', ')}`);
  await publishCompanions(client, companions);
  await client.query(`DROP SCHEMA ${pg.escapeIdentifier(publication.stagingSchema)} CASCADE`);
  return !moves;
}

/** Throws `target_not_empty`. */
export async function requireEmpty(client: pg.Client, address: PostgresAddress): Promise<void> {
  const filled = await filledTables(client, address);
  if (filled.length === 0) return;
  throw new BackupError('target_not_empty', `the target has rows in ${filled.join(', ')}`, {
    hint: 'restore into an empty database, or say --replace to lose what is there',
  });
}

async function moveStagedTable(
  client: pg.Client,
  { targetSchema, stagingSchema }: Publication,
): Promise<void> {
  const target = qualified(targetSchema, EVENTS.name);
  const grants = await readGrants(client, target);
  const owner = await readOwner(client, target);
  await client.query(`DROP TABLE ${target}`);
  const staged = qualified(stagingSchema, EVENTS.name);
  const { name } = EVENTS.primaryKey;
  await client.query(`ALTER TABLE ${staged} ADD CONSTRAINT ${name} PRIMARY KEY USING INDEX ${name}`);
  await client.query(`ALTER TABLE ${staged} RESET (${STAGED_OPTIONS.join(', ')})`);
  await client.query(`ALTER TABLE ${staged} SET SCHEMA ${pg.escapeIdentifier(targetSchema)}`);
  for (const trigger of TRIGGERS) await client.query(triggerSql(targetSchema, trigger));
  await client.query(`ALTER TABLE ${target} OWNER TO ${owner}`);
  await writeGrants(client, target, grants);
}

async function copyStagedRows(
  client: pg.Client,
  { targetSchema, stagingSchema, replace }: Publication,
): Promise<void> {
  const target = qualified(targetSchema, EVENTS.name);
  // They would renumber the events, and refuse to let the old ones go.
  const triggers = await disableTriggers(client, target);
  if (replace) await client.query(`TRUNCATE ${target}`);
  const columns = columnNames(EVENTS);
  const staged = qualified(stagingSchema, EVENTS.name);
  await client
    .query(`INSERT INTO ${target} (${columns}) SELECT ${columns} FROM ${staged}`)
    .catch((error: unknown) => {
      throw notStorable(error, target) ?? error;
    });
  await enableTriggers(client, triggers);
}

/** What the target's own partitions, columns and constraints refuse. */
function notStorable(error: unknown, target: string): BackupError | null {
  if (!(error instanceof pg.DatabaseError) || !/^2[23]/.test(error.code ?? '')) return null;
  const hasNoPart = error.message.startsWith('no partition of relation');
  return new BackupError(
    'value_not_storable',
    `${target} does not take an event: ${error.detail ?? error.message}`,
    {
      hint: hasNoPart
        ? `make the partitions that the events need, or a default one: CREATE TABLE … PARTITION OF ${target} DEFAULT; nothing was changed`
        : 'look at the constraints of the table, or restore into an empty database; nothing was changed',
      cause: error,
    },
  );
}
