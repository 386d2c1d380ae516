/** What KEDA is told to ask of a queue, asked of a real one: pg-boss's own tables in PostgreSQL, with jobs in each state. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import pg from 'pg';
import { PgBoss } from 'pg-boss';
import { scalingManifests } from '../../src/kubernetes/render/scaling.ts';
import { openQueueDatabase, type QueueDatabase } from '../../src/queues/postgres/database.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';
import { makeRoles, tryStatements } from '../harness/postgres-roles.ts';
import { SAMPLE, SAMPLE_WORKERS } from './render/sample.ts';

const { queue: QUEUE } = SAMPLE_WORKERS;
const SCHEMA = QUEUE.schema;

interface Scaler {
  readonly spec: {
    readonly triggers: readonly [
      { readonly metadata: { readonly query: string; readonly userName: string } },
    ];
  };
}

describe('the depth of a queue', () => {
  const [, scaler] = scalingManifests(SAMPLE, SAMPLE_WORKERS) as unknown as [object, Scaler];
  const [{ metadata }] = scaler.spec.triggers;
  let server: TestPostgres;
  let database: QueueDatabase;
  let boss: PgBoss;

  before(async () => {
    server = await startPostgres();
    await server.exec(`CREATE DATABASE ${QUEUE.database}`);
    await makeRoles(server, QUEUE.database, ['queue', 'logins']);
    database = openQueueDatabase(server.address(QUEUE.database, metadata.userName), 2);
    boss = new PgBoss({ ...{ db: database, schema: SCHEMA }, ...{ schedule: false, supervise: false } });
    // What it does beside, it tries again; told to nobody, its failure would end the process.
    boss.on('error', () => undefined);
    await boss.start();
    await boss.createQueue('dead-1');
    await boss.createQueue('jobs-1', { deadLetter: 'dead-1', retryLimit: 1, retryDelay: 60 });
    await boss.createQueue('jobs-2', { retryLimit: 1 });
    await boss.createQueue('other');
  });
  after(async () => {
    await boss?.stop({ graceful: false, close: false });
    await database?.close();
    await server?.stop();
  });

  /** As KEDA does: the first column of the first row, as a number. */
  async function depth(): Promise<number> {
    const client = new pg.Client({ connectionString: server.address(QUEUE.database, metadata.userName) });
    await client.connect();
    const { rows } = await client.query<unknown[]>({ text: metadata.query, rowMode: 'array' });
    await client.end();
    assert.equal(rows.length, 1);
    return Number(rows[0]![0]);
  }

  const send = async (name: string, count: number): Promise<string[]> => {
    const ids: string[] = [];
    for (let i = 0; i < count; i += 1) ids.push((await boss.send(name, {}))!);
    return ids;
  };

  it('is what waits, for the first time or again, and what is under way, of every version of the protocol', async () => {
    assert.equal(await depth(), 0);
    await send('jobs-1', 3);
    await send('jobs-2', 2);
    assert.equal(await depth(), 5, 'all wait');
    const [first] = await boss.fetch('jobs-1');
    assert.equal(await depth(), 5, 'one is under way');
    await boss.fail('jobs-1', first!.id);
    assert.equal((await boss.getJobById('jobs-1', first!.id))?.state, 'retry');
    assert.equal(await depth(), 5, 'one waits for its next worker');
  });

  it('has no job that is over, was cancelled, or failed for good, and none of others', async () => {
    const before = await depth();
    const cancelled = await boss.send('jobs-2', {});
    await boss.cancel('jobs-2', cancelled!);
    await boss.complete('jobs-2', await takeNew('jobs-2'));
    await boss.fail('jobs-1', await takeNew('jobs-1'));
    await boss.send('other', {});
    // What failed for good is in its dead letters once more, where it waits for people.
    assert.deepEqual(await states(), {
      ...{ 'dead-1 created': 1, 'other created': 1 },
      ...{ 'jobs-1 created': 2, 'jobs-1 retry': 1, 'jobs-1 failed': 1 },
      ...{ 'jobs-2 created': 2, 'jobs-2 completed': 1, 'jobs-2 cancelled': 1 },
    });
    assert.equal(await depth(), before);
  });

  /** One that is taken before the others, and not tried again. */
  async function takeNew(name: string): Promise<string> {
    const id = await boss.send(name, {}, { priority: 10, retryLimit: 0 });
    const [taken] = await boss.fetch(name);
    assert.equal(taken!.id, id);
    return taken!.id;
  }

  it('is seen by the login of the queue, which sees no other database', async () => {
    await server.exec('CREATE DATABASE shop');
    await server.exec('REVOKE ALL ON DATABASE shop FROM PUBLIC');
    await assert.rejects(
      tryStatements(server.address('shop', 'queue_login'), []),
      /permission denied for database/,
    );
    await server.exec('CREATE ROLE other LOGIN');
    await assert.rejects(
      tryStatements(server.address(QUEUE.database, 'other'), []),
      /permission denied for database/,
    );
  });

  async function states(): Promise<Record<string, number>> {
    const rows = await server.exec(
      `SELECT name || ' ' || state AS what, count(*)::int AS count FROM ${SCHEMA}.job GROUP BY 1`,
      QUEUE.database,
    );
    return Object.fromEntries(rows.map(({ what, count }) => [String(what), Number(count)]));
  }
});
